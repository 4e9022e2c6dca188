"""What makes three sites of one folder: the switch of languages, the words that find a page."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from languages import COPY_BUTTON, SITES, SWITCH, THEME
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata
from uzbek import APOSTROPHES, SearchUzbek

WORDS: Final = Path(__file__).parents[1] / "search.toml"


class SearchWords(SphinxTransform):
    """Lets a page be found by words that people search and that the page itself does not use.

    They become main entries of the index, which the search shows first, and keywords, of which it
    knows other forms.
    """

    default_priority = 400  # before Sphinx collects the index

    def apply(self, **_: Any) -> None:
        """Put the page's words into it."""
        self.env.note_dependency(str(WORDS))
        page = tomllib.loads(WORDS.read_text(encoding="utf-8")).get(self.env.docname, {})
        words = page.get(self.config.language, [])
        if not words:
            return
        language = self.config.language
        meta = nodes.meta(name="keywords", content=", ".join(words), lang=language)
        # They lead to the page, not to its title: else the search shows the page twice.
        entries = [
            ("single", typed, "", "main", None)
            for word in words
            for typed in sorted(_ways_to_type(word))
        ]
        self.document.insert(0, [meta, addnodes.index(entries=entries)])


def _ways_to_type(word: str) -> set[str]:
    """List how a word is typed: with the apostrophe that a keyboard has, or none; without ё."""
    return {
        re.sub(f"[{APOSTROPHES}]", mark, spelt)
        for spelt in (word, word.replace("ё", "е"))
        for mark in (*APOSTROPHES, "")
    } | {word}


def _without_switch(_app: Sphinx, _page: str, source: list[str]) -> None:
    source[0] = re.sub(SWITCH, "", source[0], count=1, flags=re.MULTILINE)


def _tell_languages(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    context["languages"] = [(code, site.name) for code, site in SITES.items()]
    context["languages_label"] = SITES[app.config.language].choose
    root = context["content_root"]
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<link rel="alternate" hreflang="{code}" href="{root}../{code}/{page}.html">'
        for code in SITES
    )


def _finish_translating(app: Sphinx, failure: Exception | None) -> None:
    """Say in the site's language what its theme and its copy buttons have in English only."""
    if failure or app.builder.name != "html":
        return
    words = THEME.get(app.config.language, {})
    for page in Path(app.outdir).rglob("*.html") if words else ():
        text = page.read_text(encoding="utf-8")
        for said, translated in words.items():
            text = text.replace(f'aria-label="{said}', f'aria-label="{translated}')
        page.write_text(text, encoding="utf-8")
    script = Path(app.outdir) / "_static" / "copybutton.js"
    told = json.dumps(COPY_BUTTON, ensure_ascii=False)[1:-1]
    text = script.read_text(encoding="utf-8")
    script.write_text(text.replace("const messages = {", f"const messages = {{{told},", 1), "utf-8")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the search in Uzbek, the words, and the switch."""
    app.add_search_language(SearchUzbek)
    app.add_transform(SearchWords)
    app.connect("source-read", _without_switch)
    app.connect("html-page-context", _tell_languages)
    app.connect("build-finished", _finish_translating)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
