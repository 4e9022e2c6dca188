"""When periods are due: dates from an anchor and a number, never from the date before.

Adding a month to the date before would turn 31 January into 28 February and then into 28 March. So
period n is counted from the anchor each time: 31 January, 28 February, 31 March.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

Unit = Literal["day", "week", "month", "year"]


class _Step(NamedTuple):
    """What one unit is counted in, and how many days it has at least and at most."""

    in_months: bool
    size: int
    least: int
    most: int


STEPS: Final[dict[str, _Step]] = {
    "day": _Step(in_months=False, size=1, least=1, most=1),
    "week": _Step(in_months=False, size=7, least=7, most=7),
    "month": _Step(in_months=True, size=1, least=28, most=31),
    "year": _Step(in_months=True, size=12, least=365, most=366),
}


class Every(NamedTuple):
    """The length of a period, such as one month."""

    number: int
    unit: Unit

    @property
    def least_days(self) -> int:
        """How many days a period has at least."""
        return self.number * STEPS[self.unit].least

    @property
    def most_days(self) -> int:
        """How many days a period has at most."""
        return self.number * STEPS[self.unit].most


class Wall(NamedTuple):
    """A time of the day in a time zone."""

    at: time
    timezone: str

    def moment(self, day: date) -> float:
        """Return the moment at which the clock shows this time on a day, in seconds since 1970.

        A time that the zone skips moves forward by what is skipped; of a doubled one the first
        counts. Both are what `fold=0` means.
        """
        return _moment(self.at, self.timezone, day)

    def day(self, moment: float) -> date:
        """Return the date of a moment in the zone."""
        return datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(self.timezone)).date()


@lru_cache(4096)
def _moment(at: time, timezone: str, day: date) -> float:
    # Kept, because a million subscriptions are due at the same few moments.
    return datetime.combine(day, at.replace(fold=0), ZoneInfo(timezone)).timestamp()


@lru_cache(4096)
def _day_after(anchor: date, months: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds from one period on: the amount, and how dates are counted.

    Attributes:
        first: The first period that it holds for.
        amount: Amount in tiyin.
        every: How long a period is.
        anchor: The date from which is counted.
        offset: Months or days (what `every` is counted in) from the anchor to the first period.
    """

    first: int
    amount: int
    every: Every
    anchor: date
    offset: int = 0

    def steps(self, n: int) -> int:
        """Return how far period n is from the anchor, in months or days."""
        return self.offset + (n - self.first) * self.every.number * STEPS[self.every.unit].size

    def day(self, n: int) -> date:
        """Return the date on which period n is due."""
        steps = self.steps(n)
        if not STEPS[self.every.unit].in_months:
            return self.anchor + timedelta(days=steps)
        return _day_after(self.anchor, steps)

    def first_after(self, day: date) -> int:
        """Return the first period of these terms that is due on a day or later."""
        # Not later than the one that is looked for, and few steps before it.
        n = self.first + max((day - self.day(self.first)).days // self.every.most_days - 1, 0)
        while self.day(n) < day:
            n += 1
        return n

    def from_period(self, n: int, amount: int, every: Every) -> "Terms":
        """Return terms that go on from period n, with its date.

        The day of the anchor stays where months are counted before and after, so that a change
        made in February does not turn the 31st into the 28th.
        """
        if STEPS[every.unit].in_months and STEPS[self.every.unit].in_months:
            return Terms(
                first=n, amount=amount, every=every, anchor=self.anchor, offset=self.steps(n)
            )
        return Terms(first=n, amount=amount, every=every, anchor=self.day(n))
