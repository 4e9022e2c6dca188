"""How long a request of Payme's may take, and how much of the database all of them may take.

A shop's own pages use the same pool of connections. Without limits one slow hook, or one row that
somebody holds, stops them all: every request of Payme's keeps a connection and waits.

What ends a request that is too long:

| what it waits for | what ends it |
|---|---|
| a lock in the database | the database, after `lock_timeout` |
| a statement | the database, after `statement_timeout`; at the request's end it is cancelled |
| the merchant's code under asyncio | `asyncio`, at the request's end |
| the merchant's code, blocking | nothing: no thread can be stopped from outside in Python |

In the last case the answer comes late, when the code returns. It is still -32400 and nothing is
stored, and PostgreSQL has given up the transaction and its locks before. Under asyncio the same is
true of code that does not await.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakKeyDictionary

import msgspec
from msgspec.structs import force_setattr

from payme import exact
from payme.errors import InvalidArgument
from payme.protocol import arguments

TIMEOUTS: Final = ("request_timeout", "lock_timeout", "statement_timeout")

ALONE: Final = 0.03
"""Seconds that a thread stays outside while another one works (our choice).

Threads that all wait for the database at once fight for the interpreter's lock each time that it
answers: of 16, each request cost a third more CPU for changing places alone. Most requests take a
few milliseconds, so they come one after the other; nobody waits longer for one that takes its time.
"""


class RequestTimedOutError(TimeoutError):
    """A request took longer than it may; nothing of it is stored, and Payme gets -32400."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a request may take, and how many at once use the database.

    The defaults are our choice: how long Payme waits for an answer is published nowhere.

    Attributes:
        request_timeout: Seconds for a whole request, the merchant's methods included.
        lock_timeout: Seconds that a statement waits for a lock, such as a row of the shop's that
            somebody changes. Never more than `request_timeout`.
        statement_timeout: Seconds for a statement. Never more than `request_timeout`.
        at_once: How many requests of this process may use the database at a time; the others wait
            for their turn. None: half of the engine's pool, and any number where there is no pool.

    Raises:
        InvalidArgument: A number of seconds is not positive, or `at_once` is no positive number.

    Example:
        >>> limits = Limits(request_timeout=8, lock_timeout=2, at_once=4)
    """

    request_timeout: float = 10.0
    lock_timeout: float = 5.0
    statement_timeout: float = 5.0
    at_once: int | None = None

    def __post_init__(self) -> None:
        """Check each limit."""
        for name in TIMEOUTS:
            force_setattr(self, name, arguments.seconds(f"Limits.{name}", getattr(self, name)))
        for name in TIMEOUTS[1:]:
            force_setattr(self, name, min(getattr(self, name), self.request_timeout))
        if self.at_once is not None:
            number = exact.whole(self.at_once)
            if number is None or number < 1:
                raise InvalidArgument(
                    "Limits.at_once", exact.shown(self.at_once), "a positive whole number, or None"
                )


def checked(given: object) -> Limits:
    """Check the argument `limits` of a store.

    Raises:
        InvalidArgument: It is no `Limits`.
    """
    if given is None:
        return Limits()
    if not isinstance(given, Limits):
        raise InvalidArgument("limits", type(given).__name__, "payme.merchant.Limits")
    return given


def ms(seconds: float) -> int:
    """Return whole milliseconds; at least one, since zero means no limit to databases."""
    return max(1, round(seconds * 1000))


class Deadline:
    """When a request has to be over.

    Args:
        limits: Says how long it may take, from now.
    """

    def __init__(self, limits: Limits) -> None:
        self.seconds = limits.request_timeout
        self.at = time.monotonic() + self.seconds

    def left(self) -> float:
        """Return how many seconds are left; negative when it is over."""
        return self.at - time.monotonic()

    def require(self) -> None:
        """Go on only while there is time.

        Raises:
            RequestTimedOutError: There is none left.
        """
        if self.left() <= 0:
            raise self.passed()

    def passed(self) -> RequestTimedOutError:
        """Make the error to raise."""
        return RequestTimedOutError(
            f"the request took longer than request_timeout, {self.seconds:g} s; nothing is stored"
        )

    @asynccontextmanager
    async def interrupting(self) -> AsyncGenerator[Callable[[], None]]:
        """Interrupt the running task, at an `await`, when time is over.

        Yields:
            What ends that, while there is time: what follows has to come to an end.
        """
        timer = asyncio.timeout(self.left())

        def disarm() -> None:
            self.require()
            timer.reschedule(None)

        try:
            async with timer:
                yield disarm
        except TimeoutError as error:
            if timer.expired():
                raise self.passed() from error
            raise
        if timer.when() is not None:
            self.require()


class Turns:
    """Lets a number of requests work at a time, in the threads of this process.

    Args:
        at_once: How many; None for any number.
    """

    def __init__(self, at_once: int | None) -> None:
        self._free = None if at_once is None else threading.BoundedSemaphore(at_once)
        self._alone = threading.Lock()

    @contextmanager
    def taken(self, deadline: Deadline) -> Generator[None]:
        """Wait for a turn, and have it.

        Raises:
            RequestTimedOutError: None came before the time was over.
        """
        deadline.require()
        with self._place(deadline):
            is_alone = self._alone.acquire(timeout=ALONE)
            try:
                yield
            finally:
                if is_alone:
                    self._alone.release()

    @contextmanager
    def _place(self, deadline: Deadline) -> Generator[None]:
        if self._free is None:
            yield
            return
        if not self._free.acquire(timeout=max(deadline.left(), 0)):
            raise deadline.passed()
        try:
            yield
        finally:
            self._free.release()


class AsyncTurns:
    """Lets a number of requests work at a time, in each event loop; see `Turns`."""

    def __init__(self, at_once: int | None) -> None:
        self._at_once = at_once
        # A semaphore belongs to the loop that first waited for it.
        self._free: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )

    @asynccontextmanager
    async def taken(self, deadline: Deadline) -> AsyncGenerator[None]:
        """Wait for a turn, and have it; see `Turns.taken`."""
        deadline.require()
        if self._at_once is None:
            yield
            return
        loop = asyncio.get_running_loop()
        free = self._free.get(loop)
        if free is None:
            free = self._free[loop] = asyncio.Semaphore(self._at_once)
        if free.locked():
            async with deadline.interrupting():
                await free.acquire()
        else:
            await free.acquire()
        try:
            yield
        finally:
            free.release()
