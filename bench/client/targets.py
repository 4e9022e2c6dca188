"""What this package promises of its cost, held against the measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.client.contestants import (
    BARE,
    BARE_ASYNCIO,
    CONTESTANTS,
    FLOOR,
    OURS,
    PAYME,
    PAYME_ASYNCIO,
    PAYME_PKG,
    Contestant,
)
from bench.client.outcome import PROMISED_IMPORTS, Outcome, less_cpu, more_calls, ratio
from bench.report import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from bench.client.imports import ImportCost
    from bench.client.rounds import Series

CPU_OF_BARE = 1.3
NEAR_PAYME_PKG = 20
FAR_PAYME_PKG = 3
AHEAD_OF_PEERS = 2
IMPORT_MS = 40
IMPORT_MODULES = 80
INSTALLED_MB = 20


def judged(outcome: Outcome) -> list[Target]:
    """Return every promise with its figure."""
    return [
        cpu_of_bare(outcome.near[PAYME], outcome.near[BARE]),
        ahead_of_payme_pkg("on loopback", outcome.near, NEAR_PAYME_PKG),
        ahead_of_payme_pkg("at +20 ms", outcome.far, FAR_PAYME_PKG),
        *(ahead_of_peers(ours, outcome.near) for ours in (PAYME, *PAYME_ASYNCIO)),
        *imports(outcome),
        installed(outcome.sizes[OURS]),
    ]


def cpu_of_bare(ours: Series, bare: Series) -> Target:
    """Judge the CPU of a blocking call."""
    promise = f"CPU per blocking call at most {CPU_OF_BARE} times bare httpcore2"
    times = ratio(ours.cpu, bare.cpu)
    if times is None:
        return Target(promise, ours.error or bare.error, None)
    spare = sorted(own - other for own, other in zip(ours.cpu, bare.cpu, strict=False))
    cause = f"our own work takes {spare[len(spare) // 2]:.0f} µs above bare httpcore2"
    return Target(promise, f"{times:.2f} times", times <= CPU_OF_BARE, cause)


def ahead_of_payme_pkg(where: str, raced: dict[Contestant, Series], least: float) -> Target:
    """Judge the calls per second against the client that most merchants have."""
    promise = f"at least {least} times the calls/s of payme-pkg {where}"
    times = more_calls(raced[PAYME], raced[PAYME_PKG])
    if times is None:
        return Target(promise, raced[PAYME].error or raced[PAYME_PKG].error, None)
    cause = yardsticks(PAYME, PAYME_PKG, raced)
    return Target(promise, f"{times:.1f} times", times >= least, cause)


def ahead_of_peers(ours: Contestant, raced: dict[Contestant, Series]) -> Target:
    """Judge one mode against the peer that comes closest, in calls per second and in CPU."""
    promise = f"at least {AHEAD_OF_PEERS} times every peer's calls/s, {ours.mode}"
    rivals = [peer for peer in peers_of(ours) if raced[peer].measured]
    if not rivals or not raced[ours].measured:
        return Target(promise, raced[ours].error or "no peer took part", None)

    def lead(compare: Callable[[Series, Series], float | None]) -> tuple[float, Contestant]:
        leads = ((compare(raced[ours], raced[rival]) or 0.0, rival) for rival in rivals)
        return min(leads, key=lambda pair: pair[0])

    calls, rival = lead(more_calls)
    cpu, frugal = lead(less_cpu)
    measured = f"{calls:.1f} times {rival.title}; CPU {cpu:.1f} times less than {frugal.title}"
    return Target(promise, measured, calls >= AHEAD_OF_PEERS, yardsticks(ours, rival, raced))


def peers_of(ours: Contestant) -> Iterator[Contestant]:
    """Yield the peers that are called in the same mode."""
    for contestant in CONTESTANTS:
        if contestant.is_peer and contestant.in_flight == ours.in_flight:
            yield contestant


def yardsticks(ours: Contestant, rival: Contestant, raced: dict[Contestant, Series]) -> str:
    """Say how far ahead of a rival one could be at all: the cause of a lead that is too small."""
    leads = [
        f"{yardstick.title} makes {times:.1f} times the calls/s of {rival.title}"
        for yardstick in (FLOOR, BARE, *BARE_ASYNCIO)
        if yardstick.in_flight == ours.in_flight
        and (times := more_calls(raced[yardstick], raced[rival]))
    ]
    return "; ".join(leads)


def imports(outcome: Outcome) -> Iterator[Target]:
    """Judge the imports that a user may begin with, each promise by the costliest of them."""
    costs = {
        statement: cost
        for _, statement in PROMISED_IMPORTS
        if (cost := outcome.imports.get((OURS, statement)))
    }
    figures: list[tuple[str, Callable[[ImportCost], Any], float]] = [
        (f"an import takes at most {IMPORT_MS} ms of CPU", lambda cost: cost.cpu_ms, IMPORT_MS),
        (
            f"an import loads fewer than {IMPORT_MODULES} modules",
            lambda cost: cost.modules,
            IMPORT_MODULES - 1,
        ),
    ]
    for promise, figure, most in figures:
        measured = [f"{figure(cost):.0f} for `{statement}`" for statement, cost in costs.items()]
        complete = len(costs) == len(PROMISED_IMPORTS)
        met = all(figure(cost) <= most for cost in costs.values()) if complete else None
        yield Target(promise, "; ".join(measured) or "the import failed", met)


def installed(megabytes: float) -> Target:
    """Judge the size of the core installation."""
    promise = f"core install at most {INSTALLED_MB} MB"
    return Target(promise, f"{megabytes:.1f} MB", megabytes <= INSTALLED_MB)
