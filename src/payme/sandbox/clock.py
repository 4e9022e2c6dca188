"""The sandbox's own clock: real time until you move it, stop it or set it."""

import time
from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

from payme.sandbox.engine.durations import (
    MAX_MOMENT_MS,
    Duration,
    Moment,
    duration_ms,
    iso,
    moment_ms,
)
from payme.sandbox.errors import InvalidSetting

_PATIENCE_S: Final = 45.0
"""How long the clock may stop on its way, in seconds of real time: a merchant that does not answer
would hold it up for hours. After that it goes the rest at once."""

NextDue = Callable[[int, int], int | None]
"""Finds the first moment, after one and up to another in ms, at which something becomes due."""


class _Setting(NamedTuple):
    offset: int
    """How far the clock is ahead of its source, in ms."""
    frozen_at: int | None


class _Follower(NamedTuple):
    moved: Callable[[], None]
    next_due: NextDue


def _never(_after: int, _until: int) -> int | None:
    return None


class SandboxClock:
    """Tells the sandbox what time it is.

    Everything timed in the sandbox asks this clock and no other: how long an SMS code is good for,
    when a receipt expires, how long a cancellation is queued, when a hold is released. Delays of
    answers are real time: the clock can't hold a socket back. Its position lives in memory: a
    sandbox that is started again, with a database or without, starts at real time.

    Args:
        source: Tells the time in ms; by default the system's.
        start: Moment to begin at; by default the source's.
        frozen: Begin with the clock stopped.

    Example:
        >>> sandbox.clock.advance("12h")
    """

    def __init__(
        self,
        source: Callable[[], int] | None = None,
        *,
        start: Moment | None = None,
        frozen: bool = False,
    ) -> None:
        self._source = source or system_ms
        self._lock = Lock()
        self._followers: tuple[_Follower, ...] = ()
        self._first = _Setting(0, None)
        # Read without the lock by every call, and only ever replaced whole.
        self._setting = self._first
        begin = None if start is None else moment_ms(start, "start")
        if begin is not None:
            self._set(begin)
        if frozen:
            self.freeze(begin)
        self._first = self._setting

    def __call__(self) -> int:
        """Tell the time in ms."""
        return self.now()

    def __repr__(self) -> str:
        return f"SandboxClock({iso(self.now())}, frozen={self.frozen})"

    def now(self) -> int:
        """Return the time in ms since 1970."""
        offset, frozen_at = self._setting
        return self._source() + offset if frozen_at is None else frozen_at

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._setting.frozen_at is not None

    def advance(self, by: Duration) -> int:
        """Move the clock forward, whether it runs or stands.

        What becomes due is done in order and at its own time, and before this returns: a payment
        that waited too long is cancelled at the merchant's, say. The clock stops there on its way,
        so that 40 days do what forty times a day would do. Only when the merchant keeps it for
        more than 45 seconds does it go the rest at once; and in an event loop, which it must not
        hold up: there, call it in a thread.

        Args:
            by: Such as `"12h"`, `"1h30m"`, a timedelta, or a number of ms.

        Returns:
            The new time in ms.

        Raises:
            InvalidSetting: If it is no span of time, or leads beyond the year 9999.
        """
        ms = duration_ms(by, "advance")
        self._require_time(ms, by)
        left = ms - self._pass_moments(ms)
        self.shift(left)
        self._tell()
        return self.now()

    def shift(self, by: Duration) -> None:
        """Move the clock forward as `advance` does, and leave what becomes due for later."""
        ms = duration_ms(by, "advance")
        with self._lock:
            self._require_time(ms, by)
            offset, frozen_at = self._setting
            if frozen_at is None:
                self._setting = _Setting(offset + ms, None)
            else:
                self._setting = _Setting(offset, frozen_at + ms)

    def freeze(self, at: Moment | None = None) -> int:
        """Stop the clock.

        Args:
            at: Where to stop it, be it in the past; by default where it is.

        Returns:
            The time in ms at which it stands.

        Raises:
            InvalidSetting: If it is no moment.
        """
        moment = None if at is None else moment_ms(at, "freeze")
        if moment is not None:
            self._pass_moments(moment - self.now())
        with self._lock:
            stands = self.now() if moment is None else moment
            self._setting = _Setting(self._setting.offset, stands)
        self._tell()
        return stands

    def resume(self) -> int:
        """Let the clock run on from where it stands, without a jump.

        Returns:
            The time in ms.
        """
        with self._lock:
            if self._setting.frozen_at is not None:
                self._set(self._setting.frozen_at)
        return self.now()

    def reset(self) -> None:
        """Put the clock back to how it was made."""
        with self._lock:
            self._setting = self._first

    def follow(self, moved: Callable[[], None], next_due: NextDue = _never) -> None:
        """Have a function called after each `advance` and `freeze`, in the thread that made it.

        Args:
            moved: The function.
            next_due: Tells where the clock must stop on its way; `moved` is called there, too.
        """
        with self._lock:
            self._followers = (*self._followers, _Follower(moved, next_due))

    def unfollow(self, moved: Callable[[], None]) -> None:
        """Call a function no more."""
        with self._lock:
            self._followers = tuple(one for one in self._followers if one.moved != moved)

    def _tell(self) -> None:
        for follower in self._followers:
            follower.moved()

    def _require_time(self, ms: int, by: Duration) -> None:
        if self.now() + ms > MAX_MOMENT_MS:
            raise InvalidSetting("advance", by, "a span that ends before the year 10000")

    def _pass_moments(self, ms: int) -> int:
        """Stop at each moment within a span at which something becomes due. Returns how far."""
        if ms <= 0:
            return 0
        self._tell()
        gone, at, ends = 0, self.now(), time.monotonic() + _PATIENCE_S
        while time.monotonic() < ends:
            until = self.now() + ms - gone
            due = (one.next_due(at, until) for one in self._followers)
            moment = min((one for one in due if one is not None), default=None)
            if moment is None:
                break
            step = max(moment - self.now(), 0)
            self.shift(step)
            self._tell()
            gone, at = gone + step, moment
        return gone

    def _set(self, moment: int) -> None:
        self._setting = _Setting(moment - self._source(), None)


def system_ms() -> int:
    """Tell the system's time in ms."""
    return time.time_ns() // 1_000_000
