"""The whole measurement of the merchant's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.postgres import stop_postgres

from bench.client.environments import prepared
from bench.merchant import locks, speed, statement, trips
from bench.merchant.contestants import ENVIRONMENTS
from bench.merchant.shops import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Report

SPEED_ROUNDS, QUICK_SPEED_ROUNDS = 11, 3
BURST_SECONDS, QUICK_BURST_SECONDS = 1.0, 0.2
SIZES, QUICK_SIZES = (100_000, 1_000_000), (20_000, 200_000)
STATEMENT_ROUNDS, QUICK_STATEMENT_ROUNDS = 21, 15


def measure(quick: bool) -> Iterator[Report]:
    """Measure adapters and the statement, and yield each report as it comes.

    Args:
        quick: Take fewer and shorter rounds: a look, not a record.
    """
    with opened(prepared(ENVIRONMENTS)) as shops:
        keeping = [shop for shop in shops if shop.contestant.has_shop]
        counted = {shop.contestant: trips.counted(shop) for shop in keeping}
        if quick:
            yield speed.measure(shops, counted, QUICK_SPEED_ROUNDS, QUICK_BURST_SECONDS)
        else:
            yield speed.measure(shops, counted, SPEED_ROUNDS, BURST_SECONDS)
        yield locks.measure(keeping, counted)
    if quick:
        yield from statement.measure(QUICK_SIZES, QUICK_STATEMENT_ROUNDS)
    else:
        yield from statement.measure(SIZES, STATEMENT_ROUNDS)
    stop_postgres()
