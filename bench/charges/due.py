"""Finding what is due among many charges that rest: how long, and by which index."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from bench.charges.ledgers import (
    AMOUNT,
    POSTGRESQL,
    SQLITE,
    analyze,
    database,
    engine,
    opened,
    submit,
)
from bench.report import Report, Target
from payme.charges.ledger.sql import charges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from payme.charges import SqlLedger

DUE = 1000
BATCH = 100
PROMISED_MS = 2.0
INDEX = "payme_charge_due"
NOW = 2_000_000_000.0
"""A moment at which all that was submitted is due."""
LEASE = 180.0
FIRST = 100_000_000

_NUMBERS = {
    SQLITE: (
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n}) "
        "SELECT {columns} FROM numbers"
    ),
    POSTGRESQL: "SELECT {columns} FROM generate_series(1::bigint, {n}) AS numbers(n)",
}
_PAID = {
    # In the order of the indexes, which is the fastest way to fill them.
    "id": "'paid-' || ({first} + n)",
    "amount": str(AMOUNT),
    "account": """'{"order_id":' || n || '}'""",
    "state": "'paid'",
    "hold": "false",
    "receipt_id": "'63119a-' || ({first} + n)",
    "receipts": "1",
    "attempts": "1",
    "cancels": "0",
    "given_up": "false",
    "evidence": "'receipts.pay: PAID'",
    "tries": "0",
    "created": "1700000000.0 + n",
    "changed": "1700000001.0 + n",
    "version": "3",
    "means": "{token}",
    "leased_until": "0",
}
_TOKEN = {SQLITE: "zeroblob(120)", POSTGRESQL: "decode(repeat('00', 120), 'hex')"}
_EXPLAIN = {SQLITE: "EXPLAIN QUERY PLAN ", POSTGRESQL: "EXPLAIN (ANALYZE, COSTS OFF) "}
YARDSTICK = "SELECT 1, for comparison"

HEADER = (
    "what",
    "ledger",
    "ms, among\n{small:,}",
    "ms, among\n{most:,}",
    "middle half\nof rounds",
    "×",
)
NOTES = (
    (
        f"{DUE:,} charges are due and all others rest, paid. 'ids that are due' is the search by "
        f"itself; a claim also leases what it found, commits and opens its encrypted tokens. "
        "Figures are medians over rounds in which sizes and ledgers take turns; '×' is taken round "
        "by round."
    ),
    "Time is that of the call in Python, the way to the database and back included.",
)


class Place(NamedTuple):
    """One ledger."""

    kind: str
    url: str
    size: int


def fill(place: Place) -> None:
    """Store so many charges that rest, in one statement."""
    values = {**_PAID, "means": _TOKEN[place.kind]}
    for name in ("id", "receipt_id"):
        values[name] = values[name].format(first=FIRST)
    source = _NUMBERS[place.kind].format(n=place.size, columns=", ".join(values.values()))
    shop = engine(place.url)
    opened(place.url).close()
    with shop.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if place.kind == SQLITE:
            for pragma in ("synchronous = OFF", "cache_size = -400000"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
        connection.exec_driver_sql(f"INSERT INTO payme_charge ({', '.join(values)}) {source}")
    shop.dispose()


def measure(sizes: tuple[int, int], rounds: int) -> Report:
    """Fill ledgers and search them.

    Args:
        sizes: Resting charges of the smaller and the larger one.
        rounds: How many.
    """
    with ExitStack() as stack:
        ledgers: dict[Place, SqlLedger] = {}
        for size in sizes:
            for kind in (SQLITE, POSTGRESQL):
                place = Place(kind, stack.enter_context(database(kind)), size)
                print(f"filling {kind} with {size:,} charges")
                fill(place)
                submit(place.url, "t" * 90, 0, DUE)
                analyze(place.url)
                ledgers[place] = opened(place.url)
                stack.callback(ledgers[place].close)
        plans = {place: plan(place) for place in ledgers if place.size == max(sizes)}
        took = timed(ledgers, rounds)
    return Report(
        title="Charges: finding what is due",
        header=[each.format(small=min(sizes), most=max(sizes)) for each in HEADER],
        rows=list(rows(took, sizes)),
        targets=[*time_targets(took, sizes), *index_targets(plans)],
        notes=(f"{rounds} rounds.", *NOTES),
    )


def searches() -> dict[str, Callable[[SqlLedger], Any]]:
    """Return what is measured."""
    until = NOW + LEASE
    return {
        YARDSTICK: lambda ledger: ledger._read(nothing),
        f"{BATCH} ids that are due": lambda ledger: ledger._read(found),
        "when the next is due": lambda ledger: ledger.next_due(),
        "claim of 1": lambda ledger: ledger.claim("bench", NOW, until, 1),
        f"claim of {BATCH}": lambda ledger: ledger.claim("bench", NOW, until, BATCH),
    }


def nothing(connection: sa.Connection) -> int:
    """Ask the database for nothing: the way there and back."""
    connection.exec_driver_sql("SELECT 1").all()
    return BATCH


_SEARCH = (
    sa.select(charges.c.id)
    .where(charges.c.due <= NOW, charges.c.leased_until <= NOW)
    .order_by(charges.c.due)
    .limit(BATCH)
)


def found(connection: sa.Connection) -> int:
    """Search as a claim does, and return how many there are."""
    return len(connection.execute(_SEARCH).all())


def timed(ledgers: dict[Place, SqlLedger], rounds: int) -> dict[tuple[Place, str], list[float]]:
    """Time every search on every ledger, in ms."""
    took: dict[tuple[Place, str], list[float]] = {}
    shuffled = random.Random(rounds)
    each = [(place, name) for place in ledgers for name in searches()]
    for _ in range(rounds + 1):
        for place, name in shuffled.sample(each, len(each)):
            ledger = ledgers[place]
            started = time.perf_counter_ns()
            gave = searches()[name](ledger)
            passed = (time.perf_counter_ns() - started) / 1e6
            took.setdefault((place, name), []).append(passed)
            prove(name, gave)
            if name.startswith("claim"):
                free(ledger)
    # The first of each opens connections and makes statements.
    return {key: times[1:] for key, times in took.items()}


def prove(name: str, gave: Any) -> None:
    """Check that something was found.

    Raises:
        RuntimeError: Nothing was, or not as much.
    """
    expected = 1 if name == "claim of 1" else BATCH
    number = gave if isinstance(gave, int) else len(gave) if isinstance(gave, list) else None
    if gave is None or number not in (None, expected):
        raise RuntimeError(f"{name}: found {gave}")


def free(ledger: SqlLedger) -> None:
    """Give all leases back."""
    leased = sa.update(charges).where(charges.c.due.is_not(None), charges.c.leased_until > 0)
    with ledger._engine.begin() as connection:
        connection.execute(leased.values(owner=None, leased_until=0.0))


def plan(place: Place) -> str:
    """Return how the database searches."""
    with engine(place.url).connect() as connection:
        compiled = _SEARCH.compile(connection, compile_kwargs={"literal_binds": True})
        rows = connection.exec_driver_sql(_EXPLAIN[place.kind] + str(compiled))
        return "\n".join(row[-1] for row in rows)


def rows(took: dict[tuple[Place, str], list[float]], sizes: tuple[int, int]) -> Iterator[list[str]]:
    """Yield one line for each search and kind of ledger."""
    for name in searches():
        for kind in (SQLITE, POSTGRESQL):
            small, most = (
                next(
                    times
                    for (place, what), times in took.items()
                    if (place.kind, place.size, what) == (kind, size, name)
                )
                for size in sizes
            )
            lower, _, upper = quantiles(most, n=4)
            yield [
                name,
                kind,
                f"{median(small):.2f}",
                f"{median(most):.2f}",
                f"{lower:.2f} to {upper:.2f}",
                f"{median(b / a for a, b in zip(small, most, strict=True)):.2f}",
            ]


def in_database(plan: str) -> str:
    """Return the time that the database says it took."""
    said = next((line for line in plan.splitlines() if "Execution Time" in line), "")
    return f"; {said.strip()}" if said else ""


def time_targets(
    took: dict[tuple[Place, str], list[float]], sizes: tuple[int, int]
) -> Iterator[Target]:
    """Yield the promise about time, for the searches themselves."""
    searched = list(searches())[1:3]
    for kind in (SQLITE, POSTGRESQL):
        of_kind = {
            name: median(times)
            for (place, name), times in took.items()
            if (place.kind, place.size) == (kind, max(sizes)) and name in searched
        }
        yield Target(
            f"what is due among {max(sizes):,} is found within {PROMISED_MS:.0f} ms, {kind}",
            "; ".join(f"{name}: {ms:.2f} ms" for name, ms in of_kind.items()),
            max(of_kind.values()) < PROMISED_MS,
            f"SELECT 1 took {median(way(took, kind, max(sizes))):.2f} ms meanwhile, so it is the "
            "way to a busy database that takes the time",
        )


def way(took: dict[tuple[Place, str], list[float]], kind: str, size: int) -> list[float]:
    """Return the times of the way to a ledger's database and back."""
    return next(
        times
        for (place, name), times in took.items()
        if (place.kind, place.size, name) == (kind, size, YARDSTICK)
    )


def index_targets(plans: dict[Place, str]) -> Iterator[Target]:
    """Yield the promise that the index is read, in its order."""
    for place, text in plans.items():
        line = next((line.strip() for line in text.splitlines() if INDEX in line), "")
        yield Target(
            f"it is found through the index of what is due, unsorted, {place.kind}",
            line.partition(" (actual")[0].removeprefix("->").strip() + in_database(text)
            if line
            else "no index",
            bool(line) and "Sort" not in text and "TEMP B-TREE" not in text,
            text,
        )
