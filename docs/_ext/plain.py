"""The pages as plain Markdown, for language models: `llms.txt`, `llms-full.txt`, a file per page.

What the site's directives write is written out here, too, so that nothing of a page is missing.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from languages import SITES, SWITCH
from tables import DRAWINGS, TABLES

from payme.errors.catalogue import Language

DOCS: Final = Path(__file__).parents[1]

# What they draw stands in the table below them, or what they hold in the site alone.
_LEFT_OUT: Final = {*(f"payme-{name}" for name in DRAWINGS), "toctree"}
_FENCE: Final = re.compile(r"^(`{3,})\{([\w-]+)\} ?(.*)\n((?:.*\n)*?)^\1\n", re.MULTILINE)
_NAMED: Final = re.compile(r"^\.\. auto\w+:: (\S+)", re.MULTILINE)
_ENTRY: Final = re.compile(r"\{py:\w+\}`~?([^`]+)`")
_TOCTREE: Final = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(path: Path, language: Language) -> str:
    """Write a page with all that its directives stand for.

    Args:
        path: File of the page.
        language: Its language.

    Returns:
        Markdown without directives.

    Raises:
        KeyError: It has a directive that nobody has said how to write.
    """

    def written(found: re.Match[str]) -> str:
        _, kind, argument, body = found.groups()
        if kind in _LEFT_OUT:
            return ""
        if kind == "include":
            after = re.search(r':start-after: "(.*)"', body)
            text = (path.parent / argument).read_text(encoding="utf-8")
            return text.partition(after[1])[2].lstrip() if after else text
        if kind == "eval-rst":
            return "\n".join(f"- `{name}`" for name in _names(body)) + "\n"
        return _ENTRY.sub(r"`\1`", TABLES[kind.removeprefix("payme-")](language)) + "\n"

    text = re.sub(SWITCH, "", path.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", _FENCE.sub(written, text)).strip() + "\n"


def _names(block: str) -> list[str]:
    included = re.findall(r"^\.\. include:: /\.\./(\S+)", block, re.MULTILINE)
    texts = [(DOCS / name).read_text(encoding="utf-8") for name in included]
    return _NAMED.findall("\n".join([block, *texts]))


def pages(language: Language) -> Iterator[tuple[str, Path]]:
    """List a site's pages in the order of its sidebar.

    Args:
        language: Language of the site.

    Yields:
        A caption of the sidebar, or "", and the page below it.
    """
    return _below(DOCS / language / "index.md")


def _below(index: Path) -> Iterator[tuple[str, Path]]:
    for body in _TOCTREE.findall(index.read_text(encoding="utf-8")):
        caption = re.search(r":caption: (.*)", body)
        for line in body.splitlines():
            if not line or line.startswith(":"):
                continue
            found = index.parent / f"{line}.md"
            yield (caption[1] if caption else ""), found
            if found.name == "index.md":
                yield from _below(found)


def summary(text: str) -> tuple[str, str]:
    """Take a page's title, and the sentence it begins with.

    Args:
        text: The page, from `page`.

    Returns:
        Both in one line each.
    """
    title, _, rest = text.partition("\n")
    first = rest.strip().partition("\n\n")[0].replace("\n", " ")
    if first.startswith(("|", "#", "```", "![")):
        return title.removeprefix("# "), ""
    sentence = re.match(r"(.+?[.?!:])(?: |$)", first)
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", sentence[1] if sentence else first)
    return title.removeprefix("# "), plain.rstrip(":")


def write(out: Path, address: str = "") -> None:
    """Write the Markdown of every page, and for each language the list and all of it in one file.

    Args:
        out: Folder of the three sites.
        address: Where they are published, ending in a slash; empty for relative links.
    """
    for language, site in SITES.items():
        listed, whole = [f"# payme\n\n> {site.summary}"], []
        last = None
        for caption, path in pages(language):
            text = page(path, language)
            name = path.relative_to(DOCS / language).as_posix()
            target = out / language / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            if caption and caption != last:
                listed.append(f"\n## {caption}\n")
                last = caption
            title, sentence = summary(text)
            link = f"- [{title}]({address or ''}{language + '/' if address else ''}{name})"
            listed.append(f"{link}: {sentence}" if sentence else link)
            whole.append(text)
        (out / language / "llms.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
        (out / language / "llms-full.txt").write_text("\n\n".join(whole), encoding="utf-8")
    english = (out / "en" / "llms.txt").read_text(encoding="utf-8")
    if not address:
        english = re.sub(r"\]\((?!http)", "](en/", english)
    others = [
        f"- [{SITES[code].name}]({address}{code}/llms.txt): {SITES[code].summary}"
        for code in ("uz", "ru")
    ]
    text = english + "\n## Other languages\n\n" + "\n".join(others) + "\n"
    (out / "llms.txt").write_text(text, encoding="utf-8")
    full = (out / "en" / "llms-full.txt").read_text(encoding="utf-8")
    (out / "llms-full.txt").write_text(full, encoding="utf-8")
