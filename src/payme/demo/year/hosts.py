"""Two processes that tick subscriptions and drive their charges, and are killed now and then."""

import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

from payme import Payme
from payme.charges import Charges, Policy, SqlLedger
from payme.charges.pace import play_at
from payme.recurring import LedgerBehind, Recurring

HOSTS: Final = 2
_THREADS: Final = 8
# How long a host waits for an end in one go is real time; days are not.
_POLICY: Final = Policy(ask_for=0.1, look_for=0.1)
_LONGEST_DAY: Final = 120.0


class Settings(NamedTuple):
    """What a host is started with."""

    database: str
    ledger_key: bytes
    url: str
    merchant_id: str
    key: str


class Done(NamedTuple):
    """What a host did in one go.

    Attributes:
        ticked: How many subscriptions had something due.
        driven: How many charges were driven.
        cpu: Processor's seconds that it took.
        is_behind: It did nothing, since Payme has taken money that the ledger does not know.
    """

    ticked: int = 0
    driven: int = 0
    cpu: float = 0.0
    is_behind: bool = False


def serve(connection: Connection, settings: Settings) -> None:
    """Do a day's work each time that one is asked for: the process of a host.

    Args:
        connection: Brings the time of each day, in seconds since 1970, and takes what was `Done`.
        settings: Where everything is.
    """
    ledger = SqlLedger(settings.database, keys=[settings.ledger_key])
    payme = Payme(settings.merchant_id, settings.key, base_url=settings.url, timeout=10)
    with payme, ThreadPoolExecutor(_THREADS) as threads:
        charges = Charges(payme, ledger, policy=_POLICY)
        recurring = Recurring(charges)
        while True:
            try:
                play_at(connection.recv())
            except EOFError:
                break
            before = time.process_time()
            try:
                ticked = recurring.tick()
            except LedgerBehind:
                # `recurring.run` ends here, and drives nothing.
                connection.send(Done(is_behind=True))
                continue
            # No more threads than there is work: each of them looks for it once in vain.
            begun = [threads.submit(charges.recover) for _ in charges.due(_THREADS)]
            driven = sum(one.result() for one in begun)
            connection.send(Done(ticked, driven, time.process_time() - before))
    ledger.close()


class Hosts:
    """The two processes, each of which is replaced when it is killed.

    Args:
        settings: What they are started with.
    """

    def __init__(self, settings: Settings) -> None:
        # Where processes can be forked off a server that has imported everything, they are there
        # at once.
        self._context: Any = multiprocessing.get_context(
            "spawn" if sys.platform == "win32" else "forkserver"
        )
        if sys.platform != "win32":
            self._context.set_forkserver_preload([__name__])
        self._settings = settings
        self._running: list[tuple[BaseProcess, Connection]] = []
        self.start()

    def start(self) -> None:
        """Start them."""
        self._running = [self._start() for _ in range(HOSTS)]

    def work(self, now: float, *, kill_after: float | None = None) -> list[Done]:
        """Let all of them do what is due, at once.

        Args:
            now: Seconds since 1970.
            kill_after: Seconds after which the first is killed, in the middle of whatever it does;
                another takes its place.

        Returns:
            What those did that were not killed.
        """
        for _, connection in self._running:
            connection.send(now)
        if kill_after is not None:
            time.sleep(kill_after)
            self._replace(0)
            return [self._answer(connection) for _, connection in self._running[1:]]
        return [self._answer(connection) for _, connection in self._running]

    def stop(self) -> None:
        """Kill all of them."""
        for process, connection in self._running:
            _kill(process, connection)
        self._running.clear()

    def _replace(self, number: int) -> None:
        _kill(*self._running[number])
        self._running[number] = self._start()

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._settings), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _answer(self, connection: Connection) -> Done:
        if not connection.poll(_LONGEST_DAY):
            raise RuntimeError(f"a host did not end its day within {_LONGEST_DAY:.0f} s")
        done: Done = connection.recv()
        return done


def _kill(process: BaseProcess, connection: Connection) -> None:
    process.kill()
    process.join()
    connection.close()
