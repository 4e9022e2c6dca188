"""What this package promises of its cost, held against the measurements."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.client.contestants import (
    AIOHTTP_ASYNCIO,
    AIOHTTP_UVLOOP,
    CONTESTANTS,
    HTTP_CLIENT,
    OURS,
    PAYME,
    PAYME_ASYNCIO,
    PAYME_PKG,
    PAYME_UVLOOP,
    RAW,
    Contestant,
)
from bench.client.outcome import PROMISED_IMPORTS, Outcome, less_cpu, more_calls, ratio
from bench.report import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from bench.client.imports import ImportCost
    from bench.client.rounds import Series

CPU_OF_HTTP_CLIENT = 1.0
CPU_OF_AIOHTTP = 0.8
NEAR_PAYME_PKG = 20
FAR_PAYME_PKG = 3
AHEAD_OF_PEERS = 3
IMPORT_MS = 40
IMPORT_MODULES = 80
INSTALLED_MB = 20

Raced = dict[Contestant, "Series"]


def judged(outcome: Outcome) -> list[Target]:
    """Return every promise with its figure."""
    near = outcome.near
    return [
        cpu_of(HTTP_CLIENT, PAYME, near, CPU_OF_HTTP_CLIENT),
        cpu_of(AIOHTTP_ASYNCIO[1], PAYME_ASYNCIO[1], near, CPU_OF_AIOHTTP),
        cpu_of(AIOHTTP_UVLOOP[1], PAYME_UVLOOP[1], near, CPU_OF_AIOHTTP),
        ahead_of_payme_pkg("on loopback", near, NEAR_PAYME_PKG),
        ahead_of_payme_pkg("at +20 ms", outcome.far, FAR_PAYME_PKG),
        *(ahead_of_peers(ours, near) for ours in (PAYME, *PAYME_ASYNCIO)),
        *imports(outcome),
        installed(outcome.sizes[OURS]),
    ]


def disturbed(promise: str, ours: Series, *others: Series) -> Target | None:
    """Return the verdict if something went wrong: our flaw breaks a promise, others' hides it."""
    if ours.flaw or not ours.measured:
        return Target(promise, ours.flaw or "not a single round", False, "the calls must succeed")
    missing = [other for other in others if not other.measured]
    return Target(promise, missing[0].flaw, None) if missing else None


def cpu_of(yardstick: Contestant, contestant: Contestant, raced: Raced, most: float) -> Target:
    """Judge the CPU of a call, everything included, against bytes and `json.loads` alone."""
    promise = f"CPU per call, {contestant.mode}, at most {most} times {yardstick.title}"
    ours, bare = raced[contestant], raced[yardstick]
    if flaw := disturbed(promise, ours, bare):
        return flaw
    times = ratio(ours.cpu, bare.cpu) or 0.0
    cause = "; ".join(
        f"{each.title} takes {median(raced[each].cpu):,.0f} µs"
        for each in dict.fromkeys((RAW, yardstick, contestant))
        if raced[each].measured
    )
    return Target(promise, f"{times:.2f} times", times <= most, cause)


def ahead_of_payme_pkg(where: str, raced: Raced, least: float) -> Target:
    """Judge the calls per second against the client that most merchants have."""
    promise = f"at least {least} times the calls/s of payme-pkg {where}"
    if flaw := disturbed(promise, raced[PAYME], raced[PAYME_PKG]):
        return flaw
    times = more_calls(raced[PAYME], raced[PAYME_PKG]) or 0.0
    cause = most_possible(PAYME, PAYME_PKG, raced)
    return Target(promise, f"{times:.1f} times", times >= least, cause)


def ahead_of_peers(ours: Contestant, raced: Raced) -> Target:
    """Judge one mode against the peer that comes closest, in calls per second and in CPU."""
    promise = f"at least {AHEAD_OF_PEERS} times every peer's calls/s, {ours.mode}"
    if flaw := disturbed(promise, raced[ours]):
        return flaw
    rivals = [peer for peer in peers_of(ours) if raced[peer].measured]
    if not rivals:
        return Target(promise, "no peer took part", None)

    def lead(compare: Callable[[Series, Series], float | None]) -> tuple[float, Contestant]:
        leads = ((compare(raced[ours], raced[rival]) or 0.0, rival) for rival in rivals)
        return min(leads, key=lambda pair: pair[0])

    calls, rival = lead(more_calls)
    cpu, frugal = lead(less_cpu)
    measured = f"{calls:.1f} times {rival.title}; CPU {cpu:.1f} times less than {frugal.title}"
    return Target(promise, measured, calls >= AHEAD_OF_PEERS, most_possible(ours, rival, raced))


def peers_of(ours: Contestant) -> Iterator[Contestant]:
    """Yield the peers that are called in the same mode."""
    for contestant in CONTESTANTS:
        if contestant.is_peer and contestant.mode == ours.mode:
            yield contestant


def most_possible(ours: Contestant, rival: Contestant, raced: Raced) -> str:
    """Say how far ahead of a rival one could be at all: the cause of a lead that is too small."""
    leads = [
        f"{each.title} makes {times:.1f} times the calls/s of {rival.title}"
        for each in CONTESTANTS
        if each.is_yardstick
        and each.mode == ours.mode
        and raced[each].measured
        and (times := more_calls(raced[each], raced[rival]))
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
        met = complete and all(figure(cost) <= most for cost in costs.values())
        cause = "" if complete else "an import failed"
        yield Target(promise, "; ".join(measured) or "the import failed", met, cause)


def installed(megabytes: float) -> Target:
    """Judge the size of the core installation."""
    promise = f"core install at most {INSTALLED_MB} MB"
    return Target(promise, f"{megabytes:.1f} MB", megabytes <= INSTALLED_MB)
