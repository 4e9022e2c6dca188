from pathlib import Path

import pytest

from payme.errors.catalogue import Language
from payme.sandbox.engine.standing import STANDINGS, table
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.web.i18n import translator

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "en" / "sandbox.md").read_text(encoding="utf-8")


def test_a_page_has_the_table_of_standings() -> None:
    assert table() in (DOCS / "standing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "uz", "ru"])
def test_the_page_has_every_test_card(language: Language) -> None:
    page = (DOCS / language / "sandbox.md").read_text(encoding="utf-8")
    say = translator(language)
    for card in TEST_CARDS.values():
        assert f"`{card.number}` | `{card.expire}` | {say(card.note)}" in page


def test_no_behaviour_is_listed_twice() -> None:
    assert len({row.what for row in STANDINGS}) == len(STANDINGS)


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert "/api" in capsys.readouterr().out
