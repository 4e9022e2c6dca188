"""A year as a table, and as JSON."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, Final

from payme.demo.year import words
from payme.demo.year.run import Year
from payme.demo.year.words import Language
from payme.money import format_som

_ROW: Final = "{:<10}{:>9}{:>20}{:>12}{:>12}{:>10}"
_SHOWN_FINDINGS: Final = 50


@contextmanager
def progress(language: Language, months: int, *, quiet: bool) -> Generator[Callable[[date], None]]:
    """Show on a terminal how the months pass.

    Args:
        language: Of the words.
        months: How many there are.
        quiet: Show nothing.

    Yields:
        What is called after each day.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    seen: dict[tuple[int, int], None] = {}
    month = words.HEADS[language][words.MONTH]

    def passed(day: date) -> None:
        seen[day.year, day.month] = None
        sys.stderr.write(f"\r{day}  {month} {len(seen)}/{months} ")
        sys.stderr.flush()

    yield passed
    sys.stderr.write("\r" + " " * 40 + "\r")


def text(year: Year, language: Language) -> str:
    """Write a year for a person."""
    return "\n".join(
        [
            *_table(year, language),
            "",
            words.SUBSCRIPTIONS[language].format(states=_states(year, language)),
            words.BEFELL[language].format(**{**year._asdict(), **year.counted._asdict()}),
            words.TOOK[language].format(
                seconds=year.seconds, proof=year.proof_seconds, cpu=year.cpu
            ),
            *_verdict(year, language),
        ]
    )


def json_text(year: Year) -> str:
    """Write a year for a program; amounts are in tiyin."""
    members = {
        **year._asdict(),
        "months": [{"month": month, **counted} for month, counted in year.months],
        "findings": [finding._asdict() for finding in year.findings],
        "counted": year.counted._asdict(),
    }
    return json.dumps(members, ensure_ascii=False, indent=1)


def _table(year: Year, language: Language) -> Iterator[str]:
    yield _ROW.format(*words.HEADS[language])
    total: Counter[str] = Counter()
    for month, counted in year.months:
        total.update(counted)
        yield _line(month, counted)
    yield _line(words.TOTAL[language], total)


def _line(name: str, counted: dict[str, Any]) -> str:
    amount = format_som(counted["amount"])
    rest = (counted["refused"], counted["recovered"], counted["churned"])
    return _ROW.format(name, counted["taken"], amount, *rest)


def _states(year: Year, language: Language) -> str:
    named = words.STATES[language]
    counts = sorted(year.states.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{count} {named[state]}" for state, count in counts)


def _verdict(year: Year, language: Language) -> list[str]:
    if not year.findings:
        return [words.AGREE[language]]
    shown = [f"  {kind}: {name}: {said}" for kind, name, said in year.findings[:_SHOWN_FINDINGS]]
    return [words.DIFFER[language].format(count=len(year.findings)), *shown]
