"""Calls per second of `/api`, beside a bare Starlette echo on the same uvicorn settings."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from bench.client.rounds import Process
from bench.report import Report, Target
from bench.sandbox.load import Load, request

if TYPE_CHECKING:
    from collections.abc import Iterator

ECHOES = ("echo", "echo, httptools")
STORES = ("memory", "file")
KINDS = (*ECHOES, *STORES)
METHODS = ("receipts.get", "receipts.create", "receipts.pay")
LANES = (1, 32)
PROMISED = 32
YARDSTICK = ("echo", "echo")
SHARE = 0.7
CALIBRATION = 200
HEADER = (
    "server",
    "call, in flight",
    "calls/s",
    "middle half\nof rounds",
    "calls/s,\n× echo",
    "server CPU/\ncall, µs",
)
NOTES = (
    (
        "Echo is a bare Starlette route that sends the body back; it gets the bytes of a "
        "receipts.get. All servers have the sandbox's uvicorn settings and a process of their own; "
        "echo has uvicorn's h11 as it is, which sends head and body of an answer one by one."
    ),
    (
        "The first echo, which the promise is about, reads every request with h11, in Python. The "
        "sandbox reads a call that comes whole, as all calls do here, without h11, and answers it "
        "with the writer of uvicorn's httptools protocol; all else goes through h11. The second "
        "echo is the same application on uvicorn's httptools, which reads requests in C."
    ),
    (
        "Figures are medians over rounds; every round runs all contestants in a new order. "
        "'× echo' is taken round by round with the same number of calls in flight."
    ),
    (
        "One process makes the calls over keep-alive connections and shares the machine with the "
        "server. With one call in flight the figure is a latency, the caller's own time included; "
        "the promise is about servers that are kept busy."
    ),
    "'file' answers a payment only after the disk has it: its figures are the disk's as well.",
)


@dataclass
class Series:
    """One contestant's rounds."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


class Contestant:
    """One server, one method, so many calls in flight.

    Args:
        kind: Which server.
        method: Which call.
        lanes: How many in flight.
        server: The server's process.
        hello: What it said of itself.
    """

    def __init__(
        self, kind: str, method: str, lanes: int, server: Process, hello: dict[str, Any]
    ) -> None:
        self.kind, self.method, self.lanes = kind, method, lanes
        self.series = Series()
        self._server, self._hello = server, hello
        self._proof = b"receipts.get" if kind in ECHOES else b'"result":'
        self._calls = CALIBRATION

    def calibrate(self, seconds: float) -> None:
        """Find how many calls fill a burst."""
        took, _ = self._measured(CALIBRATION)
        self._calls = max(self.lanes * 2, round(CALIBRATION * seconds * 1e9 / took))

    def burst(self) -> None:
        """Measure one burst."""
        took, cpu = self._measured(self._calls)
        self.series.rate.append(self._calls / took * 1e9)
        self.series.cpu_us.append(cpu / self._calls / 1e3)

    def _measured(self, calls: int) -> tuple[int, int]:
        """Make calls on new connections, each used once before, and return wall and CPU in ns."""
        warming, requests = self._requests(self.lanes), self._requests(calls)
        with Load(self._hello["port"], self.lanes, self._proof) as load:
            load.run(warming)
            before = self._server.ask("cpu")
            took = load.run(requests)
            return took, self._server.ask("cpu") - before

    def _requests(self, count: int) -> list[bytes]:
        auth = self._hello["auth"]
        return [request(auth, body) for body in self._bodies(count)]

    def _bodies(self, count: int) -> Iterator[bytes]:
        if self.method == "receipts.create":
            yield from [call(self.method, amount=50_000, account={"order_id": 1})] * count
        elif self.method == "receipts.pay":
            for receipt in self._server.ask(count):
                yield call(self.method, id=receipt, token=self._hello["token"])
        else:
            yield from [call("receipts.get", id=self._hello["receipt"] or "0" * 24)] * count


def call(method: str, **params: object) -> bytes:
    """Return the body of one call."""
    return json.dumps({"id": 1, "method": method, "params": params}).encode()


def measure(rounds: int, burst_seconds: float) -> Report:
    """Race all contestants."""
    with ExitStack() as stack:
        contestants = list(entered(stack))
        for contestant in contestants:
            contestant.calibrate(burst_seconds)
        shuffled = random.Random(rounds)
        for _ in range(rounds):
            for contestant in shuffled.sample(contestants, len(contestants)):
                contestant.burst()
    return Report(
        title=f"Sandbox: calls over HTTP beside a bare Starlette echo; {rounds} rounds",
        header=HEADER,
        rows=[row(each, contestants) for each in contestants],
        targets=list(targets(contestants)),
        notes=NOTES,
    )


def entered(stack: ExitStack) -> Iterator[Contestant]:
    """Start the servers and yield all contestants."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    for kind in KINDS:
        command = [sys.executable, "-m", "bench.sandbox.server", kind]
        if kind == "file":
            command.append(str(Path(folder) / "bench.db"))
        server = Process(command, dict(os.environ))
        stack.callback(server.close)
        hello = server.hear()
        for method in ("echo",) if kind in ECHOES else METHODS:
            for lanes in LANES:
                yield Contestant(kind, method, lanes, server, hello)


def echo_of(contestant: Contestant, contestants: list[Contestant]) -> Contestant:
    """Return the yardstick with as many calls in flight."""
    return next(
        each
        for each in contestants
        if (each.kind, each.method) == YARDSTICK and each.lanes == contestant.lanes
    )


def ratio(contestant: Contestant, contestants: list[Contestant]) -> float:
    """Return the calls per second as a share of the echo's, round by round."""
    bare = echo_of(contestant, contestants).series.rate
    return median(own / other for own, other in zip(contestant.series.rate, bare, strict=True))


def row(contestant: Contestant, contestants: list[Contestant]) -> list[str]:
    """Return one line of the table."""
    series = contestant.series
    lower, _, upper = quantiles(series.rate, n=4)
    return [
        contestant.kind,
        f"{contestant.method}, {contestant.lanes}",
        f"{median(series.rate):,.0f}",
        f"{lower:,.0f} to {upper:,.0f}",
        f"{ratio(contestant, contestants):.2f}",
        f"{median(series.cpu_us):,.0f}",
    ]


def targets(contestants: list[Contestant]) -> Iterator[Target]:
    """Yield the promise for each kind of storage, judged by its slowest call under load."""
    for kind in STORES:
        own = [each for each in contestants if (each.kind, each.lanes) == (kind, PROMISED)]
        shares = {each.method: ratio(each, contestants) for each in own}
        worst = min(shares, key=lambda name: shares[name])
        yield Target(
            f"at least {SHARE} × a bare Starlette echo's calls/s, {kind}, {PROMISED} in flight",
            f"{shares[worst]:.2f} times ({worst})",
            all(share >= SHARE for share in shares.values()),
            "; ".join(causes(own, contestants)),
        )


def causes(own: list[Contestant], contestants: list[Contestant]) -> Iterator[str]:
    """Say where the time of each call below the promise goes."""
    for each in own:
        if ratio(each, contestants) < SHARE:
            spent, bare = cpu(each), cpu(echo_of(each, contestants))
            wall = 1e6 / median(each.series.rate)
            yield (
                f"{each.method}: the server's CPU is {spent:.0f} µs a call "
                f"against {bare:.0f} of echo, and a call takes {wall:.0f} µs of real time"
            )


def cpu(contestant: Contestant) -> float:
    """Return the server's CPU per call in µs."""
    return median(contestant.series.cpu_us)
