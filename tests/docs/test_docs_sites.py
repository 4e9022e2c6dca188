"""The three sites, as they are built: no warning, no dead link, and searches find their page."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("uz", "ru", "en")
NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_copybutton")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.xdist_group("docs"),
    pytest.mark.skipif(
        bool(MISSING), reason=f"pip install -r requirements-docs.txt: no {', '.join(MISSING)}"
    ),
]


class Page(HTMLParser):
    """What a page leads to, and what in it may be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.relations: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        for name in ("href", "src"):
            if name in given and not (tag == "link" and given.get("rel") == "canonical"):
                self.links.append(given[name])
        if tag == "link":
            self.relations[given.get("rel", "")] = given.get("href", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs") / "_build"
    done = subprocess.run(
        [sys.executable, DOCS / "build.py", out],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    return {page: Page(page.read_text(encoding="utf-8")) for page in found}


def test_every_page_is_built_in_every_language(site: Path) -> None:
    for language in LANGUAGES:
        sources = {
            page.relative_to(DOCS / language).with_suffix(".html")
            for page in (DOCS / language).rglob("*.md")
        }
        built = {page.relative_to(site / language) for page in (site / language).rglob("*.html")}
        assert sources <= built, language


def test_every_link_and_anchor_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    for page, parsed in pages.items():
        for link in parsed.links:
            if re.match(r"https?:|data:|mailto:", link) or link in ("", "#"):
                continue
            path, _, anchor = unquote(link).partition("#")
            path = path.partition("?")[0]
            target = (page.parent / path).resolve() if path else page
            led = pages.get(target)
            if not target.is_file() or (anchor and (led is None or anchor not in led.ids)):
                dead.append(f"{page.relative_to(site)}: {link}")
    assert dead == []
    assert sum(len(parsed.links) for parsed in pages.values()) > 5_000


def test_a_page_has_its_switch_its_language_and_its_neighbours(site: Path) -> None:
    for language in LANGUAGES:
        text = (site / language / "recipes" / "hold.html").read_text(encoding="utf-8")
        assert f'lang="{language}"' in text.partition("<head>")[0]
        for other in LANGUAGES:
            led = f'href="../../{other}/recipes/hold.html" hreflang="{other}"'
            assert (led in text) == (other != language)
        assert "prev-page" in text
        assert "next-page" in text
        # The line for who reads the sources is not shown beside the switch.
        assert "·" not in text.partition("<article")[2][:600]


def test_the_theme_speaks_the_language_of_its_site(site: Path) -> None:
    told = {"uz": "Shu sahifada", "ru": "На этой странице", "en": "On this page"}
    for language, words in told.items():
        text = (site / language / "charges.html").read_text(encoding="utf-8")
        assert words in text
        assert not any(other in text for other in told.values() if other != words)
        assert ("Toggle" in text) == (language == "en")
        said = (site / language / "_static" / "copybutton.js").read_text(encoding="utf-8")
        assert f"'{language}'" in said or f'"{language}"' in said


@pytest.mark.parametrize(("language", "forms"), [("uz", 2), ("ru", 3)])
def test_the_search_says_how_much_it_found(site: Path, language: str, forms: int) -> None:
    """Sphinx's own Russian has empty texts here; and a number chooses a text, no boolean."""
    text = (site / language / "_static" / "translations.js").read_text(encoding="utf-8")
    catalog = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert re.fullmatch(r".* \? .* : \d", catalog["plural_expr"])
    told = catalog["messages"]
    found = told["Search finished, found one page matching the search query."]
    assert len(found) == forms
    assert all(found)
    assert all(told.values())


def index(site: Path, language: str) -> Any:
    text = (site / language / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_people_search_are_main_entries_of_their_page(site, language):
    """Main entries come first in the search, before pages that only use the word."""
    built = index(site, language)
    words = tomllib.loads((DOCS / "search.toml").read_text(encoding="utf-8"))
    for page, wanted in words.items():
        assert wanted[language], page
        number = built["docnames"].index(page)
        for word in wanted[language]:
            hits = built["indexentries"].get(word.lower(), [])
            # With a target in the page, the page would be listed twice.
            assert [(number, "")] == [hit[:2] for hit in map(tuple, hits) if hit[2]], (page, word)
    for word, page in NAMED[language].items():
        assert page in [key for key, one in words.items() if word in one[language]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_error_code_is_found_and_leads_to_its_row(site, language):
    """The search leaves out words of digits: what is no entry of the index is not found."""
    from payme.errors import catalogue

    built = index(site, language)
    codes = {entry.code for entry in catalogue.ENTRIES} | {-31050, -31099}
    assert len(codes) > 40
    errors = built["docnames"].index("errors")
    row = Page((site / language / "errors.html").read_text(encoding="utf-8")).ids
    for code in codes:
        [(page, target, main)] = [
            hit for hit in built["indexentries"].get(str(code), []) if hit[0] == errors
        ]
        assert (page, bool(main)) == (errors, True), code
        assert target in row, code
    orders = built["docnames"].index("merchant/orders")
    for code in (-31001, -31051):
        assert orders in [hit[0] for hit in built["indexentries"][str(code)]]


@pytest.mark.parametrize(
    ("language", "typed", "name"),
    [
        ("uz", "tolov havolasi", "recipes/invoice"),
        ("uz", "to‘lov havolasi", "recipes/invoice"),
        ("ru", "рекуррентный платеж", "recurring"),
    ],
)
def test_a_word_is_found_as_a_phone_types_it(site, language, typed, name):
    built = index(site, language)
    hits = built["indexentries"].get(typed, [])
    assert [built["docnames"][page] for page, _, _ in hits] == [name]


# The words that the issue names, whatever the file says.
NAMED = {
    "en": {"webhook": "merchant", "idempotency": "network", "recurring": "recurring"},
    "uz": {"webhook": "merchant", "idempotentlik": "network", "avtotoʻlov": "recurring"},
    "ru": {"webhook": "merchant", "идемпотентность": "network", "рекуррент": "recurring"},
}


def test_language_models_get_every_page_without_directives(site: Path) -> None:
    for language in LANGUAGES:
        listed = (site / language / "llms.txt").read_text(encoding="utf-8")
        assert listed.startswith("# payme\n\n> ")
        sources = {
            page.relative_to(DOCS / language).as_posix()
            for page in (DOCS / language).rglob("*.md")
            if page.name != "index.md" or page.parent.name != language
        }
        assert set(re.findall(r"\]\(([^)]+\.md)\)", listed)) == sources
        # A page that begins with code in a sentence is told by it, too.
        assert re.search(r"\(configuration\.md\): `", listed)
        for name in sources:
            text = (site / language / name).read_text(encoding="utf-8")
            assert text.startswith("# ")
            assert "```{" not in text
            assert "{py:" not in text
        full = (site / language / "llms-full.txt").read_text(encoding="utf-8")
        assert "-31630" in full
        assert "payme.Payme" in full
    root = (site / "llms.txt").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)]+)\)", root):
        assert (site / link).is_file(), link
    assert (site / "llms-full.txt").read_text(encoding="utf-8").count("\n# ") >= 30


browser_needed = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or not Path("/usr/bin/chromium").exists(),
    reason="no playwright or no /usr/bin/chromium",
)


@browser_needed
@pytest.mark.slow
def test_a_reader_searches_switches_and_is_led_to_the_browsers_language(site: Path) -> None:
    """What the index says, a reader sees: the first result is the page, typed in any way."""
    from playwright.sync_api import sync_playwright

    typed = {
        "en": [
            ("webhook", "merchant"),
            ("idempotency", "network"),
            ("recurring", "recurring"),
            ("-31301", "errors"),
        ],
        "ru": [("рекуррент", "recurring"), ("рекуррентный платёж", "recurring")],
        "uz": [("avtotoʻlov", "recurring"), ("avtoto'lov", "recurring"), ("obuna", "recurring")],
    }
    inflected = {"uz": ("obunalarni", "recurring"), "ru": ("подписками", "recurring")}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page()
        page.route("http*://**", lambda route: route.abort())

        def results(language: str, words: str) -> list[str]:
            page.goto(f"file://{site}/{language}/search.html?q={words}")
            page.wait_for_selector("#search-results li a")
            page.wait_for_function("Search.status.innerText.trim()")
            links = page.locator("#search-results li a").evaluate_all(
                "all => all.map(one => one.getAttribute('href'))"
            )
            return [link.partition(".html")[0] for link in links]

        for language, wanted in typed.items():
            for words, name in wanted:
                assert results(language, words)[0] == name, (language, words)
        for language, (words, name) in inflected.items():
            assert name in results(language, words), words
        # The stemmer in the browser is the one that made the index.
        sys.path.insert(0, str(DOCS / "_ext"))
        from uzbek import stem

        sys.path.remove(str(DOCS / "_ext"))
        words = ["toʻlovlarimizning", "kartalarga", "chekda", "SMS", "obunalari", "soʻm", "pul"]
        got = page.goto(f"file://{site}/uz/search.html?q=karta") and page.evaluate(
            "words => words.map(word => new Stemmer().stemWord(word))", words
        )
        assert got == [stem(word) for word in words]
        for language, code in (("uz-UZ", "uz"), ("ru", "ru"), ("de", None)):
            context = browser.new_context(locale=language)
            start = context.new_page()
            start.goto(f"file://{site}/index.html")
            end = f"/{code}/index.html" if code else "_build/index.html"
            start.wait_for_url(f"**{end}")
            if code is None:
                assert start.locator("a").count() == 3
        browser.close()
