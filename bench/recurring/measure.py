"""The whole measurement of subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.postgres import stop_postgres

from bench.recurring import opening, year

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Report

SIZE, QUICK_SIZE = 1_000_000, 20_000
MEMBERS, QUICK_MEMBERS = 1000, 50


def measure(quick: bool) -> Iterator[Report]:
    """Measure how due periods are opened and how long a year takes, and yield each report.

    Args:
        quick: Take fewer subscriptions and members: a look, not a record.
    """
    yield opening.measure(QUICK_SIZE if quick else SIZE)
    stop_postgres()
    yield year.measure(QUICK_MEMBERS if quick else MEMBERS)
