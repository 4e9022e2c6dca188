"""Runners on a ledger: their processes, and whether what they did is true."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.charges.ledgers import POSTGRESQL, SQLITE, database, states, submit
from bench.client.rounds import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.charges.payme import Payme

PATIENCE_S = 1800
LEDGERLESS = ("bare", "bare threads", "decisions")


class Case(NamedTuple):
    """One way to drive charges.

    Attributes:
        name: What it is called.
        style: What each process runs.
        ledger: `SQLITE`, `POSTGRESQL`, or nothing.
        processes: How many.
        in_flight: How many charges at once, all processes together.
    """

    name: str
    style: str
    ledger: str = "-"
    processes: int = 1
    in_flight: int = 100


class Runners:
    """The processes of one case, on a ledger of their own."""

    def __init__(self, case: Case, url: str, payme: Payme, stack: ExitStack) -> None:
        self.case = case
        self.url, self._payme = url, payme
        self._first = 0
        each = str(case.in_flight // case.processes)
        command = ("-m", "bench.charges.worker", case.style, each, url, json.dumps(payme.hello))
        self._processes = []
        for _ in range(case.processes):
            process = Process((sys.executable, *command), dict(os.environ))
            stack.callback(process.close)
            self._processes.append(process)
        for process in self._processes:
            process.hear()

    def submit(self, count: int) -> None:
        """Store charges."""
        if self.case.style not in LEDGERLESS:
            submit(self.url, self._payme.token, self._first, count)

    def drive(self, count: int, how: str = "run") -> list[dict[str, Any]]:
        """Drive what was submitted, and return what each process says it cost."""
        line = f"{how} {self._first} {count}"
        self._first += count
        with ThreadPoolExecutor(len(self._processes)) as asking:
            return list(asking.map(lambda each: each.ask(line, PATIENCE_S), self._processes))

    def prove(self) -> None:
        """Check that every charge was driven and is paid: a run that did nothing is no figure.

        Raises:
            RuntimeError: One is not.
        """
        if self.case.style not in LEDGERLESS and states(self.url) != {"paid": self._first}:
            raise RuntimeError(f"{self.case.name}: {states(self.url)}, submitted {self._first}")


@contextmanager
def running(case: Case, payme: Payme) -> Iterator[Runners]:
    """Start the processes of a case."""
    with ExitStack() as stack:
        needs = case.ledger in (SQLITE, POSTGRESQL)
        url = stack.enter_context(database(case.ledger)) if needs else ""
        yield Runners(case, url, payme, stack)


def prove_moved(payme: Payme, count: int, *, name: str) -> None:
    """Check that Payme debited each order once.

    Raises:
        RuntimeError: It did not.
    """
    moved = payme.moved()
    if moved != {"receipts": count, "debited": count, "twice": 0, "other": 0}:
        raise RuntimeError(f"{name}: expected {count} orders debited once, Payme says {moved}")
