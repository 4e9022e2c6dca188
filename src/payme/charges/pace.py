"""How many charges are driven at once, so that a struggling Payme is not hammered."""

import time
from collections.abc import Callable
from typing import Final

from payme.charges.core import Charge

LEASE: Final = 180.0
"""Seconds that a charge belongs to who drives it; longer than any drive takes."""

LOOK_AGAIN: Final = 1.0
"""Seconds until a runner that has nothing to do looks again."""


def since_1970() -> float:
    """Return the time in seconds since 1970."""
    return time.time()


class Pace:
    """Halves what is in flight when Payme struggles, and recovers by one.

    Args:
        in_flight: How many at once, at most.
        per_second: How many are begun in a second at most; None for any.
        clock: Monotonic seconds.
    """

    def __init__(
        self, in_flight: int, per_second: float | None, clock: Callable[[], float]
    ) -> None:
        self._most = in_flight
        self._now = float(in_flight)
        self._per_second = per_second
        self._clock = clock
        self._tokens = per_second or 0.0
        self._filled = clock()

    def room(self, running: int) -> int:
        """Return how many may be begun now."""
        room = max(int(self._now) - running, 0)
        if self._per_second is None:
            return room
        now = self._clock()
        grown = self._tokens + (now - self._filled) * self._per_second
        self._tokens, self._filled = min(grown, max(self._per_second, 1.0)), now
        return min(room, int(self._tokens))

    def began(self, count: int) -> None:
        """Count what was begun."""
        self._tokens -= count

    def learn(self, charge: Charge) -> None:
        """Learn from a charge that was driven."""
        if charge.rests or not charge.tries:
            self._now = min(self._now + 1, self._most)
        else:
            self._now = max(self._now / 2, 1.0)
