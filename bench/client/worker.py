"""One contestant in a process: `python -m bench.client.worker CALL LOOP IN_FLIGHT URL`.

LOOP is `none` for a blocking client, else `asyncio` or `uvloop`. The process reads a number of
calls per line from stdin, makes them, and prints what they cost. It runs under the contestant's
interpreter and therefore imports the standard library only.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from typing import Any

from bench.client.calls import ASYNCIO, BLOCKING
from bench.client.truth import LIED_ABOUT, RECEIPT_IDS, RIGHT, Seen

Burst = Callable[[int], "Tally"]
NO_LOOP = "none"


class Tally:
    """Counts failed calls and wrong answers, and remembers the first of them."""

    def __init__(self) -> None:
        self.failed = 0
        self.wrong = 0
        self.error = ""

    def fail(self, error: Exception) -> None:
        """Note a call that raised."""
        self.failed += 1
        self.error = self.error or f"{type(error).__name__}: {error}"[:200]

    def mistrust(self, receipt_id: str, answer: Seen) -> None:
        """Note an answer that is not the right one."""
        self.wrong += 1
        self.error = self.error or mismatch(receipt_id, answer)


def mismatch(receipt_id: str, answer: object) -> str:
    """Say what was expected and what came."""
    return f"wrong answer: expected {RIGHT[receipt_id]}, got {answer!r}"[:200]


def expect_right(receipt_id: str, answer: Seen) -> None:
    """Raise unless the answer is the right one."""
    if answer != RIGHT[receipt_id]:
        raise RuntimeError(mismatch(receipt_id, answer))


@contextmanager
def lie_noticed() -> Iterator[list[Seen]]:
    """Raise if the server's lie, put into the list, passes for the right answer.

    Then nothing was checked. A client that refuses the lie has noticed it itself.
    """
    answers: list[Seen] = []
    with suppress(Exception):
        yield answers
    if RIGHT[LIED_ABOUT] in answers:
        raise RuntimeError("wrong answer: repeats the question, whatever the server says")


def endless_ids() -> Iterator[str]:
    """Yield ids of receipts for ever, so that each call asks for another one than the last."""
    return cycle(RECEIPT_IDS)


def blocking_burst(name: str, url: str) -> Burst:
    """Return a function that makes calls one after another."""
    call = BLOCKING[name](url)
    expect_right(RECEIPT_IDS[1], call(RECEIPT_IDS[1]))
    with lie_noticed() as answers:
        answers.append(call(LIED_ABOUT))
    ids = endless_ids()

    def burst(calls: int) -> Tally:
        tally = Tally()
        for receipt_id in islice(ids, calls):
            try:
                answer = call(receipt_id)
                if answer != RIGHT[receipt_id]:
                    tally.mistrust(receipt_id, answer)
            except Exception as error:
                tally.fail(error)
        return tally

    return burst


def event_loops(kind: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop; `None` for asyncio's own."""
    if kind == "asyncio":
        return None
    import uvloop

    return uvloop.new_event_loop


def asyncio_burst(name: str, url: str, in_flight: int, loop: str) -> Burst:
    """Return a function that keeps `in_flight` calls under way; its event loop stays."""
    runner = asyncio.Runner(loop_factory=event_loops(loop))

    async def start() -> Any:
        call = ASYNCIO[name](url)
        expect_right(RECEIPT_IDS[1], await call(RECEIPT_IDS[1]))
        with lie_noticed() as answers:
            answers.append(await call(LIED_ABOUT))
        return call

    call = runner.run(start())
    ids = endless_ids()

    async def lane(own: Iterator[str], tally: Tally) -> None:
        for receipt_id in own:
            try:
                answer = await call(receipt_id)
                if answer != RIGHT[receipt_id]:
                    tally.mistrust(receipt_id, answer)
            except Exception as error:
                tally.fail(error)

    async def race(calls: int) -> Tally:
        tally, shared = Tally(), islice(ids, calls)
        await asyncio.gather(*(lane(shared, tally) for _ in range(in_flight)))
        return tally

    return lambda calls: runner.run(race(calls))


def measured(burst: Burst, calls: int) -> dict[str, Any]:
    """Make the calls and say what they cost this process."""
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    tally = burst(calls)
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return {"calls": calls, "cpu_ns": cpu, "wall_ns": wall, **vars(tally)}


def main(name: str, loop: str, in_flight: int, url: str) -> None:
    """Serve bursts until stdin ends."""
    replies, sys.stdout = sys.stdout, sys.stderr  # a library that prints must not break the pipe

    def reply(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=replies, flush=True)

    try:
        if loop == NO_LOOP:
            burst = blocking_burst(name, url)
        else:
            burst = asyncio_burst(name, url, in_flight, loop)
    except Exception as error:
        reply({"error": f"{type(error).__name__}: {error}"[:300]})
        return
    reply({"error": ""})
    for line in sys.stdin:
        reply(measured(burst, int(line)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
