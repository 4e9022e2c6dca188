"""The whole measurement of subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.postgres import stop_postgres

from bench.recurring import opening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Report

SIZE, QUICK_SIZE = 1_000_000, 20_000


def measure(quick: bool) -> Iterator[Report]:
    """Measure how due periods are opened, and yield the report.

    Args:
        quick: Take fewer subscriptions: a look, not a record.
    """
    yield opening.measure(QUICK_SIZE if quick else SIZE)
    stop_postgres()
