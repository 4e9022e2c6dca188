"""What a call costs with a thousand receipts in the file, and with a million."""

from __future__ import annotations

import os
import random
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench.client.rounds import Process
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MEMORY_CALLS = 20


class Operation(NamedTuple):
    """What is measured."""

    name: str
    title: str
    calls: int
    most: float | None
    """How many times as long it may take, if that is promised."""


OPERATIONS = (
    Operation("get", "receipts.get, any receipt", 200, 1.2),
    Operation("page", "receipts.get_all, newest 50", 20, 1.5),
    Operation("stored", "row of a receipt, store alone", 200, None),
    Operation("middle", "receipts.get_all, 50 from the middle", 20, 1.5),
    Operation("deep", "receipts.get_all, oldest 50", 20, 1.5),
)
NOTES = (
    (
        "Calls are made in-process on a file, one process for each size; the sizes take turns in "
        "every round. Times are medians over rounds of the median call of a round, and '×' is "
        "taken round by round against the smallest size."
    ),
    (
        "Memory is the most that Python held during some calls, above what it held before. RSS is "
        "the whole process at the end, after every call above: SQLite's page cache is part of it."
    ),
    (
        "Pages are cut out by number, which takes the same time at any offset. After the clock was "
        "set back, and receipts are no longer numbered in the order of their times, SQLite counts "
        "through what is skipped."
    ),
)


@dataclass
class Measured:
    """One size: the median call of each round by operation, in µs, and memory in bytes."""

    times: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    rss: int | None = None


def measure(files: Mapping[int, Path], rounds: int) -> Report:
    """Measure databases.

    Args:
        files: File by the number of receipts in it, the smallest first.
        rounds: How many.
    """
    measured = {size: Measured() for size in files}
    with ExitStack() as stack:
        workers = {size: started(stack, path, size) for size, path in files.items()}
        shuffled = random.Random(rounds)
        for _ in range(rounds):
            for size in shuffled.sample(list(workers), len(workers)):
                one_round(workers[size], measured[size])
        for size, worker in workers.items():
            measured[size].rss = worker.ask("rss")
            for operation in OPERATIONS:
                held = worker.ask(f"memory {operation.name} {MEMORY_CALLS}")
                measured[size].memory[operation.name] = held
    return Report(
        title=f"Sandbox: the same call with more receipts in the file; {rounds} rounds",
        header=("what", "unit", *(f"{size:,}" for size in files), *(f"×, {n:,}" for n in files)),
        rows=list(rows(measured)),
        targets=list(targets(measured)),
        notes=NOTES,
    )


def started(stack: ExitStack, path: Path, size: int) -> Process:
    """Start the worker of one size."""
    command = (sys.executable, "-m", "bench.sandbox.stores", str(path), str(size))
    worker = Process(command, dict(os.environ))
    stack.callback(worker.close)
    worker.hear()
    return worker


def one_round(worker: Process, measured: Measured) -> None:
    """Make every call a few times."""
    for operation in OPERATIONS:
        times = worker.ask(f"{operation.name} {operation.calls}")
        measured.times.setdefault(operation.name, []).append(median(times) / 1e3)


def rows(measured: Mapping[int, Measured]) -> Iterator[list[str]]:
    """Yield time and memory of each operation, then the processes."""
    for operation in OPERATIONS:
        times = [median(one.times[operation.name]) for one in measured.values()]
        growth = [f"{times_grown(measured, size, operation):.2f}" for size in measured]
        yield [operation.title, "µs", *(f"{value:,.0f}" for value in times), *growth]
    for operation in OPERATIONS:
        held = [one.memory[operation.name] for one in measured.values()]
        kilobytes = [f"{value / 1e3:,.0f}" for value in held]
        yield [operation.title, "kB", *kilobytes, *(f"{value / held[0]:.2f}" for value in held)]
    resident = [one.rss for one in measured.values()]
    if None not in resident:
        megabytes = [f"{value / 1e6:,.0f}" for value in resident]
        growth = [f"{value / resident[0]:.2f}" for value in resident]
        yield ["the whole process", "MB", *megabytes, *growth]


def times_grown(measured: Mapping[int, Measured], size: int, operation: Operation) -> float:
    """Return how many times longer a call takes than with the fewest receipts."""
    smallest = measured[min(measured)].times[operation.name]
    own = measured[size].times[operation.name]
    return median(more / fewer for more, fewer in zip(own, smallest, strict=True))


def targets(measured: Mapping[int, Measured]) -> Iterator[Target]:
    """Yield the promises of flatness."""
    least, most = min(measured), max(measured)
    for operation in OPERATIONS:
        if operation.most is not None:
            worst = max(times_grown(measured, size, operation) for size in measured)
            held = [one.memory[operation.name] for one in measured.values()]
            grown = max(held) / held[0]
            yield Target(
                f"{operation.title}: at most {operation.most} times from {least:,} to {most:,} "
                "receipts",
                f"time {worst:.2f} times, memory {grown:.2f} times",
                max(worst, grown) <= operation.most,
                f"the store alone takes {store_grown(measured):.2f} times as long: its indexes "
                "are deeper, and fewer of their pages stay in SQLite's cache",
            )


def store_grown(measured: Mapping[int, Measured]) -> float:
    """Return how the time of one row grows."""
    stored = next(each for each in OPERATIONS if each.name == "stored")
    return max(times_grown(measured, size, stored) for size in measured)
