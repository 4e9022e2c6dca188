"""One contestant in a process of its own: `python -m bench.client.worker CALL IN_FLIGHT URL`.

It reads a number of calls per line from stdin, makes them, and prints what they cost. It runs
under the contestant's interpreter and therefore imports the standard library only.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from bench.client.calls import ASYNCIO, BLOCKING, RECEIPT_ID

BLOCKING_MODE = 0

Burst = Callable[[int], "Tally"]


class Tally:
    """Counts the failed calls of a burst and remembers why the first one failed."""

    def __init__(self) -> None:
        self.failed = 0
        self.error = ""

    def fail(self, error: Exception) -> None:
        """Note a failed call."""
        self.failed += 1
        self.error = self.error or f"{type(error).__name__}: {error}"[:200]


def proven(answer: Any) -> None:
    """Raise unless the answer is the receipt that was asked for."""
    text = answer.decode() if isinstance(answer, bytes) else repr(answer)
    if RECEIPT_ID not in text and getattr(answer, "id", None) != RECEIPT_ID:
        raise RuntimeError(f"this is not receipt {RECEIPT_ID}: {text[:200]}")


def blocking_burst(name: str, url: str) -> Burst:
    """Return a function that makes calls one after another."""
    call = BLOCKING[name](url)
    proven(call())

    def burst(calls: int) -> Tally:
        tally = Tally()
        for _ in range(calls):
            try:
                call()
            except Exception as error:
                tally.fail(error)
        return tally

    return burst


def asyncio_burst(name: str, url: str, in_flight: int) -> Burst:
    """Return a function that keeps `in_flight` calls under way; its event loop stays."""
    runner = asyncio.Runner()

    async def start() -> Any:
        call = ASYNCIO[name](url)
        proven(await call())
        return call

    call = runner.run(start())

    async def lane(numbers: Any, tally: Tally) -> None:
        for _ in numbers:
            try:
                await call()
            except Exception as error:
                tally.fail(error)

    async def race(calls: int) -> Tally:
        tally, numbers = Tally(), iter(range(calls))
        await asyncio.gather(*(lane(numbers, tally) for _ in range(in_flight)))
        return tally

    return lambda calls: runner.run(race(calls))


def measured(burst: Burst, calls: int) -> dict[str, Any]:
    """Make the calls and say what they cost this process."""
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    tally = burst(calls)
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return {
        "calls": calls,
        "cpu_ns": cpu,
        "wall_ns": wall,
        "failed": tally.failed,
        "error": tally.error,
    }


def main(name: str, in_flight: int, url: str) -> None:
    """Serve bursts until stdin ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the pipe

    def reply(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=replies, flush=True)

    try:
        if in_flight == BLOCKING_MODE:
            burst = blocking_burst(name, url)
        else:
            burst = asyncio_burst(name, url, in_flight)
    except Exception as error:
        reply({"error": f"{type(error).__name__}: {error}"[:300]})
        return
    reply({"error": ""})
    for line in sys.stdin:
        reply(measured(burst, int(line)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
