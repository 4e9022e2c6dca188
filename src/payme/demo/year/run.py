"""A year from its plan to its proof."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from payme.demo.year import books, plan, proof
from payme.demo.year.hosts import HOSTS
from payme.demo.year.proof import Finding
from payme.demo.year.world import Counted, World

_MEMORY: Final = "/dev/shm"  # noqa: S108 - the folder in it is ours alone
_EVERYTHING: Final = 10**9


class Year(NamedTuple):
    """What came of a year.

    Attributes:
        months: See `books.table`.
        findings: What is wrong: nothing.
        states: How many subscriptions are in which state.
        receipts: How many receipts Payme has.
        returned: Payments that were given back and taken anew, since their answers were lost.
        counted: What befell the processes.
        seconds: How long it took, from the first day to the proof.
        proof_seconds: How much of that was the proof.
        cpu: Processor's seconds of all processes.
    """

    months: list[tuple[str, dict[str, int]]]
    findings: list[Finding]
    states: dict[str, int]
    receipts: int
    returned: int
    counted: Counted
    seconds: float
    proof_seconds: float
    cpu: float


def run(
    subscribers: int,
    months: int,
    seed: int,
    passed: Callable[[date], None] = lambda _: None,
) -> Year:
    """Let a year pass, and prove it.

    Args:
        subscribers: How many members.
        months: How many months; the last one ends before this one began.
        seed: The same seed plans the same year; which answers are lost depends on who comes first.
        passed: Called after each day.
    """
    begun, cpu = time.monotonic(), time.process_time()
    planned = plan.make(_start(months), months, subscribers, seed)
    with TemporaryDirectory(dir=_memory()) as folder:
        world = World(planned, Path(folder), seed)
        try:
            world.pass_year(passed)
            proving = time.monotonic()
            found = prove(world)
            read = world.read()
            now = time.monotonic()
            return Year(
                books.table(read),
                found,
                books.states(read),
                len(world.sandbox.receipts(_EVERYTHING)),
                books.returned(read),
                world.counted,
                now - begun,
                now - proving,
                time.process_time() - cpu + world.counted.cpu,
            )
        finally:
            world.close()


def prove(world: World) -> list[Finding]:
    """Lay all books side by side, and say what is wrong."""
    world.end()
    found = [
        Finding(f"audit: {one.kind}", str(one.charge_id or one.receipt_id), str(one.payme))
        for one in world.audit(cancel=False)
    ]
    return [*found, *_of_the_backup(world), *proof.findings(world.read(), world.plan)]


def _of_the_backup(world: World) -> Iterator[Finding]:
    """See that nobody worked with a restored backup before it knew what Payme had taken."""
    counted, name = world.counted, str(world.plan.disaster)
    if counted.lost and counted.behind < HOSTS:
        text = f"{HOSTS - counted.behind} hosts worked while {counted.lost} payments were missing"
        yield Finding("restored backup", name, text)
    if counted.adopted < counted.lost:
        text = f"{counted.adopted} payments were taken in, and {counted.lost} were missing"
        yield Finding("restored backup", name, text)


def _memory() -> str | None:
    """Return a folder in memory, if there is one.

    Processes are killed here, and no machine: nothing that was written is lost, and nobody waits
    for a disk.
    """
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def _start(months: int) -> date:
    """Return the first of the month from which a year ends before this month."""
    this = datetime.now(UTC).date().replace(day=1)
    year, month = divmod(this.year * 12 + this.month - 1 - months, 12)
    return date(year, month + 1, 1)
