"""What the adapters ask of PostgreSQL for each method, and what two payers of one order get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.merchant import races
from bench.merchant.payments import METHODS
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.merchant.contestants import Contestant
    from bench.merchant.races import Raced
    from bench.merchant.shops import Shop
    from bench.merchant.speed import Trips

RACES = 60
HEADER = (
    "server",
    "framework",
    *(method.replace("Transaction", "\nTransaction") for method in METHODS),
    "a whole\npayment",
    f"both accepted\nin {RACES} races",
    "paid\ntwice",
    f"both accepted\nin turn, of {RACES}",
)
NOTES = (
    (
        "Numbers below the methods are round trips to PostgreSQL, counted on the wire between one "
        "server and the database after statements were prepared; BEGIN and COMMIT are among them, "
        "and so is what follows the answer."
    ),
    (
        "A race: two CreateTransaction with different ids for one order at the same moment, one to "
        "each of two processes of the shop, then PerformTransaction of both. 'In turn': the second "
        "comes after the answer to the first, on another order."
    ),
)


def measure(shops: Sequence[Shop], counted: Trips) -> Report:
    """Race.

    Args:
        shops: Those with a database, running.
        counted: Round trips by contestant and method.
    """
    raced = {shop.contestant: races.run(shop, RACES) for shop in shops}
    return Report(
        title="Merchant adapters: round trips to PostgreSQL, and two payers of one order",
        header=HEADER,
        rows=[row(each, counted[each], raced[each]) for each in raced],
        targets=list(targets(raced)),
        notes=NOTES,
    )


def row(contestant: Contestant, counted: Mapping[str, float], raced: Raced) -> list[str]:
    """Return one line of the table."""
    return [
        contestant.title,
        contestant.framework,
        *(f"{counted[method]:.0f}" for method in METHODS),
        f"{sum(counted.values()):.0f}",
        str(raced.both),
        str(raced.paid_twice),
        str(raced.in_turn),
    ]


def targets(raced: Mapping[Contestant, Raced]) -> Iterator[Target]:
    """Yield the promise that two payers are kept apart."""
    for contestant, own in raced.items():
        if contestant.role == "ours":
            yield Target(
                f"one of two transactions for an order is accepted, {contestant.framework}",
                f"both in {own.both}, none in {own.neither} of {own.races} races",
                own.both == own.neither == own.paid_twice == own.in_turn == 0,
            )
