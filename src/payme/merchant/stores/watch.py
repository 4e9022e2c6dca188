"""Cancels what a database does for a request when the request's time is over.

A thread that waits for a database can't be interrupted in Python; the statement can be cancelled by
another thread. One thread does that for the whole process, and starts with the first request.
"""

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from payme.merchant.limits import Deadline, RequestTimedOutError

_LOG = logging.getLogger("payme.merchant")

_CANCELLING: Final = 2.0
"""Seconds to reach the database in order to cancel."""


def canceller(driver: Any) -> Callable[[], object] | None:
    """Return what cancels the running statement of a driver's connection, from another thread.

    Args:
        driver: A connection of psycopg's, psycopg2's or sqlite3's.

    Returns:
        None for a driver that can't: its statements end by the database's own limits.
    """
    if callable(safe := getattr(driver, "cancel_safe", None)):
        return lambda: safe(timeout=_CANCELLING)
    for name in ("cancel", "interrupt"):
        if callable(found := getattr(driver, name, None)):
            act: Callable[[], object] = found
            return act
    return None


class Watched:
    """One request that is watched.

    Attributes:
        fired: Its statement was cancelled. The message to the database may still be on its way, so
            that nobody else should be given the connection.
    """

    __slots__ = ("_act", "_lock", "fired")

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act
        self._lock = threading.Lock()
        self.fired = False

    def fire(self) -> None:
        """Cancel, unless the request is over."""
        with self._lock:
            if self._act is None:
                return
            self.fired = True
            try:
                self._act()
            except Exception:  # noqa: BLE001 - the watch goes on for the others
                _LOG.warning("the statement of a request that is too long was not cancelled")

    def disarm(self) -> None:
        """End the watch: after this nothing is cancelled any more."""
        with self._lock:
            self._act = None

    @property
    def is_over(self) -> bool:
        """Whether the watch has ended."""
        return self._act is None


class _Watch:
    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            # The thread is not in the child.
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._waiting: list[tuple[float, int, Watched]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def add(self, at: float, watched: Watched) -> None:
        with self._changed:
            heapq.heappush(self._waiting, (at, next(self._numbers), watched))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="payme-merchant-limits", daemon=True
                )
                self._thread.start()
            elif self._waiting[0][2] is watched:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next().fire()

    def _next(self) -> Watched:
        with self._changed:
            while True:
                # Nearly all are over long before their time: to wake for each would take the
                # interpreter from another request each time.
                while self._waiting and self._waiting[0][2].is_over:
                    heapq.heappop(self._waiting)
                left = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left)


_watch: Final = _Watch()


@contextmanager
def cancelling(
    driver: Any, deadline: Deadline, drop: Callable[[], object]
) -> Generator[Watched | None]:
    """Cancel the statements of a connection when time is over.

    Args:
        driver: The driver's connection.
        deadline: When.
        drop: Gives the connection up. Called after a cancellation, which may still be on its way:
            nobody else may get the connection.

    Yields:
        The watch, None for a driver that can't cancel. End it with `disarm` before COMMIT, which
        has to come to an end.

    Raises:
        RequestTimedOutError: Something failed when time was over.
    """
    act = canceller(driver)
    watched = None if act is None else Watched(act)
    if watched is not None:
        _watch.add(deadline.at, watched)
    try:
        yield watched
    except Exception as error:
        if deadline.left() > 0 or isinstance(error, RequestTimedOutError):
            raise
        raise deadline.passed() from error
    finally:
        if watched is not None:
            watched.disarm()
            if watched.fired:
                drop()
