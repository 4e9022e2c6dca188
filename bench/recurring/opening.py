"""Opening the due periods of a million subscriptions."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.charges.ledgers import POSTGRESQL, SQLITE, database, engine
from bench.recurring import club
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISED_S, PROMISED_MB = 60.0, 150.0
INDEX = "payme_subscription_wakes"
ALL, ORDINARY = "all are due", "1 of 30 is due"
DAYS = {ALL: 1, ORDINARY: 30}
TICKING = (1, 2)
_ROOT = Path(__file__).parents[2]
_HZ = 100

HEADER = (
    "what",
    "ledger",
    "ticking\nprocesses",
    "periods\nopened",
    "s",
    "CPU s, ours",
    "CPU s,\ndatabase",
    "CPU s of\nothers meanwhile",
    "MB, the largest\nof ours",
)
NOTES = (
    (
        "A period that is opened is an update of the subscription, a period, a charge with its "
        "encrypted token, and the charge's first event, in pages of 500, each a transaction that "
        "is on the disk when it ends. Seconds are those from the first word to the last process's "
        "end; starting Python is not among them, and its memory is."
    ),
    (
        "SQLite has one writer at a time, in the process that ticks; PostgreSQL's servers work on "
        "the same cores as the processes that tick. 'Others' is what the rest of the machine did."
    ),
    (
        "MB is the largest resident size that the kernel saw (VmHWM) of one ticking process, "
        "Python and SQLAlchemy included."
    ),
)


class Outcome(NamedTuple):
    """What one round came to."""

    what: str
    kind: str
    processes: int
    opened: int
    seconds: float
    cpu: float
    database: float
    others: float
    peak_mb: float
    plan: str


def measure(size: int) -> Report:
    """Open what is due.

    Args:
        size: How many subscriptions there are.
    """
    outcomes = [
        measured(what, kind, processes, size)
        for what in DAYS
        for kind in (SQLITE, POSTGRESQL)
        for processes in TICKING
    ]
    return Report(
        title=f"Recurring: opening the due periods of {size:,} subscriptions",
        header=HEADER,
        rows=[row(outcome) for outcome in outcomes],
        targets=[*targets(outcomes, size)],
        notes=NOTES,
    )


def measured(what: str, kind: str, processes: int, size: int) -> Outcome:
    """Fill a ledger, and tick until nothing is due.

    Raises:
        RuntimeError: Not as many periods were opened as were due.
    """
    with database(kind) as url:
        print(f"filling {kind} with {size:,} subscriptions, {what}")
        club.fill(kind, url, size, DAYS[what])
        plan = explained(kind, url)
        workers = [started(url) for _ in range(processes)]
        began, ours, machine = time.perf_counter(), servers_cpu(), busy()
        for worker in workers:
            said(worker, "go")
        told = [json.loads(worker.communicate()[0]) for worker in workers]
        seconds = time.perf_counter() - began
        of_database, of_all = servers_cpu() - ours, busy() - machine
        opened = counted(url)
    expected = len(range(0, size, DAYS[what]))
    if opened != (expected, expected, expected, expected):
        raise RuntimeError(f"{what}, {kind}: {expected} were due, {opened} are there")
    cpu = sum(one["cpu"] for one in told)
    of_database = of_database if kind == POSTGRESQL else 0.0
    others = max(of_all - cpu - of_database, 0.0)
    peak = max(one["peak_kib"] for one in told) * 1024 / 1e6
    return Outcome(what, kind, processes, expected, seconds, cpu, of_database, others, peak, plan)


def started(url: str) -> subprocess.Popen[str]:
    """Start a process that ticks, and wait until it is ready."""
    command = [sys.executable, "-m", "bench.recurring.worker", url, repr(club.opening())]
    worker = subprocess.Popen(
        command, cwd=_ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    if worker.stdout.readline() != "ready\n":
        raise RuntimeError("a process that ticks did not start")
    return worker


def said(worker: subprocess.Popen[str], word: str) -> None:
    """Say a word to a process."""
    assert worker.stdin is not None
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


def counted(url: str) -> tuple[int, ...]:
    """Count what was stored: subscriptions that have a debt, periods, charges and events."""
    queries = (
        "payme_subscription WHERE debt = 1 AND next_n = 2",
        "payme_period WHERE n = 1 AND state = 'open'",
        "payme_charge WHERE state = 'new'",
        "payme_charge_event",
    )
    shop = engine(url)
    with shop.connect() as connection:
        found = tuple(
            connection.exec_driver_sql(f"SELECT count(*) FROM {query}").scalar_one()
            for query in queries
        )
    shop.dispose()
    return found


def explained(kind: str, url: str) -> str:
    """Return how the database finds what is due."""
    word = {SQLITE: "EXPLAIN QUERY PLAN", POSTGRESQL: "EXPLAIN (COSTS OFF)"}[kind]
    query = (
        f"{word} SELECT id FROM payme_subscription WHERE wakes <= {club.opening()!r} "
        f"ORDER BY wakes LIMIT 500"
    )
    shop = engine(url)
    with shop.connect() as connection:
        lines = [str(found[-1]) for found in connection.exec_driver_sql(query)]
    shop.dispose()
    return "\n".join(lines)


def servers_cpu() -> float:
    """Return the CPU seconds of PostgreSQL's processes on this machine, also of some that ended."""
    return sum(cpu for name, cpu in processes() if name == "postgres")


def processes() -> Iterator[tuple[str, float]]:
    """Yield the name and CPU seconds of every process, with those of its children that ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has just ended
        name, _, rest = text.partition("(")[2].rpartition(")")
        yield name, sum(map(int, rest.split()[11:15])) / _HZ


def busy() -> float:
    """Return the CPU seconds that this machine has worked."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / _HZ


def row(outcome: Outcome) -> list[str]:
    """Return a line of the table."""
    return [
        outcome.what,
        outcome.kind,
        str(outcome.processes),
        f"{outcome.opened:,}",
        f"{outcome.seconds:.1f}",
        f"{outcome.cpu:.1f}",
        f"{outcome.database:.1f}" if outcome.kind == POSTGRESQL else "-",
        f"{outcome.others:.1f}",
        f"{outcome.peak_mb:.0f}",
    ]


def targets(outcomes: list[Outcome], size: int) -> Iterator[Target]:
    """Yield what was promised."""
    for kind in (SQLITE, POSTGRESQL):
        of_kind = [one for one in outcomes if one.kind == kind]
        best = min((one for one in of_kind if one.what == ALL), key=lambda one: one.seconds)
        yield Target(
            f"{size:,} periods, all due at once, are opened within {PROMISED_S:.0f} s, {kind}",
            f"{best.seconds:.1f} s by {best.processes}, {best.cpu + best.database:.1f} s of CPU",
            best.seconds < PROMISED_S,
            f"the rest of the machine worked {best.others:.0f} s meanwhile, on its 2 cores",
        )
        most = max(one.peak_mb for one in of_kind)
        yield Target(
            f"a process that ticks stays below {PROMISED_MB:.0f} MB, {kind}",
            f"{most:.0f} MB",
            most < PROMISED_MB,
        )
        for one in of_kind[:: len(TICKING)]:
            line = next((line.strip() for line in one.plan.splitlines() if INDEX in line), "")
            yield Target(
                f"what is due is found by the index, unsorted, {one.what}, {kind}",
                line or "no index",
                bool(line) and "Sort" not in one.plan and "TEMP B-TREE" not in one.plan,
                one.plan,
            )
