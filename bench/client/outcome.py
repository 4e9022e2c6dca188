"""Everything that was measured of the client, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.client.contestants import OURS, SEED_CARDS, Contestant

if TYPE_CHECKING:
    from bench.client.imports import ImportCost, Statement
    from bench.client.rounds import Series

PROMISED_IMPORTS: tuple[Statement, ...] = (
    (OURS, "import payme"),
    (OURS, "from payme import Payme, AsyncPayme"),
    (OURS, SEED_CARDS),
)


@dataclass(frozen=True)
class Outcome:
    """The measurements.

    Attributes:
        near: Each contestant's rounds on loopback.
        far: The same with the added round trip.
        imports: What imports cost.
        sizes: Megabytes that each environment's package takes.
    """

    near: dict[Contestant, Series]
    far: dict[Contestant, Series]
    imports: dict[Statement, ImportCost]
    sizes: dict[str, float]


def ratio(numbers: list[float], others: list[float]) -> float | None:
    """Return the median over rounds of one figure divided by another of the same round."""
    quotients = [number / other for number, other in zip(numbers, others, strict=False) if other]
    return median(quotients) if quotients else None


def more_calls(one: Series, other: Series) -> float | None:
    """Return how many times the calls per second of `other` the contestant `one` makes."""
    return ratio(one.rate, other.rate)


def less_cpu(one: Series, other: Series) -> float | None:
    """Return how many times the CPU per call of `one` the contestant `other` takes."""
    return ratio(other.cpu, one.cpu)
