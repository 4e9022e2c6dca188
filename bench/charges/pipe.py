"""Charges per second beside what Payme's latency allows, and what memory they take."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from bench.charges.ledgers import POSTGRESQL, SQLITE
from bench.charges.payme import served
from bench.charges.runners import Case, prove_moved, running
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.charges.payme import Payme

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
    *(
        [Case("Procrastinate, AsyncCharges", "procrastinate", POSTGRESQL)]
        if find_spec("procrastinate")
        else []
    ),
)

HEADER = (
    "runner",
    "ledger",
    "charges/s",
    "of the\npipe",
    "CPU/charge,\nms",
    "sandbox CPU/\ncharge, ms",
    "PostgreSQL CPU/\ncharge, ms",
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
        database: The same of PostgreSQL's processes.
        busy: Cores that were busy meanwhile, everybody's work together.
        kept: A ledger was written.
        small: Most memory of a process after the first charges, in bytes.
        most: The same after all.
    """

    count: int
    rate: float
    cpu: float
    sandbox: float
    database: float
    busy: float
    kept: bool
    small: int
    most: int

    @property
    def cores_left(self) -> float:
        """How many cores other people's work left."""
        own = self.rate * (self.cpu + self.sandbox + self.database)
        return max((os.cpu_count() or 1) - max(self.busy - own, 0.0), 0.1)


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
        title=f"Charges: beside a Payme that answers after {DELAY_MS} ms, {IN_FLIGHT} in flight",
        header=[each.format(small=count // SMALL_SHARE, most=count) for each in HEADER],
        rows=[row(case, outcome) for case, outcome in outcomes.items()],
        targets=[*rate_targets(outcomes), *memory_targets(outcomes)],
        notes=list(notes()),
    )


def outcome(case: Case, count: int) -> Outcome:
    """Measure one case, against a Payme of its own."""
    small = count // SMALL_SHARE
    with served(DELAY_MS) as payme, running(case, payme) as runners:
        busy, parts = Busy(payme, runners.url), []
        for number in (small, count - small):
            runners.submit(number)
            with busy:
                parts.append(runners.drive(number))
        runners.prove()
        prove_moved(payme, count, name=f"{case.name}, {case.ledger}")
    return Outcome(
        count=count,
        rate=count / sum(longest(part) for part in parts),
        cpu=sum(each["cpu_ns"] for part in parts for each in part) / count / 1e9,
        sandbox=busy.sandbox / count,
        database=busy.database / count,
        busy=busy.machine / busy.seconds,
        kept=case.ledger != "-",
        small=max(each["most"] or 0 for each in parts[0]),
        most=max(each["most"] or 0 for each in parts[1]),
    )


def longest(part: list[dict[str, Any]]) -> float:
    """Return how many seconds passed until the last process was done."""
    return max(each["wall_ns"] for each in part) / 1e9


class Busy:
    """CPU time that passed inside of it, in seconds: of the machine, of Payme, of PostgreSQL.

    Linux says; elsewhere it is 0.
    """

    def __init__(self, payme: Payme, url: str) -> None:
        self._payme, self._url = payme, url
        self.seconds = self.machine = self.sandbox = self.database = 0.0

    def __enter__(self) -> None:
        self._before = self._used()

    def __exit__(self, *_: object) -> None:
        passed = [now - was for now, was in zip(self._used(), self._before, strict=True)]
        self.seconds += passed[0]
        self.machine += passed[1]
        self.sandbox += passed[2]
        self.database += passed[3]

    def _used(self) -> tuple[float, float, float, float]:
        machine = machine_seconds()
        return time.perf_counter(), machine, self._payme.cpu() / 1e9, database_seconds(self._url)


def machine_seconds() -> float:
    """Return the CPU time that the machine has spent."""
    if not STAT.exists():
        return 0.0
    spent = STAT.read_text().splitlines()[0].split()
    user, nice, system, _idle, _wait, irq, soft = map(int, spent[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def database_seconds(url: str) -> float:
    """Return the CPU time that a PostgreSQL on this machine has spent, ended backends included."""
    if not url.startswith("postgresql") or not STAT.exists():
        return 0.0
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        backend = ticks(row[0]) if row else None
        if backend is None:  # it runs elsewhere
            return 0.0
        server = backend[0]
        # Before the children, of whom some may end meanwhile: theirs are not counted twice.
        own = ticks(server)
        spent = sum(own[1:]) if own else 0
        for pid in STAT.parent.iterdir():
            child = ticks(int(pid.name)) if pid.name.isdigit() else None
            spent += sum(child[1:3]) if child and child[0] == server else 0
    return spent / os.sysconf("SC_CLK_TCK")


def ticks(pid: int) -> tuple[int, int, int, int, int] | None:
    """Return a process's parent and its user, system and ended children's CPU time, in ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), *map(int, fields[11:15])


def row(case: Case, outcome: Outcome) -> list[str]:
    """Return one line of the table."""
    return [
        case.name,
        case.ledger,
        f"{outcome.rate:,.0f}",
        f"{outcome.rate / pipe():.2f}",
        f"{outcome.cpu * 1e3:.2f}",
        f"{outcome.sandbox * 1e3:.2f}",
        f"{outcome.database * 1e3:.2f}" if case.ledger == POSTGRESQL else "-",
        f"{outcome.busy:.1f}",
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
                f"{each.sandbox * pipe():.2f}, PostgreSQL {each.database * pipe():.2f}, and the "
                f"machine's {os.cpu_count()} were {each.busy:.1f} busy with everybody's work",
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
