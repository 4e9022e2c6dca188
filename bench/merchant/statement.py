"""GetStatement of a day out of many transactions: which index, how long, and how much memory."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support.postgres import postgres_database

from bench.client.rounds import Process
from bench.merchant.many import days, fill
from bench.report import Report, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.merchant.many import Period

MOST = 1.5
INDEX = "payme_transaction_statement"
SORTS = ("Sort", "TEMP B-TREE")
DAYS = 10
"""Days that the smaller database holds: as many times longer is the longer period."""

STORES = (
    ("SQLite", "blocking", "sqlite"),
    ("PostgreSQL", "blocking", "postgresql"),
    ("PostgreSQL, asyncio", "asyncio", "postgresql"),
)
OPERATIONS = {
    "walked": "rows read, none kept",
    "served": "the answer as it is served",
    "kept": "a list of rows, written at once",
}
TIME_NOTES = (
    (
        "GetStatement is asked of the endpoint itself, without HTTP, for a day in the middle; one "
        "process for each store and size, and they take turns in every round. Figures are medians "
        "over rounds, '×' is taken round by round."
    ),
    (
        "The stores are those on SQLAlchemy, with psycopg and sqlite3. What is sent is the text of "
        "the answer: the protocol has no pages."
    ),
)
MEMORY_NOTES = (
    (
        "Held is the most that Python held above what it held before, the answer included; 'per "
        "row' is what one more row adds. The process is the growth of its largest resident set in "
        "a process that does nothing else, of the longer period: buffers of the drivers are part "
        "of it."
    ),
    "'A list of rows' is what an adapter would hold that makes a list before it writes.",
)


class Place(NamedTuple):
    """One store on one database."""

    store: str
    kind: str
    url: str
    size: int


@dataclass(frozen=True)
class Held:
    """Memory of one operation, in bytes, over a day and over the longer period.

    Attributes:
        day: The most that Python held.
        long: The same over the longer period.
        resident: Growth of the process over the longer period; None where the system does not say.
        gave: What the operation gave over the longer period.
    """

    day: int
    long: int
    resident: int | None
    gave: int


def measure(sizes: tuple[int, int], rounds: int) -> Iterator[Report]:
    """Fill databases, and measure statements of a day.

    Args:
        sizes: Transactions of the smaller and the larger database.
        rounds: How many.
    """
    with filled(sizes) as places:
        yield timed(places, sizes, rounds)
        yield weighed([place for place in places if place.size == max(sizes)], sizes)


@contextmanager
def filled(sizes: tuple[int, int]) -> Iterator[list[Place]]:
    """Make the databases; yield every store on each of them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = []
        for size in sizes:
            postgres = stack.enter_context(postgres_database())
            urls = {
                "sqlite": f"sqlite:///{folder / f'{size}.db'}",
                "postgresql": postgres.replace("postgresql://", "postgresql+psycopg://"),
            }
            for dialect, url in urls.items():
                print(f"filling {dialect} with {size:,} transactions")
                fill(url, size, min(sizes) // DAYS)
            places += [Place(store, kind, urls[one], size) for store, kind, one in STORES]
        yield places


@contextmanager
def working(place: Place) -> Iterator[Process]:
    """Run a worker on a store."""
    command = (sys.executable, "-m", "bench.merchant.statements", place.kind, place.url)
    worker = Process(command, dict(os.environ))
    try:
        yield worker
    finally:
        worker.close()


def middle(place: Place, sizes: tuple[int, int], length: int = 1) -> Period:
    """Return a period in the middle of a database."""
    held = place.size * DAYS // min(sizes)
    return days((held - length) // 2, length)


def asked(operation: str, period: Period) -> str:
    """Return the line that asks a worker."""
    return f"{operation} {period.from_} {period.to}"


def timed(places: list[Place], sizes: tuple[int, int], rounds: int) -> Report:
    """Measure the time of a day in every store."""
    took: dict[Place, list[float]] = {place: [] for place in places}
    plans, lengths = {}, {}
    with ExitStack() as stack:
        workers = {place: stack.enter_context(working(place)) for place in places}
        for place, worker in workers.items():
            worker.hear()
            day = middle(place, sizes)
            plans[place] = worker.ask(asked("plan", day))
            lengths[place] = worker.ask(asked("served", day))["gave"]
        shuffled = random.Random(rounds)
        for _ in range(rounds):
            for place in shuffled.sample(places, len(places)):
                cost = workers[place].ask(asked("served", middle(place, sizes)))
                took[place].append(cost["wall_ns"] / 1e6)
    a_day = min(sizes) // DAYS
    return Report(
        title=f"GetStatement of a day of {a_day:,} transactions; {rounds} rounds",
        header=("store", "answer, MB", *(f"ms, out of\n{size:,}" for size in sizes), "×"),
        rows=list(time_rows(took, lengths, sizes)),
        targets=[*index_targets(plans, sizes), *flat_targets(took, sizes)],
        notes=TIME_NOTES,
    )


def time_rows(
    took: Mapping[Place, list[float]], lengths: Mapping[Place, int], sizes: tuple[int, int]
) -> Iterator[list[str]]:
    """Yield one line for each store."""
    for store, smaller, larger in pairs(took, sizes):
        yield [
            store,
            f"{lengths[larger] / 1e6:.1f}",
            f"{median(took[smaller]):,.0f}",
            f"{median(took[larger]):,.0f}",
            f"{grown(took[smaller], took[larger]):.2f}",
        ]


def pairs(
    places: Mapping[Place, Any], sizes: tuple[int, int]
) -> Iterator[tuple[str, Place, Place]]:
    """Yield each store on the smaller and on the larger database."""
    for store, _, _ in STORES:
        by_size = {place.size: place for place in places if place.store == store}
        yield store, by_size[min(sizes)], by_size[max(sizes)]


def grown(smaller: list[float], larger: list[float]) -> float:
    """Return how many times longer a day takes out of the larger database."""
    return median(more / fewer for more, fewer in zip(larger, smaller, strict=True))


def index_targets(plans: Mapping[Place, str], sizes: tuple[int, int]) -> Iterator[Target]:
    """Yield the promise that the index is read, for each database."""
    for place, plan in plans.items():
        if place.size == max(sizes) and place.kind == "blocking":
            scan = next((line.strip() for line in plan.splitlines() if INDEX in line), "")
            yield Target(
                f"a day out of {place.size:,} is read through the index, unsorted, {place.store}",
                scan.partition("  (cost")[0] or "no index",
                bool(scan) and not any(sort in plan for sort in SORTS),
                plan,
            )


def flat_targets(took: Mapping[Place, list[float]], sizes: tuple[int, int]) -> Iterator[Target]:
    """Yield the promise that a day takes as long out of many."""
    for store, smaller, larger in pairs(took, sizes):
        times = grown(took[smaller], took[larger])
        yield Target(
            f"a day takes at most {MOST} times as long out of {larger.size:,}, {store}",
            f"{times:.2f} times",
            times <= MOST,
        )


def weighed(places: list[Place], sizes: tuple[int, int]) -> Report:
    """Measure what a statement holds, of a day and of a longer period."""
    held = {
        (place, operation): weigh(place, operation, sizes)
        for place in places
        for operation in OPERATIONS
    }
    a_day = min(sizes) // DAYS
    return Report(
        title=f"GetStatement out of {max(sizes):,}: memory",
        header=(
            "store",
            "what",
            f"held, MB,\n{a_day:,} rows",
            f"held, MB,\n{min(sizes):,} rows",
            "held per\nrow, bytes",
            "text per\nrow, bytes",
            "process,\nMB",
        ),
        rows=[memory_row(*key, one, sizes) for key, one in held.items()],
        targets=list(memory_targets(places, held)),
        notes=MEMORY_NOTES,
    )


def weigh(place: Place, operation: str, sizes: tuple[int, int]) -> Held:
    """Measure the memory of one operation, each time in a process that does nothing else."""
    day, long = middle(place, sizes), middle(place, sizes, DAYS)
    with working(place) as worker:
        worker.hear()
        traced = [worker.ask(f"traced {asked(operation, each)}") for each in (day, long)]
    with working(place) as worker:
        worker.hear()
        before = worker.ask(asked(operation, days(0, 0)))["resident"]
        after = worker.ask(asked(operation, long))["resident"]
    resident = None if before is None else after - before
    return Held(traced[0]["held"], traced[1]["held"], resident, traced[1]["gave"])


def memory_row(place: Place, operation: str, held: Held, sizes: tuple[int, int]) -> list[str]:
    """Return one line of the table."""
    more = min(sizes) - min(sizes) // DAYS
    written = operation != "walked"
    return [
        place.store,
        OPERATIONS[operation],
        f"{held.day / 1e6:.1f}",
        f"{held.long / 1e6:.1f}",
        f"{max(0, held.long - held.day) / more:,.0f}",
        f"{held.gave / min(sizes):,.0f}" if written else "-",
        "-" if held.resident is None else f"{held.resident / 1e6:.1f}",
    ]


def memory_targets(places: list[Place], held: Mapping[tuple[Place, str], Held]) -> Iterator[Target]:
    """Yield the promise that rows stream."""
    for place in places:
        walked, served, kept = (held[place, operation] for operation in OPERATIONS)
        times = walked.long / walked.day
        # A driver that buffers everything does so where Python does not count.
        grown = "" if walked.resident is None else f", the process {walked.resident / 1e6:.1f} MB"
        yield Target(
            f"{DAYS} times the rows are read in at most {MOST} times the memory, and the process "
            f"grows by less than their text, {place.store}",
            f"{times:.2f} times{grown}; the answer holds {served.long / 1e6:.0f} MB, of which "
            f"{served.gave / 1e6:.0f} are its text, and a list of rows {kept.long / 1e6:.0f} MB",
            times <= MOST and (walked.resident or 0) < served.gave,
        )
