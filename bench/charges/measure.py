"""The whole measurement of charges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.postgres import stop_postgres

from bench.charges import books, cost, due, far, pipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Report

CHARGES, QUICK_CHARGES = 10_000, 1000
COST_ROUNDS, QUICK_COST_ROUNDS = 9, 3
ROUND, QUICK_ROUND = 300, 100
RESTING, QUICK_RESTING = (10_000, 10_000_000), (1000, 100_000)
DUE_ROUNDS, QUICK_DUE_ROUNDS = 51, 11
RECEIPTS, QUICK_RECEIPTS = (10_000, 1_000_000), (1000, 10_000)


def measure(quick: bool) -> Iterator[Report]:
    """Measure runners, their cost, the ledger's size and the audit, and yield each report.

    Args:
        quick: Take fewer charges, shorter rounds and smaller ledgers: a look, not a record.
    """
    rounds = QUICK_COST_ROUNDS if quick else COST_ROUNDS
    costs = cost.measure(rounds, QUICK_ROUND if quick else ROUND)
    yield cost.report(costs)
    outcomes = pipe.measure(QUICK_CHARGES if quick else CHARGES)
    yield pipe.report(outcomes)
    yield far.measure(outcomes)
    yield due.measure(
        QUICK_RESTING if quick else RESTING, QUICK_DUE_ROUNDS if quick else DUE_ROUNDS
    )
    yield books.measure(QUICK_RECEIPTS if quick else RECEIPTS)
    stop_postgres()
