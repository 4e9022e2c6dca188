"""One word for each thing: the glossary of each language says which, and this reads everything."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCES = [*(ROOT / "src").rglob("*.py"), *(DOCS / "_ext").glob("*.py")]
READMES = {"en": "README.md", "uz": "README.uz.md", "ru": "README.ru.md"}
LANGUAGES = tuple(READMES)

ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
# Payme says it so, and the sandbox repeats what Payme says.
PAYMES_OWN = ("Сервис поставщика услуг",)


def glossary(language: str) -> dict[str, list[str]]:
    text = (DOCS / language / "glossary.md").read_text(encoding="utf-8")
    rows = [row for row in ROW.findall(text) if not row[0].startswith("-")]
    return {word: re.findall(r"`([^`]+)`", refused) for word, refused in rows[1:]}


def found(prose: str, language: str) -> list[str]:
    for said in PAYMES_OWN:
        prose = prose.replace(said, "")
    refused = [word for words in glossary(language).values() for word in words]
    return [word for word in refused if re.search(rf"\b{re.escape(word)}", prose, re.IGNORECASE)]


def prose(page: Path) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text(encoding="utf-8")))


def pages(language: str) -> list[Path]:
    kept = [page for page in (DOCS / language).rglob("*.md") if page.name != "glossary.md"]
    return [ROOT / READMES[language], *sorted(kept)]


PAGES = [(language, page) for language in LANGUAGES for page in pages(language)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_thing_has_its_word_and_names_what_is_not_said(language):
    words = glossary(language)
    assert len(words) >= 16
    assert all(words.values())


def test_the_glossary_notices_a_word_in_any_case_and_form():
    assert found("Вернуться к Поставщику", "ru") == ["поставщик"]
    assert found("Сервис поставщика услуг недоступен", "ru") == []
    assert found("Yuborilgan SMS lar", "uz") == ["SMS lar"]
    assert found("the journal", "en") == ["journal"]


@pytest.mark.parametrize(
    ("language", "page"), PAGES, ids=[str(page.relative_to(ROOT)) for _, page in PAGES]
)
def test_pages_use_the_words_of_the_glossary(language, page):
    assert found(prose(page), language) == []


# An ending is written together with a name: "SQLiteda", or "chargeʼlar" after a silent letter. Only
# code in backquotes has its ending apart.
APART = re.compile(r"(?<![`\w./-])[^\W\d_][\w.-]* (?:lar|lari|ni|ning|niki|ga|da|dan|dagi)\b")


def test_an_ending_that_stands_apart_is_noticed():
    assert [one.group() for one in APART.finditer("Yuborilgan SMS lar")] == ["SMS lar"]
    assert not APART.search("`pay` dan keyin, SQLiteda va 50 dan")


@pytest.mark.parametrize(
    "page", pages("uz"), ids=[str(page.relative_to(ROOT)) for page in pages("uz")]
)
def test_uzbek_endings_are_written_together_with_their_word(page):
    told = re.sub(r"`[^`]*`", "` `", FENCE.sub("", page.read_text(encoding="utf-8")))
    assert [one.group() for one in APART.finditer(told)] == []


CYRILLIC, UZBEK = re.compile(r"[а-яё]", re.IGNORECASE), re.compile(r"[oOgG]ʻ|ʼ|lar\b|lari\b")


def texts(source: Path) -> list[str]:
    """The texts of a module, without its docstrings: those are English."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [node.value for node in nodes if isinstance(node.value, str)]


def test_texts_of_the_code_use_them_too():
    """A text is Russian if it has Cyrillic, else Uzbek if it looks so; English has its own test."""
    wrong = []
    for source in SOURCES:
        for text in texts(source):
            if text in PAYMES_OWN or not (CYRILLIC.search(text) or UZBEK.search(text)):
                continue
            language = "ru" if CYRILLIC.search(text) else "uz"
            wrong += [(source.name, word, text[:60]) for word in found(text, language)]
    assert wrong == []
