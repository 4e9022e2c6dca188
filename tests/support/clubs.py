"""An example club: in this process, or as the processes that `make club` starts."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from examples.club.clock import Clock
from examples.club.club import Club
from examples.club.together import CLUBS, environment
from examples.club_fastapi.members import SqlMembers

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.recurring import Recurring
from payme.sandbox import Sandbox
from payme.sandbox.clock import SandboxClock
from payme.wallet import Wallet
from support.ports import free_port

ROOT = Path(__file__).parents[2]
LEDGER_KEY = "ZGVtbyBrZXkgb2YgdGhlIGV4YW1wbGUgc2hvcHMhISE="
START = "2026-03-05T14:00:00+05:00"
DAY = 86_400
PATIENCE_S = 40
GOOD = "8600069195406311"
HUMO = "9860030100000006"
POOR = "8600318600000007"
CSRF = re.compile('name="csrfmiddlewaretoken" value="([^"]+)"')

__all__ = ["CLUBS", "DAY", "GOOD", "HUMO", "POOR", "HandClock", "RunningClub", "club_at", "running"]


class HandClock(Clock):
    """A clock that stands until it is moved."""

    can_move = True

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move_a_day(self) -> None:
        self.now += DAY


@contextmanager
def club_at(box: Sandbox, folder: Path, now: float) -> Iterator[Club]:
    """Make a club in this process, over a sandbox."""
    database = f"sqlite:///{folder / 'club.db'}"
    payme = Payme(box.merchant_id, box.key, base_url=box.url)
    ledger = SqlLedger(database, keys=[LEDGER_KEY])
    members, clock = SqlMembers(database), HandClock(now)
    charges = Charges(payme, ledger)
    recurring = Recurring(charges, now=clock)
    recurring.create_all()
    yield Club(charges, Wallet(payme, ledger), recurring, members, clock)
    members.close()
    ledger.close()
    payme.close()


def debits(box: Sandbox) -> int:
    """Count how often money was taken, over all receipts."""
    return sum(box.debits(one.id) for one in box.receipts(200))


class RunningClub:
    """A club as processes, on a sandbox of the test's.

    Attributes:
        url: Where it is.
        box: The sandbox.
    """

    def __init__(self, name: str, folder: Path, box: Sandbox, database: str | None = None) -> None:
        self.port = free_port()
        self.name, self.folder, self.box = name, folder, box
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "club.db"
        self.address = database or f"sqlite:///{self.database}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._begin("-m", f"examples.{self.name}", "--port", str(self.port))
        self.wait_for(self._listens)
        if self.name == "club_django":
            self._begin("-m", "examples.club_django.manage", "club_run")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        for process in self.processes:
            process.kill()
            assert process.wait(PATIENCE_S) in (-signal.SIGKILL, 0), self.log()
        self.processes = []

    def stop(self) -> None:
        """End it as a person does, and see that it goes in peace."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            assert process.wait(PATIENCE_S) in (0, -signal.SIGTERM), self.log()
        self.processes = []

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def wait_for(self, condition: Any) -> Any:
        until = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)
        return found

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def lease_runs_out(self) -> None:
        """Let as much time pass as a killed process keeps its charges for."""
        self.execute("UPDATE payme_charge SET leased_until = 0")

    def debits(self) -> int:
        return debits(self.box)

    def _begin(self, *command: str) -> None:
        given = environment(self.box, self.address)
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**os.environ, **given},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)

    def _listens(self) -> bool:
        assert self.processes[0].poll() is None, self.log()
        # A page, since a connection alone may come from whoever else was given the port.
        with suppress(OSError), urlopen(f"{self.url}/club.css", timeout=1) as answer:
            return b"color-scheme" in answer.read()
        return False


@contextmanager
def running(name: str, folder: Path, database: str | None = None) -> Iterator[RunningClub]:
    """Start a sandbox and a club; both are gone at the end."""
    clock = SandboxClock(start=START)
    with Sandbox(account_fields={"member": "Member"}, clock=clock) as box:
        club = RunningClub(name, folder, box, database)
        try:
            club.start()
            yield club
        finally:
            for process in club.processes:
                process.kill()
                process.wait()
