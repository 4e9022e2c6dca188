"""How many charges are driven at once, so that a struggling Payme is not hammered."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from payme import exact
from payme.charges.core import Charge
from payme.errors import InvalidArgument
from payme.transport.base import Reply

LOOK_AGAIN: Final = 1.0
"""Seconds until a runner that has nothing to do looks again."""

LOOK_SOON: Final = 0.2
"""Seconds until one who waits for a charge that somebody else drives looks again."""


REWIND_EVERY: Final = 60.0
"""Seconds between two looks for what a clock that was ahead has put off."""

_LONGEST_OUTAGE_PAUSE: Final = 30.0
_BUSY_CODE: Final = b"-32400"


class _Shift:
    """How far this process is ahead of the system's clock."""

    seconds = 0.0


def since_1970() -> float:
    """Return the time in seconds since 1970."""
    return time.time() + _Shift.seconds


def play_at(moment: float) -> None:
    """Let this process be at another time, from which it goes on as time does.

    For simulations, such as a year on the sandbox's clock: one process is at one time, so that
    charges, cards and subscriptions agree about it. Spans, such as deadlines, stay as they are.

    Args:
        moment: Seconds since 1970.
    """
    _Shift.seconds = moment - time.time()


def play_now() -> None:
    """Let this process be at the system's time again."""
    _Shift.seconds = 0.0


class Pace:
    """Halves what is in flight when Payme struggles, and recovers by one.

    Args:
        in_flight: How many at once, at most.
        per_second: How many are begun in any second at most; None for any.
        clock: Monotonic seconds.

    Raises:
        InvalidArgument: One of them is no positive number.
    """

    def __init__(
        self, in_flight: int, per_second: float | None, clock: Callable[[], float]
    ) -> None:
        self._most = _check_in_flight(in_flight)
        self._now = float(in_flight)
        self._clock = clock
        # A rate of 0.5 is one in two seconds, and one of 2.5 is two in a second.
        rate = None if per_second is None else _check_rate(per_second)
        self._burst = 0 if rate is None else max(int(rate), 1)
        self._window = 1.0 if rate is None else max(1 / rate, 1.0)
        self._begun: deque[float] = deque()
        self._halved = -1.0
        self._rewound: float | None = None
        self._outages = 0
        self._reached = False

    @property
    def reached(self) -> bool:
        """The ledger has answered."""
        return self._reached

    @reached.setter
    def reached(self, answered: bool) -> None:
        self._reached, self._outages = answered, 0

    def unreached(self) -> float:
        """Return how long to leave a ledger alone that does not answer; longer each time."""
        self._outages += 1
        return min(0.5 * 2.0 ** min(self._outages - 1, 30), _LONGEST_OUTAGE_PAUSE)

    def rewinds(self) -> bool:
        """Return whether it is time to look for what a clock that was ahead has put off."""
        now = self._clock()
        if self._rewound is not None and now < self._rewound + REWIND_EVERY:
            return False
        self._rewound = now
        return True

    def room(self, running: int) -> int:
        """Return how many may be begun now."""
        room = max(int(self._now) - running, 0)
        if not self._burst:
            return room
        over = self._clock() - self._window
        while self._begun and self._begun[0] <= over:
            self._begun.popleft()
        return min(room, self._burst - len(self._begun))

    def pause(self, due: float | None) -> float:
        """Return how long to wait until something is due; what others submit is found by looking.

        Args:
            due: When the next one is, in seconds since 1970; None if that is not known.
        """
        left = LOOK_AGAIN if due is None else due - since_1970()
        if self._burst and len(self._begun) >= self._burst:
            left = min(left, self._begun[0] + self._window - self._clock())
        return min(max(left, 0.02), LOOK_AGAIN)

    def began(self, count: int) -> None:
        """Count what was begun."""
        if self._burst:
            self._begun.extend([self._clock()] * count)

    def heard(self, reply: Reply) -> None:
        """Learn from an answer of Payme's: a 5xx or -32400 says that it is too much."""
        if reply.status >= 500 or _BUSY_CODE in reply.body:
            self.struggled()

    def struggled(self) -> None:
        """Halve what is in flight; once a second, since all that is in flight meets one outage."""
        now = self._clock()
        if now >= self._halved + 1.0 or self._halved < 0:
            self._halved = now
            self._now = max(self._now / 2, 1.0)

    def learn(self, charge: Charge | None) -> None:
        """Learn from a charge that was driven; None says nothing of Payme."""
        if charge is not None and (charge.rests or not charge.tries):
            self._now = min(self._now + 1, self._most)


def _check_in_flight(given: object) -> int:
    number = exact.whole(given)
    if number is None or number < 1:
        raise InvalidArgument("in_flight", exact.shown(given), "a whole number, 1 or more")
    return number


def _check_rate(given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < 1e6:
        return float(given)
    raise InvalidArgument("per_second", exact.shown(given), "a positive number")
