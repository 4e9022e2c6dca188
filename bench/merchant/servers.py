"""Servers of contestants, started as a merchant starts them, each in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.ports import free_port

from bench.client.environments import ROOT
from bench.merchant.apps.shop import CPU_PATH, DATABASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client.environments import Environment
    from bench.merchant.contestants import Contestant

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10
# Where merchants are. Written so that it needs no database of time zones.
TIME_ZONE = "<+05>-5"


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        port: Its port on loopback.
    """

    port: int

    def used(self) -> dict[str, Any]:
        """Ask for the CPU time so far, in ns, and for the versions."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=START_SECONDS)
        try:
            connection.request("GET", CPU_PATH)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def cpu_ns(self) -> int:
        """Return the CPU time so far."""
        return self.used()["cpu_ns"]


@contextmanager
def served(contestant: Contestant, environment: Environment, database: str) -> Iterator[Server]:
    """Run a contestant's server.

    Args:
        contestant: Who.
        environment: Its interpreter.
        database: libpq URL of its database.
    """
    port = free_port()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            (str(environment.python), *contestant.command(port)),
            cwd=ROOT,
            env={**os.environ, **variables(contestant, database)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            server = Server(port)
            wait_until_ready(server, process)
            yield server
        except (OSError, http.client.HTTPException) as error:
            log.seek(0)
            raise RuntimeError(f"{contestant.title}: {error!r}\n{log.read()[-2000:]}") from error
        finally:
            stop(process)


def variables(contestant: Contestant, database: str) -> dict[str, str]:
    """Return what a server learns from its environment."""
    return {
        DATABASE: f"{database}?sslmode=disable&gssencmode=disable",
        "BENCH_VIEW": contestant.target,
        "DJANGO_SETTINGS_MODULE": "bench.merchant.apps.django_shop.settings",
        "TZ": TIME_ZONE,
        "PYTHONPATH": str(ROOT),
    }


def wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    """Return once the server answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.used()
        except (OSError, ValueError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server, with the processes that it started."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
