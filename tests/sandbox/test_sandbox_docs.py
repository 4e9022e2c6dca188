from pathlib import Path

from payme.sandbox.engine.standing import STANDINGS, table
from payme.sandbox.engine.testcards import TEST_CARDS

PAGE = Path(__file__).parents[2].joinpath("docs", "sandbox.md").read_text(encoding="utf-8")


def test_the_page_has_the_table_of_standings() -> None:
    assert table() in PAGE


def test_the_page_has_every_test_card() -> None:
    assert all(
        f"`{card.number}` | `{card.expire}` | {card.note}" in PAGE for card in TEST_CARDS.values()
    )


def test_no_behaviour_is_listed_twice() -> None:
    assert len({row.what for row in STANDINGS}) == len(STANDINGS)


def test_the_example_of_the_page_runs(capsys) -> None:
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert "/api" in capsys.readouterr().out
