"""Who runs the engine against the store, one call at a time, whatever thread it comes from.

In memory a call runs where it arrives, behind a lock: handing it to another thread costs more than
the call itself. With a file one thread does all the work and commits for everyone who is waiting,
since the disk takes as long for one payment as for fifty.
"""

import asyncio
import sqlite3
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from payme.sandbox.errors import SandboxError, StorageError
from payme.sandbox.store import SqliteState

T = TypeVar("T")
Job = Callable[[SqliteState], T]

_MAX_GROUP: Final = 256

_FAILURES: Final = (sqlite3.Error, msgspec.MsgspecError)
"""The disk, the lock or what is stored: a record that can't be read was damaged."""


class Runner(Protocol):
    """Runs jobs against the store. A job that raises leaves no trace in it."""

    def run(self, job: Job[T]) -> T:
        """Run a job and return what it returns, once that is stored."""
        ...

    async def arun(self, job: Job[T]) -> T:
        """Run a job from an event loop."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


class DirectRunner:
    """Runs a job in the caller's thread, behind a lock.

    Args:
        connection: A connection made by `connect`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._state = SqliteState(connection)
        self._lock = Lock()
        self._open = True
        # A sandbox in memory that nobody stopped has nothing to lose, and no warning to give:
        # Python 3.13 complains about a database that is dropped without a close.
        weakref.finalize(self, connection.close).atexit = False

    def run(self, job: Job[T]) -> T:
        """Run a job and return what it returns, once that is stored."""
        with self._lock:
            if not self._open:
                raise SandboxError("the sandbox is closed")
            try:
                return _isolated(self._state, job)
            except _FAILURES as error:
                raise _named(error) from error

    async def arun(self, job: Job[T]) -> T:
        """Run a job from an event loop."""
        return self.run(job)

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            self._open = False
            self._connection.close()


_Outcome = tuple[Any, Exception | None]


class _Waiting(NamedTuple):
    """A job, and who waits for it: a thread, or a task of the loop."""

    job: Job[Any]
    future: Future[Any] | asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop | None = None


class GroupCommitRunner:
    """Runs jobs in one thread and commits many at once; nobody is answered before the commit.

    Args:
        connection: A connection made by `connect`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._state = SqliteState(connection)
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = Lock()
        self._open = True
        self._thread = Thread(target=self._work, name="payme-sandbox-writer", daemon=True)
        self._thread.start()

    def run(self, job: Job[T]) -> T:
        """Run a job and return what it returns, once that is stored."""
        future: Future[T] = Future()
        self._submit(_Waiting(job, future))
        return future.result()

    async def arun(self, job: Job[T]) -> T:
        """Run a job from an event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Waiting(job, future, loop))
        return await future

    def close(self) -> None:
        """Finish the jobs that were taken, and close the store."""
        with self._lock:
            if self._open:
                self._open = False
                self._queue.put(None)
        self._thread.join()

    def _submit(self, waiting: _Waiting) -> None:
        with self._lock:
            if not self._open:
                raise SandboxError("the sandbox is closed")
            self._queue.put(waiting)

    def _work(self) -> None:
        while group := self._next_group():
            self._commit([waiting for waiting in group if waiting is not None])
            if group[-1] is None:
                break
        self._connection.close()

    def _next_group(self) -> list[_Waiting | None]:
        """Wait for a job, and take all that came with it; None ends the work."""
        group = [self._queue.get()]
        while group[-1] is not None and len(group) < _MAX_GROUP:
            try:
                group.append(self._queue.get_nowait())
            except Empty:
                break
        return group

    def _commit(self, group: list[_Waiting]) -> None:
        taken = [one for one in group if not one.future.cancelled()]
        outcomes: list[_Outcome]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [_outcome(self._state, one.job) for one in taken]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._state.forget()
            outcomes = [(None, _named(error))] * len(taken)
        _tell(taken, outcomes)


def _tell(taken: list[_Waiting], outcomes: list[_Outcome]) -> None:
    """Wake each event loop once for all that it waits for: a wake-up costs more than most jobs."""
    of_loops: dict[asyncio.AbstractEventLoop | None, list[tuple[_Waiting, _Outcome]]] = {}
    for one, outcome in zip(taken, outcomes, strict=True):
        of_loops.setdefault(one.loop, []).append((one, outcome))
    for loop, told in of_loops.items():
        if loop is None:
            _hand_over(told)
        else:
            # A loop that was closed meanwhile refuses: nobody waits there any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_hand_over, told)


def _hand_over(told: list[tuple[_Waiting, _Outcome]]) -> None:
    for one, (value, failure) in told:
        if one.future.done():
            # The task that waited was cancelled after its job had begun.
            continue
        if failure is None:
            one.future.set_result(value)
        else:
            one.future.set_exception(failure)


def _outcome(state: SqliteState, job: Job[Any]) -> _Outcome:
    try:
        return _isolated(state, job), None
    except sqlite3.OperationalError:
        # The disk or the lock failed, and with it the whole group.
        raise
    except Exception as error:  # noqa: BLE001 - one job's failure is handed to whoever waits for it
        return None, _named(error)


def _named(error: Exception) -> Exception:
    if not isinstance(error, _FAILURES):
        return error
    named = StorageError(error)
    named.__cause__ = error
    return named


def _isolated(state: SqliteState, job: Job[T]) -> T:
    """Run a job so that it takes back only its own writes when it fails."""
    try:
        value = job(state)
    except BaseException:
        state.undo()
        raise
    state.keep()
    return value
