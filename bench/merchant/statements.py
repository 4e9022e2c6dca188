"""One store with many transactions, in a process: `python -m bench.merchant.statements KIND URL`.

KIND is `blocking` or `asyncio`. It answers lines on stdin: `served FROM TO` asks for GetStatement
as Payme does, `walked FROM TO` reads the rows and keeps none, `kept FROM TO` makes a list of them
and writes it at once, as an adapter that does not stream would. Each prints what it cost as JSON;
`traced` before it prints the most that Python held instead of the time, and `plan FROM TO` prints
the database's plan.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench.merchant.apps.shop import KEY, LOGIN
from payme.merchant import core, flows
from payme.merchant.service import AsyncMerchant, Incoming, Merchant
from payme.merchant.stores.sqlalchemy import (
    AsyncOrders,
    AsyncSqlAlchemyStore,
    Orders,
    SqlAlchemyStore,
    schema,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

KIB = 1024
STATUS = Path("/proc/self/status")
AUTHORIZATION = f"Basic {base64.b64encode(f'{LOGIN}:{KEY}'.encode()).decode()}"
EXPLAIN = {
    # A cursor is planned for its first rows, as the store's is.
    "postgresql": "EXPLAIN DECLARE looked CURSOR FOR ",
    "sqlite": "EXPLAIN QUERY PLAN ",
}


class NoOrders(Orders):
    """A statement asks for no order."""

    def find(self, connection: sa.Connection, account: dict[str, Any]) -> None:
        raise NotImplementedError

    def paid(self, connection: sa.Connection, transaction: core.Transaction) -> None:
        raise NotImplementedError

    def cancelled(self, connection: sa.Connection, transaction: core.Transaction) -> None:
        raise NotImplementedError


class NoAsyncOrders(AsyncOrders):
    """The same under asyncio."""

    async def find(self, connection: AsyncConnection, account: dict[str, Any]) -> None:
        raise NotImplementedError

    async def paid(self, connection: AsyncConnection, transaction: core.Transaction) -> None:
        raise NotImplementedError

    async def cancelled(self, connection: AsyncConnection, transaction: core.Transaction) -> None:
        raise NotImplementedError


class Blocking:
    """The blocking store and its endpoint."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url)
        self._store = SqlAlchemyStore(self.engine, NoOrders())
        self._merchant = Merchant(self._store, KEY)

    def run(self, flow: flows.Flow[Any]) -> Any:
        return self._store.run(flow)

    def answer(self, incoming: Incoming) -> bytes:
        return self._merchant.answer(incoming)


class Asyncio:
    """The asyncio store and its endpoint, on a loop of its own."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        engine = create_async_engine(url)
        self.engine = sa.create_engine(url)
        self._store = AsyncSqlAlchemyStore(engine, NoAsyncOrders())
        self._merchant = AsyncMerchant(self._store, KEY)

    def run(self, flow: flows.Flow[Any]) -> Any:
        return self._await(self._store.run(flow))

    def answer(self, incoming: Incoming) -> bytes:
        return self._await(self._merchant.answer(incoming))

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        # Not as the result of the task: asyncio would hold a text of it, as long as an answer.
        came: list[Any] = []

        async def run() -> None:
            came.append(await coroutine)

        self._runner.run(run())
        return came.pop()


class Worker:
    """Makes statements of a store."""

    def __init__(self, store: Blocking | Asyncio) -> None:
        self._store = store
        self.operations: dict[str, Callable[[int, int], int]] = {
            "served": self.served,
            "walked": self.walked,
            "kept": self.kept,
        }

    def served(self, from_: int, to: int) -> int:
        """Answer GetStatement; return the bytes of the answer."""
        call = {"id": 1, "method": "GetStatement", "params": {"from": from_, "to": to}}
        answer = self._store.answer(Incoming("POST", json.dumps(call).encode(), AUTHORIZATION))
        if b'"result":' not in answer:
            raise RuntimeError(answer.decode())
        return len(answer)

    def walked(self, from_: int, to: int) -> int:
        """Read every row and keep none; return how many there are."""
        return self._store.run(read(from_, to, lambda rows: sum(1 for _ in rows)))

    def kept(self, from_: int, to: int) -> int:
        """Make a list of all rows before anything is written; return the bytes of the text."""

        def written(rows: Any) -> int:
            return len(msgspec.json.encode([core.statement_row(row) for row in list(rows)]))

        return self._store.run(read(from_, to, written))

    def plan(self, from_: int, to: int) -> str:
        """Return the database's plan of a statement."""
        engine = self._store.engine
        compiled = schema.CREATED_BETWEEN.compile(engine)
        with engine.connect() as connection:
            values = compiled.construct_params({"box": "", **schema.period(from_, to)})
            if compiled.positional:
                values = tuple(values[name] for name in compiled.positiontup)
            rows = connection.exec_driver_sql(EXPLAIN[engine.dialect.name] + str(compiled), values)
            return "\n".join(row[-1] for row in rows)  # SQLite's has numbers before the text.


def read(from_: int, to: int, look: Callable[[Any], Any]) -> flows.Flow[Any]:
    """Make a flow that looks at the rows of a statement."""

    def steps() -> flows.Steps[Any]:
        return (yield flows.ListTransactions(from_, to, look))

    return (yield flows.Work("cursor", steps()))


def timed(operation: Callable[[int, int], int], from_: int, to: int) -> dict[str, Any]:
    """Carry out, and say how long it took and the most memory that the process ever had."""
    started = time.perf_counter_ns()
    gave = operation(from_, to)
    took = time.perf_counter_ns() - started
    return {"gave": gave, "wall_ns": took, "resident": most_resident()}


def traced(operation: Callable[[int, int], int], from_: int, to: int) -> dict[str, int]:
    """Carry out, and say the most that Python held above what it held before."""
    operation(from_, from_)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    gave = operation(from_, to)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"gave": gave, "held": peak - before}


def most_resident() -> int | None:
    """Return the most memory that this process ever had, in bytes; None where nobody says."""
    if not STATUS.exists():
        return None
    most = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(most.split()[1]) * KIB


def main(kind: str, url: str) -> None:
    """Serve until stdin ends."""
    worker = Worker(Blocking(url) if kind == "blocking" else Asyncio(url))
    print(json.dumps(most_resident()), flush=True)
    for line in sys.stdin:
        *measured_as, name, from_, to = line.split()
        if name == "plan":
            answer: Any = worker.plan(int(from_), int(to))
        else:
            cost = traced if measured_as else timed
            answer = cost(worker.operations[name], int(from_), int(to))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
