"""What this package promises of its cost, held against the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.client.contestants import (
    BARE,
    CONTESTANTS,
    OURS,
    PAYME,
    PAYME_ASYNCIO,
    PAYME_PKG,
    Contestant,
)
from bench.client.outcome import IMPORT_PAYME, Outcome, less_cpu, more_calls, ratio
from bench.client.rounds import Series
from bench.report import Target

CPU_OF_BARE = 1.3
NEAR_PAYME_PKG = 20
FAR_PAYME_PKG = 3
AHEAD_OF_PEERS = 2
IMPORT_MS = 40
IMPORT_MODULES = 79
INSTALLED_MB = 20

Comparison = Callable[[Series, Series], float | None]


def judged(outcome: Outcome) -> list[Target]:
    """Return every promise with its figure."""
    near, far = outcome.near, outcome.far
    cost = outcome.imports.get(IMPORT_PAYME)
    return [
        cpu_of_bare(near[PAYME], near[BARE]),
        at_least(
            f"at least {NEAR_PAYME_PKG} times the calls/s of payme-pkg on loopback",
            more_calls(near[PAYME], near[PAYME_PKG]),
            NEAR_PAYME_PKG,
        ),
        at_least(
            f"at least {FAR_PAYME_PKG} times the calls/s of payme-pkg at +20 ms",
            more_calls(far[PAYME], far[PAYME_PKG]),
            FAR_PAYME_PKG,
        ),
        *(ahead_of_peers(ours, near) for ours in (PAYME, *PAYME_ASYNCIO)),
        at_most(f"`import payme` at most {IMPORT_MS} ms of CPU", cost and cost.cpu_ms, IMPORT_MS),
        at_most(
            f"`import payme` at most {IMPORT_MODULES} modules",
            cost and cost.modules,
            IMPORT_MODULES,
        ),
        at_most(f"core install at most {INSTALLED_MB} MB", outcome.sizes[OURS], INSTALLED_MB),
    ]


def cpu_of_bare(ours: Series, bare: Series) -> Target:
    """Judge the CPU of a blocking call."""
    promise = f"CPU per blocking call at most {CPU_OF_BARE} times bare httpcore2"
    times = ratio(ours.cpu, bare.cpu)
    if times is None:
        return Target(promise, ours.error or bare.error, None)
    return Target(promise, f"{times:.2f} times", times <= CPU_OF_BARE)


def at_least(promise: str, times: float | None, least: float) -> Target:
    """Judge a ratio that should be large."""
    if times is None:
        return Target(promise, "a contestant failed", None)
    return Target(promise, f"{times:.1f} times", times >= least)


def at_most(promise: str, figure: float | None, most: float) -> Target:
    """Judge a figure that should be small."""
    if figure is None:
        return Target(promise, "the import failed", None)
    return Target(promise, f"{figure:.3g}", figure <= most)


def ahead_of_peers(ours: Contestant, near: dict[Contestant, Series]) -> Target:
    """Judge one mode against the peer that comes closest, in calls/s and in CPU."""
    promise = f"at least {AHEAD_OF_PEERS} times every peer's calls/s, {ours.mode}"
    rivals = {peer.title: near[peer] for peer in peers_of(ours) if near[peer].measured}
    if not rivals or not near[ours].measured:
        return Target(promise, near[ours].error or "no peer took part", None)
    calls, by_calls = closest(near[ours], rivals, more_calls)
    cpu, by_cpu = closest(near[ours], rivals, less_cpu)
    measured = f"{calls:.1f} times ({by_calls} is closest); CPU {cpu:.1f} times less ({by_cpu})"
    return Target(promise, measured, calls >= AHEAD_OF_PEERS)


def peers_of(ours: Contestant) -> Iterator[Contestant]:
    """Yield the peers that are called in the same mode."""
    for contestant in CONTESTANTS:
        if contestant.is_peer and contestant.in_flight == ours.in_flight:
            yield contestant


def closest(ours: Series, rivals: dict[str, Series], compare: Comparison) -> tuple[float, str]:
    """Return the smallest lead over a rival, and the rival."""
    return min((compare(ours, series) or 0.0, title) for title, series in rivals.items())
