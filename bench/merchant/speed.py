"""Requests per second of whole payments, ours beside the peer on the same framework."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.client.contestants import ENVIRONMENTS as CLIENT
from bench.merchant.contestants import CONTESTANTS, counterpart
from bench.merchant.payments import METHODS
from bench.merchant.shops import HISTORY, ORDERS
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.merchant.contestants import Contestant
    from bench.merchant.shops import Shop

IN_FLIGHT = (1, 16)
WARMING = 4
PROMISED = (("Django", 1, 1.2), ("Django", 16, 1.5), ("FastAPI", 16, 3.0))
"""At least so many times the peer's requests/s, by framework and requests in flight."""
HEADER = (
    "server",
    "framework; in flight",
    "requests/s",
    "middle half\nof rounds",
    "requests/s,\n× peer",
    "requests/s,\n× bare",
    "server CPU/\nrequest, µs",
    "CPU,\n× peer",
    "round trips\na payment",
)
NOTES = (
    (
        "A request is one of the four of a whole payment (CheckPerformTransaction, "
        "CreateTransaction, PerformTransaction, CheckTransaction), on an order of its own, over "
        "connections that stay open. Figures are medians over rounds; every round runs all servers "
        "in a new order. '×' is taken round by round; above 1 in requests/s and below 1 in CPU is "
        "in our favour."
    ),
    (
        "Each server is one process: uvicorn with uvloop and httptools for FastAPI, gunicorn with "
        "16 threads and lasting database connections for Django, with CommonMiddleware alone. "
        "Engines of SQLAlchemy keep 16 connections. Every shop has a PostgreSQL database of its "
        f"own with {ORDERS:,} orders, on a server that waits for no disk unless "
        "PAYME_TEST_DATABASE_URL names another. The caller and PostgreSQL share the "
        "machine with the server, whose CPU alone is counted."
    ),
    "Bare is a view of the framework that sends the body back: no package and no database.",
    (
        "The work is not the same. Ours locks the order, reads it again under the lock, and stores "
        "the payment and marks the order in one database transaction. The peers take no lock and "
        "commit the payment before the shop's hook runs. Round trips to PostgreSQL are what that "
        "costs; the next table has them by method, and what they buy."
    ),
    (
        "paytechuz's README calls a blocking session from an `async def` route: its requests wait "
        "for each other in one process, however many are in flight. Its hook compares a number "
        "with text, which PostgreSQL refuses; here it converts first."
    ),
    (
        f"'+ history': {HISTORY:,} ended payments were stored before. payme-pkg has no index on "
        "the columns that it looks transactions up by."
    ),
)


@dataclass
class Series:
    """One contestant's rounds: answered requests per second, and CPU per request in µs."""

    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Setting:
    """How many payments are under way, and whether former ones are stored."""

    in_flight: int
    history: bool = False

    @property
    def title(self) -> str:
        """Say it."""
        return f"{self.in_flight}{' + history' if self.history else ''}"


@dataclass
class Racer:
    """A shop under one setting."""

    shop: Shop
    setting: Setting
    series: Series = field(default_factory=Series)
    count: int = 0

    def calibrate(self, seconds: float) -> None:
        """Find how many payments fill a burst."""
        lanes = self.setting.in_flight
        self.shop.drive(lanes, lanes * WARMING)
        trial = max(lanes * 2, WARMING)
        took = self.shop.drive(lanes, trial)
        self.count = max(lanes * 2, round(trial * seconds * 1e9 / took))

    def burst(self) -> None:
        """Measure one burst."""
        answered, cpu = self.shop.tally.answered, self.shop.server.cpu_ns()
        took = self.shop.drive(self.setting.in_flight, self.count)
        cpu = self.shop.server.cpu_ns() - cpu
        answered = self.shop.tally.answered - answered
        self.series.rate.append(answered / took * 1e9)
        self.series.cpu.append(cpu / (self.count * len(METHODS)) / 1e3)


Measured = dict[tuple["Contestant", Setting], Series]
Trips = Mapping["Contestant", Mapping[str, float]]


def raced(
    shops: Sequence[Shop], settings: Sequence[Setting], rounds: int, burst: float
) -> Measured:
    """Measure shops under settings, in a new order each round.

    Args:
        shops: Who takes part.
        settings: Each shop is measured under all of them.
        rounds: How many.
        burst: How long one burst should last, in s.
    """
    racers = [Racer(shop, setting) for shop in shops for setting in settings]
    for racer in racers:
        racer.calibrate(burst)
    shuffled = random.Random(rounds)
    for _ in range(rounds):
        for racer in shuffled.sample(racers, len(racers)):
            racer.burst()
    return {(racer.shop.contestant, racer.setting): racer.series for racer in racers}


def measure(shops: Sequence[Shop], counted: Trips, rounds: int, burst: float) -> Report:
    """Race all shops, then those with a database again with a history.

    Args:
        shops: All of them, running.
        counted: Round trips by contestant and method.
        rounds: How many.
        burst: How long one burst should last, in s.
    """
    measured = raced(shops, [Setting(lanes) for lanes in IN_FLIGHT], rounds, burst)
    keeping = [shop for shop in shops if shop.contestant.has_shop]
    for shop in keeping:
        shop.remember()
    measured |= raced(keeping, [Setting(max(IN_FLIGHT), history=True)], rounds, burst)
    return Report(
        title=f"Merchant adapters on PostgreSQL beside {peers()}; {rounds} rounds",
        header=HEADER,
        rows=[row(*key, measured, counted) for key in measured],
        targets=[*targets(keeping), *shares(measured)],
        notes=[*NOTES, versions(shops), *slower(measured, counted), *complaints(shops)],
    )


def peers() -> str:
    """Name the peers with their versions."""
    return " and ".join(CLIENT[each.title] for each in CONTESTANTS if each.role == "peer")


def row(contestant: Contestant, setting: Setting, measured: Measured, counted: Trips) -> list[str]:
    """Return one line of the table."""
    series = measured[contestant, setting]
    lower, _, upper = quantiles(series.rate, n=4)
    peer = measured.get((counterpart(contestant, "peer"), setting))
    bare = measured.get((counterpart(contestant, "bare"), setting))
    ours = contestant.role == "ours"
    return [
        contestant.title,
        f"{contestant.framework}; {setting.title}",
        f"{median(series.rate):,.0f}",
        f"{lower:,.0f} to {upper:,.0f}",
        times(series.rate, peer.rate) if peer and ours else "-",
        times(series.rate, bare.rate) if bare and contestant.has_shop else "-",
        f"{median(series.cpu):,.0f}",
        times(series.cpu, peer.cpu) if peer and ours else "-",
        f"{a_payment(counted, contestant):.0f}" if contestant.has_shop else "-",
    ]


def a_payment(counted: Trips, contestant: Contestant) -> float:
    """Return the round trips of a whole payment."""
    return sum(counted[contestant].values())


def times(own: list[float], others: list[float]) -> str:
    """Return the median over rounds of one figure as a multiple of the other."""
    return f"{median(mine / its for mine, its in zip(own, others, strict=True)):.2f}"


def slower(measured: Measured, counted: Trips) -> Iterator[str]:
    """Yield where ours is the slower one, and why."""
    for (ours, setting), series in measured.items():
        if ours.role != "ours":
            continue
        peer = counterpart(ours, "peer")
        its = measured[peer, setting]
        if float(ratio := times(series.rate, its.rate)) < 1:
            yield (
                f"{ours.framework}; {setting.title}: ours makes {ratio} times the requests/s of "
                f"{peer.title}, because it waits for PostgreSQL "
                f"{a_payment(counted, ours):.0f} times a payment, {peer.title} "
                f"{a_payment(counted, peer):.0f} times. All CPU per round trip is "
                f"{a_trip(series, counted, ours):.0f} µs against "
                f"{a_trip(its, counted, peer):.0f}."
            )


def a_trip(series: Series, counted: Trips, contestant: Contestant) -> float:
    """Return the server's CPU per round trip in µs."""
    return median(series.cpu) * len(METHODS) / a_payment(counted, contestant)


def targets(shops: Sequence[Shop]) -> Iterator[Target]:
    """Yield the promise that speed is worth nothing without."""
    for shop in shops:
        if shop.contestant.role == "ours":
            tally, marked = shop.tally, shop.paid_orders()
            begun = tally.paid + sum(tally.failed.values())
            yield Target(
                f"every answer is right and every payment marks its order, "
                f"{shop.contestant.framework}",
                f"{tally.paid:,} of {begun:,} payments, {marked:,} orders marked, "
                f"{sum(tally.flaws.values())} flaws",
                begun == tally.paid == marked and not tally.flaws,
                "; ".join((*tally.failed, *tally.flaws)),
            )


def shares(measured: Measured) -> Iterator[Target]:
    """Yield the promises about speed."""
    for framework, lanes, least in PROMISED:
        setting = Setting(lanes)
        ours = next(one for one, at in measured if (one.role, one.framework) == ("ours", framework))
        peer = counterpart(ours, "peer")
        own, its = measured[ours, setting], measured[peer, setting]
        share = times(own.rate, its.rate)
        yield Target(
            f"at least {least:g} × the requests/s of {peer.title}, {framework}, {lanes} in flight",
            f"{share} times",
            float(share) >= least,
            f"the server's CPU is {median(own.cpu):,.0f} µs a request against "
            f"{median(its.cpu):,.0f}, most of it the framework's, the driver's and, under Django, "
            "the change from thread to thread at each round trip",
        )


def versions(shops: Sequence[Shop]) -> str:
    """Say what the servers run on, each version once."""
    found: dict[str, set[str]] = {}
    for shop in shops:
        for name, version in shop.server.used()["versions"].items():
            found.setdefault(name, set()).add(version)
    told = [f"{name} {' and '.join(sorted(each))}" for name, each in sorted(found.items())]
    return f"Versions, the same for ours and the peer unless two are named: {', '.join(told)}."


def complaints(shops: Sequence[Shop]) -> Iterator[str]:
    """Yield what was wrong with answers; such answers are counted as answered all the same."""
    for shop in shops:
        who, tally = f"{shop.contestant.title} ({shop.contestant.framework})", shop.tally
        for flaw, count in flawed(tally.flaws):
            yield f"{who}: {flaw}, in {count:,} of {tally.answered:,} answers."
        for error, count in tally.failed.items():
            yield f"{who}: {count:,} payments were given up at {error}"
        if shop.contestant.has_shop and (marked := shop.paid_orders()) != tally.paid:
            yield f"{who}: {tally.paid:,} payments, {marked:,} orders marked as paid."


def flawed(flaws: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return flaws by how often they were seen."""
    return sorted(flaws.items(), key=lambda pair: -pair[1])
