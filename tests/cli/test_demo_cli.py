"""`payme demo`: the journeys, and the year in three languages."""

import json
import re
from importlib.util import find_spec

import pytest
from click.testing import CliRunner

from payme.cli import demo
from payme.cli.commands import payme as command
from payme.demo import journeys
from payme.demo import words as of_journeys
from payme.demo.year import run as year
from payme.demo.year import words
from payme.demo.year.proof import Finding
from payme.demo.year.run import Year
from payme.demo.year.world import Counted

MONTH = {"taken": 2, "amount": 9_800_000, "refused": 1, "recovered": 1, "churned": 0}
GOOD = Year(
    months=[("2026-01", MONTH), ("2026-02", {**MONTH, "amount": 4_900_050})],
    findings=[],
    states=dict.fromkeys(words.STATES["en"], 1),
    receipts=4,
    returned=1,
    counted=Counted(kills=2, rounds=9, days=8, driven=4, orphans=1, lost=3, behind=2, adopted=3),
    seconds=1.0,
    proof_seconds=0.2,
    cpu=1.5,
)


def run(*arguments):
    return CliRunner().invoke(command, ["demo", *arguments])


@pytest.fixture
def passes(monkeypatch):
    """Let a year pass at once; gives what it was asked for, and takes what comes of it."""
    asked = []

    def of(outcome):
        monkeypatch.setattr(year, "run", lambda *given: asked.append(given[:3]) or outcome)
        return asked

    return of


@pytest.mark.slow
def test_a_small_year_passes_for_real():
    result = run("year", "--subscribers", "5", "--months", "2", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["findings"] == []
    assert len(told["months"]) == 2
    assert sum(month["taken"] for month in told["months"]) >= 8
    assert told["counted"]["kills"] == 2


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_the_year_is_told_in_a_language(passes, language):
    asked = passes(GOOD)
    result = run("year", "--lang", language)
    assert result.exit_code == 0
    assert asked == [(1000, 12, 1)]
    lines = result.output.splitlines()
    assert lines[0].split()[-5:] == " ".join(words.HEADS[language][1:]).split()[-5:]
    assert lines[1].split() == ["2026-01", "2", "98", "000", "1", "1", "0"]
    assert lines[3].split() == [words.TOTAL[language], "4", "147", "000,50", "2", "2", "0"]
    assert words.AGREE[language] in result.output
    for state in words.STATES[language].values():
        assert f"1 {state}" in result.output


def test_every_language_says_the_same():
    placeholders = [
        {name: text[language].count("{") for name, text in vars(words).items() if is_texts(text)}
        for language in ("uz", "ru", "en")
    ]
    assert placeholders[0] == placeholders[1] == placeholders[2]
    assert placeholders[0]["BEFELL"] == 6


def is_texts(member):
    return isinstance(member, dict) and all(isinstance(text, str) for text in member.values())


def test_differences_are_named_and_end_with_1(passes):
    passes(GOOD._replace(findings=[Finding("double debit", "club-1:2", "2 debits")]))
    result = run("year")
    assert result.exit_code == 1
    assert "double debit: club-1:2: 2 debits" in result.output
    assert words.AGREE["en"] not in result.output


def test_options_are_passed_on_and_checked(passes):
    asked = passes(GOOD)
    assert run("year", "--subscribers", "7", "--months", "3", "--seed", "9").exit_code == 0
    assert asked == [(7, 3, 9)]
    for wrong in (["--subscribers", "0"], ["--months", "1"], ["--lang", "de"], ["--seed", "x"]):
        assert run("year", *wrong).exit_code == 2


@pytest.mark.parametrize(
    ("library", "extra"), [("sqlalchemy", "charges"), ("starlette", "sandbox")]
)
def test_an_extra_that_is_missing_is_named(monkeypatch, library, extra):
    monkeypatch.setattr(
        demo, "find_spec", lambda name: None if name == library else find_spec(name)
    )
    result = run("year")
    assert result.exit_code == 2
    assert f'pip install "payme-uz[{extra}]"' in result.output
    told = json.loads(run("year", "--json").stdout)
    assert (told["error"]["kind"], told["error"]["extra"]) == ("extra", extra)


def test_without_a_command_the_journeys_are_walked(monkeypatch):
    monkeypatch.setattr(journeys, "main", lambda: print("walked"))
    assert run().output == "walked\n"


def test_the_journeys_say_the_same_in_every_language():
    texts = [text for text in vars(of_journeys).values() if isinstance(text, of_journeys.Text)]
    assert len(texts) > 20
    for text in texts:
        values = [sorted(re.findall(r"{(\w+)}", told)) for told in text]
        assert values[0] == values[1] == values[2]
        assert text.en not in (text.uz, text.ru) or text is of_journeys.MONEY


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "told"), [("uz", "uz"), ("ru", "ru"), ("de", "en")])
def test_the_journeys_are_told_in_a_language(monkeypatch, capsys, asked, told):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAYME_LANG", asked)
    journeys.main()
    said = capsys.readouterr().out
    assert said.startswith(getattr(of_journeys.BEGIN, told).partition("{")[0])
    for text in (of_journeys.BLOCKING, of_journeys.ASYNCIO, of_journeys.CRASH, of_journeys.END):
        assert f"\n{getattr(text, told)}\n" in said
