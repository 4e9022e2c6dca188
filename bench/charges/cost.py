"""CPU of a charge beside the two bare calls it makes, and where the rest goes."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median, quantiles

from bench.charges.ledgers import POSTGRESQL, SQLITE
from bench.charges.payme import served
from bench.charges.runners import Case, Runners, running
from bench.report import Report

IN_FLIGHT = 20
CASES = (
    Case("bare calls", "bare", in_flight=IN_FLIGHT),
    Case("charge, nothing stored", "decisions", in_flight=IN_FLIGHT),
    Case("AsyncCharges", "asyncio", SQLITE, in_flight=IN_FLIGHT),
    Case("AsyncCharges", "asyncio", POSTGRESQL, in_flight=IN_FLIGHT),
    Case("bare calls, threads", "bare threads", in_flight=IN_FLIGHT),
    Case("Charges, threads", "threads", SQLITE, in_flight=IN_FLIGHT),
    Case("Charges, threads", "threads", POSTGRESQL, in_flight=IN_FLIGHT),
)
YARDSTICKS = {"threads": "bare threads"}
HEADER = (
    "what",
    "ledger",
    "CPU/charge,\nµs",
    "middle half\nof rounds",
    "× bare\ncalls",
    "statements\na charge",
    "commits\na charge",
)
NOTES = (
    (
        f"CPU is user and system time of the runner's process alone, {IN_FLIGHT} charges in "
        "flight, against a sandbox that answers at once. Figures are medians over rounds; every "
        "round runs all ways in a new order, each on the ledger that it has filled so far. "
        "'× bare' is taken round by round."
    ),
    (
        "'Nothing stored' runs the charge's decisions and the client on a ledger that keeps "
        "nothing: what it takes above the bare calls is deciding, typed results and tasks; what "
        "the others take above it is the ledger: statements, commits, and opening encrypted tokens."
    ),
    (
        "A charge is claimed, stored three times (the receipt, the intent to pay, the proof), each "
        "with its event, and released. On SQLite changes that wait at the same time share a "
        "commit; on PostgreSQL each change is one statement that commits itself, event included."
    ),
)


@dataclass
class Series:
    """One case's rounds: CPU per charge in µs, and what was counted in a round of its own."""

    cpu: list[float] = field(default_factory=list)
    statements: float = 0.0
    commits: float = 0.0


def measure(rounds: int, count: int) -> dict[Case, Series]:
    """Measure all cases in many short rounds.

    Args:
        rounds: How many.
        count: Charges in a round.
    """
    print(f"{rounds} rounds of {count} charges in {len(CASES)} ways")
    series = {case: Series() for case in CASES}
    with ExitStack() as stack:
        payme = stack.enter_context(served(0))
        cases = {case: stack.enter_context(running(case, payme)) for case in CASES}
        for case, runners in cases.items():
            note(series[case], runners, count)
        shuffled = random.Random(rounds)
        for _ in range(rounds):
            for case in shuffled.sample(CASES, len(CASES)):
                cases[case].submit(count)
                (cost,) = cases[case].drive(count)
                series[case].cpu.append(cost["cpu_ns"] / count / 1e3)
        for runners in cases.values():
            runners.prove()
        made = (rounds + 1) * count * len(CASES)
        # Every case pays the same orders.
        moved = payme.moved()
        if moved["receipts"] != made or moved["other"]:
            raise RuntimeError(f"expected {made} receipts debited once, Payme says {moved}")
    return series


def report(series: dict[Case, Series]) -> Report:
    """Say what was measured."""
    rounds = len(next(iter(series.values())).cpu)
    return Report(
        title="Charges: CPU beside the two bare calls",
        header=HEADER,
        rows=[row(case, series) for case in CASES],
        targets=(),
        notes=(f"{rounds} rounds.", *NOTES),
    )


def note(series: Series, runners: Runners, count: int) -> None:
    """Count statements, in a round that warms up."""
    runners.submit(count)
    (cost,) = runners.drive(count, "count")
    series.statements = cost.get("statements", 0) / count
    series.commits = cost.get("commits", 0) / count


def row(case: Case, series: dict[Case, Series]) -> list[str]:
    """Return one line of the table."""
    own = series[case]
    lower, _, upper = quantiles(own.cpu, n=4)
    stored = case.ledger != "-"
    return [
        case.name,
        case.ledger,
        f"{median(own.cpu):,.0f}",
        f"{lower:,.0f} to {upper:,.0f}",
        f"{times(own.cpu, series[yardstick(case)].cpu):.1f}",
        f"{own.statements:.1f}" if stored else "-",
        f"{own.commits:.1f}" if stored else "-",
    ]


def yardstick(case: Case) -> Case:
    """Return the bare calls in the same style."""
    style = "bare threads" if "threads" in case.style else "bare"
    return next(each for each in CASES if each.style == style)


def times(own: list[float], bare: list[float]) -> float:
    """Return the ratio, round by round."""
    return median(a / b for a, b in zip(own, bare, strict=True))
