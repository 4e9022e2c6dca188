"""A runner in a process of its own: `python -m bench.charges.worker STYLE IN_FLIGHT LEDGER HELLO`.

STYLE is one of `STYLES`; LEDGER a URL; HELLO what `bench.charges.payme` said, as JSON. A line on
stdin, `run FIRST COUNT`, makes it drive the charges with those numbers, and is answered with what
that cost; `count FIRST COUNT` counts statements too, which costs something itself.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from bench.charges.ledgers import AMOUNT, KEY, opened, order
from bench.charges.memory import Memory
from bench.sandbox.stores import resident
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STATUS = Path("/proc/self/status")
KIB = 1024


class Threads:
    """`Charges.run`: a thread for each charge in flight."""

    def __init__(self, in_flight: int, ledger: str, hello: dict[str, str]) -> None:
        self._in_flight = in_flight
        self._ledger = opened(ledger)
        payme = Payme(hello["merchant"], hello["key"], base_url=hello["url"], proxy="")
        self._charges = Charges(payme, self._ledger)
        self.engine = self._ledger._engine

    def run(self, _first: int, _count: int) -> int:
        """Drive all that is due."""
        return self._charges.run(in_flight=self._in_flight, drain=True)


class Asyncio:
    """`AsyncCharges.run`."""

    def __init__(self, in_flight: int, ledger: str, hello: dict[str, str]) -> None:
        self._in_flight = in_flight
        self._loop = asyncio.Runner()
        self._ledger = AsyncSqlLedger(ledger, keys=[KEY])
        payme = AsyncPayme(hello["merchant"], hello["key"], base_url=hello["url"], proxy="")
        self._charges = AsyncCharges(payme, self._ledger)
        self.engine = self._ledger._engine.sync_engine

    def run(self, _first: int, _count: int) -> int:
        """Drive all that is due."""
        return self._loop.run(self._charges.run(in_flight=self._in_flight, drain=True))


class Procrastinate:
    """A worker of Procrastinate's with `ProcrastinateEngine`; jobs are deferred beforehand."""

    def __init__(self, in_flight: int, ledger: str, hello: dict[str, str]) -> None:
        from procrastinate import App, PsycopgConnector

        from payme.charges.engines.procrastinate import ProcrastinateEngine

        self._in_flight = in_flight
        self._loop = asyncio.Runner()
        self._ledger = AsyncSqlLedger(ledger, keys=[KEY])
        payme = AsyncPayme(hello["merchant"], hello["key"], base_url=hello["url"], proxy="")
        self._app = App(connector=PsycopgConnector(conninfo=ledger, max_size=15))
        self._task = ProcrastinateEngine(
            self._app, lambda: AsyncCharges(payme, self._ledger)
        ).advance
        self.engine = self._ledger._engine.sync_engine
        self._loop.run(self._create_tables())

    async def _create_tables(self) -> None:
        async with self._app.open_async():
            await self._app.schema_manager.apply_schema_async()

    def prepare(self, first: int, count: int) -> None:
        """Defer the jobs, before the time counts."""
        self._loop.run(self._defer(first, count))

    async def _defer(self, first: int, count: int) -> None:
        jobs = [{"charge_id": f"order-{number}"} for number in range(first, first + count)]
        async with self._app.open_async():
            await self._task.batch_defer_async(*jobs)

    def run(self, _first: int, count: int) -> int:
        """Work until there is no job left."""
        self._loop.run(self._work())
        return count

    async def _work(self) -> None:
        async with self._app.open_async():
            await self._app.run_worker_async(
                concurrency=self._in_flight,
                wait=False,
                install_signal_handlers=False,
                fetch_job_polling_interval=0.2,
                delete_jobs="successful",
            )


class Decisions:
    """`AsyncCharges.run` on a ledger that keeps nothing."""

    engine = None

    def __init__(self, in_flight: int, _ledger: str, hello: dict[str, str]) -> None:
        self._in_flight = in_flight
        self._token = hello["token"]
        self._loop = asyncio.Runner()
        self._ledger: Any = Memory()
        payme = AsyncPayme(hello["merchant"], hello["key"], base_url=hello["url"], proxy="")
        self._charges = AsyncCharges(payme, self._ledger)

    def prepare(self, first: int, count: int) -> None:
        """Submit the charges, before the time counts."""
        for number in range(first, first + count):
            self._loop.run(self._ledger.submit(*order(number, self._token).accepted()))

    def run(self, _first: int, count: int) -> int:
        """Drive all."""
        before = self._ledger.paid
        self._loop.run(self._charges.run(in_flight=self._in_flight, drain=True))
        if self._ledger.paid - before != count:
            raise RuntimeError(f"{self._ledger.paid - before} of {count} are paid")
        return count


class Bare:
    """The two calls alone, under asyncio: nothing is stored, nothing survives."""

    engine = None

    def __init__(self, in_flight: int, _ledger: str, hello: dict[str, str]) -> None:
        self._in_flight, self._hello = in_flight, hello

    def run(self, first: int, count: int) -> int:
        """Pay."""
        return asyncio.run(self._run(iter(range(first, first + count))))

    async def _run(self, numbers: Iterator[int]) -> int:
        hello = self._hello
        # A client for each run: a connection that was idle since the last one may be half closed,
        # and nothing here would make good for the answer that is lost then.
        async with AsyncPayme(
            hello["merchant"], hello["key"], base_url=hello["url"], proxy=""
        ) as payme:
            lanes = (self._lane(payme, numbers) for _ in range(self._in_flight))
            return sum(await asyncio.gather(*lanes))

    async def _lane(self, payme: AsyncPayme, numbers: Iterator[int]) -> int:
        paid = 0
        for number in numbers:
            receipt = await payme.receipts.create(AMOUNT, {"order_id": number})
            paid += (await payme.receipts.pay(receipt.id, self._hello["token"])).is_paid
        return paid


class BareThreads:
    """The two calls alone, in threads."""

    engine = None

    def __init__(self, in_flight: int, _ledger: str, hello: dict[str, str]) -> None:
        self._in_flight, self._hello = in_flight, hello

    def run(self, first: int, count: int) -> int:
        """Pay."""
        hello = self._hello
        with (
            Payme(hello["merchant"], hello["key"], base_url=hello["url"], proxy="") as payme,
            ThreadPoolExecutor(self._in_flight) as threads,
        ):
            return sum(threads.map(partial(self._pay, payme), range(first, first + count)))

    def _pay(self, payme: Payme, number: int) -> bool:
        receipt = payme.receipts.create(AMOUNT, {"order_id": number})
        return payme.receipts.pay(receipt.id, self._hello["token"]).is_paid


STYLES: dict[str, Callable[[int, str, dict[str, str]], Any]] = {
    "threads": Threads,
    "asyncio": Asyncio,
    "procrastinate": Procrastinate,
    "decisions": Decisions,
    "bare": Bare,
    "bare threads": BareThreads,
}


@contextmanager
def counted(engine: sa.Engine | None) -> Iterator[Counter[str]]:
    """Count statements and commits."""
    counts: Counter[str] = Counter()

    def statement(connection: sa.Connection, *_: Any) -> None:
        counts["statements"] += 1
        options = connection.get_execution_options()
        counts["commits"] += options.get("isolation_level") == "AUTOCOMMIT"

    def commit(_connection: sa.Connection) -> None:
        counts["commits"] += 1

    if engine is None:
        yield counts
        return
    sa.event.listen(engine, "before_cursor_execute", statement)
    sa.event.listen(engine, "commit", commit)
    yield counts
    sa.event.remove(engine, "before_cursor_execute", statement)
    sa.event.remove(engine, "commit", commit)


def most_resident() -> int | None:
    """Return the most memory that this process ever had, in bytes; None where nobody says."""
    if not STATUS.exists():
        return None
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * KIB


def cost(runner: Any, first: int, count: int) -> dict[str, Any]:
    """Drive charges and say what it cost."""
    if hasattr(runner, "prepare"):
        runner.prepare(first, count)
    gc.collect()
    started, cpu = time.perf_counter_ns(), time.process_time_ns()
    driven = runner.run(first, count)
    wall, cpu = time.perf_counter_ns() - started, time.process_time_ns() - cpu
    gc.collect()
    memory = {"resident": resident(), "most": most_resident()}
    return {"driven": driven, "wall_ns": wall, "cpu_ns": cpu, **memory}


def main(style: str, in_flight: str, ledger: str, hello: str) -> None:
    """Serve until stdin ends."""
    runner = STYLES[style](int(in_flight), ledger, json.loads(hello))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        how, first, count = line.split()
        if how == "count":
            with counted(runner.engine) as counts:
                answer = {**cost(runner, int(first), int(count)), **counts}
        else:
            answer = cost(runner, int(first), int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
