"""Charges per second beside what Payme's latency allows, and what memory they take."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.charges.ledgers import POSTGRESQL, SQLITE
from bench.charges.payme import served
from bench.charges.runners import Case, prove_moved, running
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

DELAY_MS = 300
CALLS = 2
IN_FLIGHT = 100
PROMISED = 0.8
SMALL_SHARE = 10
"""Which part of the charges comes first, to weigh the process after it."""
FLAT = 1.2
STAT = Path("/proc/stat")

CASES = (
    Case("bare calls, asyncio", "bare"),
    Case("AsyncCharges", "asyncio", SQLITE),
    Case("AsyncCharges", "asyncio", POSTGRESQL),
    Case("Charges, 100 threads", "threads", SQLITE),
    Case("Charges, 100 threads", "threads", POSTGRESQL),
    Case("AsyncCharges, 2 processes", "asyncio", POSTGRESQL, processes=2),
)

HEADER = (
    "runner",
    "ledger",
    "charges/s",
    "of the\npipe",
    "CPU/charge,\nms",
    "sandbox CPU/\ncharge, ms",
    "cores busy,\nwhole machine",
    "memory, MB,\nfirst {small:,}",
    "memory, MB,\nall {most:,}",
)


class Outcome(NamedTuple):
    """What one case did.

    Attributes:
        count: Charges.
        rate: Charges per second.
        cpu: Seconds of CPU per charge, all its processes together.
        sandbox: The same of the sandbox.
        busy: Cores that were busy meanwhile, everybody's work together; None if nobody says.
        small: Most memory of a process after the first charges, in bytes.
        most: The same after all.
    """

    count: int
    rate: float
    cpu: float
    sandbox: float
    busy: float | None
    small: int
    most: int


def pipe(in_flight: int = IN_FLIGHT) -> float:
    """Return how many charges a second the latency allows."""
    return in_flight / (CALLS * DELAY_MS / 1000)


def measure(count: int) -> dict[Case, Outcome]:
    """Drive so many charges in each way, one after the other.

    Args:
        count: How many.
    """
    outcomes = {}
    for case in CASES:
        print(f"driving {count:,} charges: {case.name}, {case.ledger}")
        outcomes[case] = outcome(case, count)
    return outcomes


def report(outcomes: dict[Case, Outcome]) -> Report:
    """Say what was measured."""
    count = next(iter(outcomes.values())).count
    return Report(
        title=(
            f"Charges: {count:,} beside a Payme that answers after {DELAY_MS} ms, "
            f"{IN_FLIGHT} in flight"
        ),
        header=[each.format(small=count // SMALL_SHARE, most=count) for each in HEADER],
        rows=[row(case, outcome) for case, outcome in outcomes.items()],
        targets=[*rate_targets(outcomes), *memory_targets(outcomes)],
        notes=list(notes()),
    )


def outcome(case: Case, count: int) -> Outcome:
    """Measure one case, against a Payme of its own."""
    small = count // SMALL_SHARE
    with served(DELAY_MS) as payme, running(case, payme) as runners:
        before, busy = payme.cpu(), Busy()
        parts = [runners.drive(small), runners.drive(count - small)]
        cores, sandbox = busy.cores(), payme.cpu() - before
        runners.prove()
        prove_moved(payme, count, name=f"{case.name}, {case.ledger}")
    return Outcome(
        count=count,
        rate=count / sum(longest(part) for part in parts),
        cpu=sum(each["cpu_ns"] for part in parts for each in part) / count / 1e9,
        sandbox=sandbox / count / 1e9,
        busy=cores,
        small=max(each["most"] or 0 for each in parts[0]),
        most=max(each["most"] or 0 for each in parts[1]),
    )


def longest(part: list[dict[str, Any]]) -> float:
    """Return how many seconds passed until the last process was done."""
    return max(each["wall_ns"] for each in part) / 1e9


class Busy:
    """The whole machine's CPU time since this was made."""

    def __init__(self) -> None:
        self._before = self._used()
        self._started = time.perf_counter()

    def cores(self) -> float | None:
        """Return how many cores were busy on average."""
        if self._before is None:
            return None
        return (self._used() - self._before) / (time.perf_counter() - self._started)

    def _used(self) -> float | None:
        if not STAT.exists():
            return None
        user, nice, system, _idle, _wait, irq, soft, *_ = map(
            int, STAT.read_text().splitlines()[0].split()[1:]
        )
        return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def row(case: Case, outcome: Outcome) -> list[str]:
    """Return one line of the table."""
    return [
        case.name,
        case.ledger,
        f"{outcome.rate:,.0f}",
        f"{outcome.rate / pipe():.2f}",
        f"{outcome.cpu * 1e3:.2f}",
        f"{outcome.sandbox * 1e3:.2f}",
        "-" if outcome.busy is None else f"{outcome.busy:.1f}",
        f"{outcome.small / 1e6:.0f}",
        f"{outcome.most / 1e6:.0f}",
    ]


def rate_targets(outcomes: dict[Case, Outcome]) -> Iterator[Target]:
    """Yield the promise for each way that has a ledger."""
    bare = next(each for case, each in outcomes.items() if case.ledger == "-")
    for case, each in outcomes.items():
        if case.ledger != "-":
            yield Target(
                f"at least {PROMISED} of the {pipe():.0f} charges/s that the pipe allows, "
                f"{case.name}, {case.ledger}",
                f"{each.rate / pipe():.2f}, {each.rate:.0f}/s",
                each.rate >= PROMISED * pipe(),
                f"the bare calls made {bare.rate / pipe():.2f} of it; at {pipe():.0f}/s the "
                f"runner needs {each.cpu * pipe():.2f} cores and the sandbox "
                f"{each.sandbox * pipe():.2f}, and the machine's {os.cpu_count()} were "
                f"{each.busy or 0:.1f} busy with everybody's work",
            )


def memory_targets(outcomes: dict[Case, Outcome]) -> Iterator[Target]:
    """Yield the promise that memory is flat."""
    for case, each in outcomes.items():
        if case.ledger != "-":
            times = each.most / each.small if each.small else 0.0
            yield Target(
                f"{SMALL_SHARE} times the charges take at most {FLAT} times the memory, "
                f"{case.name}, {case.ledger}",
                f"{times:.2f} times",
                times <= FLAT if each.small else None,
            )


def notes() -> Iterator[str]:
    """Yield what the figures mean."""
    yield (
        f"The pipe: {CALLS} calls a charge at {DELAY_MS} ms each and {IN_FLIGHT} in flight are "
        f"{pipe():.0f} charges/s. Payme is the sandbox in a process of its own, with a delay set "
        "as a fault; 'bare calls' are receipts.create and receipts.pay alone, with no ledger: what "
        "the pipe gives when nothing is kept."
    )
    yield (
        "Each way drives all charges once, one way after the other, to the end: the first and the "
        "last charges, when fewer than 100 are in flight, are in the figure. Every charge ended as "
        "paid in the ledger, and the sandbox's own ledger has one debit for each order and nothing "
        "else; otherwise there would be no table."
    )
    yield (
        "Both databases wait for the disk at each commit (SQLite: WAL with synchronous=FULL; "
        "PostgreSQL: fsync and synchronous_commit on, unless PAYME_TEST_DATABASE_URL names "
        "another). Tokens are encrypted. Runner, sandbox and PostgreSQL share the machine; 'cores "
        "busy' is everything that ran on it, other people's work included."
    )
    yield (
        "Memory is the largest resident set that a runner ever had, after a tenth of the charges "
        "and after all of them; with several processes, that of the largest."
    )
