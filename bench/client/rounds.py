"""Many short rounds, every contestant in each of them, against one server.

The machine may be noisy and shared. A round is short, so all contestants of a round meet the same
noise.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trustme

from bench.client.environments import ROOT, Environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from bench.client.contestants import Contestant

ADDED_ROUND_TRIP = 0.02
REPLY_SECONDS = 60
WARM_UP_CALLS = 4
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")


class Process:
    """A child that answers each line on its stdin with a line of JSON."""

    def __init__(self, command: Iterable[str], environment: dict[str, str]) -> None:
        self._child = subprocess.Popen(
            tuple(command),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._readable = selectors.DefaultSelector()
        self._readable.register(self._child.stdout, selectors.EVENT_READ)

    def hear(self, seconds: float = REPLY_SECONDS) -> Any:
        """Return the next line of JSON; a child that says nothing in time is an error."""
        if not self._readable.select(seconds):
            raise TimeoutError(f"no answer within {seconds:.0f} s")
        line = self._child.stdout.readline()
        if not line:
            raise EOFError(f"the process ended with code {self._child.wait()}")
        return json.loads(line)

    def ask(self, line: object, seconds: float = REPLY_SECONDS) -> Any:
        """Send a line and return the answer."""
        self._child.stdin.write(f"{line}\n")
        self._child.stdin.flush()
        return self.hear(seconds)

    def close(self) -> None:
        """End the child."""
        self._readable.close()
        self._child.kill()
        self._child.communicate()


@dataclass(frozen=True)
class Server:
    """The TLS server: its addresses near and far, and the CAs to trust."""

    process: Process
    urls: dict[str, str]
    bundle: Path

    def accepted(self) -> int:
        """Return how many TCP connections it has accepted so far."""
        return self.process.ask("accepted")


@contextmanager
def tls_server(folder: Path, trusted: Path) -> Iterator[Server]:
    """Run the server with a certificate made for this run.

    Args:
        folder: Where the certificate and the bundle of CAs are written.
        trusted: The usual bundle of CAs, to which the new CA is added, so that loading the bundle
            costs each contestant what it costs its users.
    """
    authority = trustme.CA()
    certificate, bundle = folder / "server.pem", folder / "bundle.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    bundle.write_bytes(trusted.read_bytes() + b"\n" + authority.cert_pem.bytes())
    command = ("-m", "bench.client.server", str(certificate), str(ADDED_ROUND_TRIP))
    process = Process((sys.executable, *command), dict(os.environ))
    try:
        urls = {name: f"https://localhost:{port}/api" for name, port in process.hear().items()}
        yield Server(process, urls, bundle)
    finally:
        process.close()


@dataclass
class Series:
    """What one contestant did, round by round.

    Attributes:
        cpu: Microseconds of CPU per call.
        rate: Calls per second.
        connections: TCP connections accepted in the measured bursts.
        calls: Calls in the measured bursts.
        failed: How many of them raised.
        wrong: How many brought another answer than the right one.
        error: Why, or why the contestant could not take part at all.
    """

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    connections: int = 0
    calls: int = 0
    failed: int = 0
    wrong: int = 0
    error: str = ""

    def add(self, burst: dict[str, Any], connections: int) -> None:
        """Note one burst; calls that failed cost time and count for nothing."""
        made = burst["calls"] - burst["failed"]
        self.cpu.append(burst["cpu_ns"] / max(made, 1) / 1e3)
        self.rate.append(made / burst["wall_ns"] * 1e9)
        self.connections += connections
        self.calls += burst["calls"]
        self.failed += burst["failed"]
        self.wrong += burst["wrong"]
        self.error = self.error or burst["error"]

    @property
    def measured(self) -> bool:
        """Return whether there is anything to report: wrong answers are worth no figure."""
        return bool(self.cpu) and not self.wrong

    @property
    def flaw(self) -> str:
        """Say why no promise can rest on this; empty if nothing is wrong."""
        if self.wrong:
            return f"{self.wrong} of {self.calls} answers are wrong; {self.error}"
        if self.failed:
            return f"{self.failed} of {self.calls} calls failed; {self.error}"
        return self.error


@dataclass(frozen=True)
class Plan:
    """How long to measure.

    Attributes:
        rounds: Number of rounds.
        burst_seconds: How long a burst of one contestant in one round should last.
    """

    rounds: int
    burst_seconds: float


class Runner:
    """One contestant's process and what is known of it."""

    def __init__(self, contestant: Contestant, environment: Environment, server: Server, url: str):
        self._server = server
        self._lanes = contestant.in_flight
        self._calls = self._lanes
        self._keeps_connections = True
        self._out = False
        self.series = Series()
        command = (str(environment.python), "-m", "bench.client.worker")
        arguments = (contestant.call, contestant.loop, str(contestant.in_flight), url)
        self.process = Process((*command, *arguments), worker_environment(server.bundle))

    def calibrate(self, seconds: float) -> None:
        """Warm up, and find how many calls fill a burst, or that the contestant can't take part."""
        if error := self._heard(self.process.hear).get("error"):
            self._leave(error)
        self._heard(lambda: self.process.ask(self._lanes))  # opens connections
        self._calls = max(self._lanes, WARM_UP_CALLS)
        for _ in range(2):  # the first calls of a process are slow, and tell little of the rest
            before = self._server.accepted()
            if trial := self._heard(lambda: self.process.ask(self._calls)):
                self._keeps_connections = self._server.accepted() - before < trial["calls"]
                fitting = round(seconds / trial["wall_ns"] * 1e9 * trial["calls"])
                self._calls = max(fitting, self._lanes, WARM_UP_CALLS)
                if trial["wall_ns"] > seconds * 1e9:
                    break

    def burst(self) -> None:
        """Measure one burst; kept connections are warmed before."""
        if self._keeps_connections:
            self._heard(lambda: self.process.ask(self._lanes))
        before = self._server.accepted()
        if burst := self._heard(lambda: self.process.ask(self._calls)):
            self.series.add(burst, self._server.accepted() - before)

    def _heard(self, exchange: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the worker's answer, or nothing once the worker is out."""
        if self._out:
            return {}
        try:
            return exchange()
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self._leave(f"{type(error).__name__}: {error}")
            return {}

    def _leave(self, error: str) -> None:
        """Take the worker out of the race, and say why."""
        self._out = True
        self.series.error = error


def worker_environment(bundle: Path) -> dict[str, str]:
    """Return the variables of a worker: the benchmark's CA is trusted, no proxy is used."""
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in PROXIES}
    return {**inherited, "SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}


def race(
    contestants: Iterable[Contestant],
    environments: dict[str, Environment],
    server: Server,
    url: str,
    plan: Plan,
) -> dict[Contestant, Series]:
    """Measure all contestants against one address, in a new random order each round."""
    shuffled = random.Random(url)
    with ExitStack() as stack:
        runners = {}
        for contestant in contestants:
            runner = Runner(contestant, environments[contestant.environment], server, url)
            stack.callback(runner.process.close)
            runner.calibrate(plan.burst_seconds)
            runners[contestant] = runner
        for _ in range(plan.rounds):
            for runner in shuffled.sample(list(runners.values()), len(runners)):
                runner.burst()
        return {contestant: runner.series for contestant, runner in runners.items()}
