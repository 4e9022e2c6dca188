"""What a subscription is created with, checked before anything is stored."""

from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, cast
from zoneinfo import ZoneInfo

import msgspec

from payme import exact, money
from payme.charges import orders
from payme.errors import InvalidArgument
from payme.protocol import arguments
from payme.recurring.calendar import STEPS, Every, Terms, Wall

Missed = Literal["skip", "latest", "all"]
AfterRetries = Literal["past_due", "cancel", "skip"]

# `{subscription}:{n}` must be an id of a charge.
LONGEST_ID: Final = 116
# More than once in a century is no subscription.
_LONGEST_COUNT: Final = {"day": 366, "week": 104, "month": 120, "year": 10}
# Visa and Mastercard count attempts in a window of 30 days; 15 is the lower of what Visa has
# allowed.
MOST_ATTEMPTS: Final = 15
_RETRIES: Final = (1, 3, 7)
# Mastercard wants 7 to 30 days of notice when a period has more than 180 days.
_LONG_PERIOD: Final = 180
LONG_NOTICE: Final = 7
_NOTICE: Final = 3
_MOST_NOTICE: Final = 30


class SubscriptionRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a subscription goes, as it was created; what `change` changes is in `Terms`.

    Attributes:
        account: Fields of the cash-box.
        at: Time of the day at which periods are due.
        timezone: The zone of that time.
        missed: What becomes of periods that nobody opened in time.
        description: What is paid for.
        trial_until: The day on which a trial ends and the first period is due.
        ends: No period begins on this day or later.
        late_after: Seconds after which a due period counts as missed.
        max_catch_up: How many periods are opened on one day at most.
        retries: Days from due on which a refused period is tried again.
        grace_days: Days from due for which a period that is being retried is granted.
        after_retries: What follows when the last retry was refused.
        notice_days: Days before due at which the payer is told of the next payment.
    """

    account: dict[str, str | int]
    at: time
    timezone: str
    missed: Missed
    description: str | None = None
    trial_until: date | None = None
    ends: date | None = None
    late_after: float = 86_400.0
    max_catch_up: int = 1
    retries: tuple[int, ...] = _RETRIES
    grace_days: int = 8
    after_retries: AfterRetries = "past_due"
    notice_days: int = _NOTICE

    @property
    def wall(self) -> Wall:
        """The time of the day in its zone."""
        return Wall(self.at, self.timezone)


def check_rule(
    today: date,
    amount: object,
    account: object,
    *,
    missed: object,
    every: object,
    anchor: object,
    at: object,
    timezone: str,
    trial_until: object,
    ends: object,
    late_after: object,
    max_catch_up: object,
    retries: object,
    grace_days: object,
    after_retries: object,
    notice_days: object,
    description: object,
) -> tuple[SubscriptionRule, Terms]:
    """Check what a subscription is created with; arguments as for `Recurring.create`.

    `today` is the date in the time zone of the subscription, which was checked before.

    Returns:
        The rule, and the terms of its first period.

    Raises:
        InvalidArgument: Names the argument.
    """
    length = check_every(every)
    trial = _optional_day("trial_until", trial_until)
    if trial is not None and trial <= today:
        raise InvalidArgument("trial_until", str(trial), "a day after today")
    start = _optional_day("anchor", anchor) or trial or today
    if trial is not None and start < trial:
        raise InvalidArgument("anchor", str(start), f"no day before the trial ends: {trial}")
    last = _optional_day("ends", ends)
    if last is not None and last <= max(start, today):
        raise InvalidArgument("ends", str(last), "a day after the first payment")
    terms = Terms(first=0, amount=money.tiyin(amount), every=length, anchor=start)
    rule = SubscriptionRule(
        account=arguments.account(account),
        at=_check_time(at),
        timezone=timezone,
        missed=_one_of("missed", missed, "skip", "latest", "all"),
        description=None
        if description is None
        else arguments.optional_text("description", description),
        trial_until=trial,
        ends=last,
        late_after=_check_late(late_after),
        max_catch_up=_whole("max_catch_up", max_catch_up, 1, 31),
        retries=_check_retries(retries, length),
        grace_days=_whole("grace_days", grace_days, 0, length.most_days + 366),
        after_retries=_one_of("after_retries", after_retries, "past_due", "cancel", "skip"),
        notice_days=check_notice(notice_days, length),
    )
    return rule, terms


def check_id(given: object) -> str:
    """Check the id of a subscription: the id of a charge with room for `:{n}`."""
    text = orders.check_id(given)
    if len(text) > LONGEST_ID or ":" in text:
        expected = f"text of at most {LONGEST_ID} characters without ':', such as 'club-17'"
        raise InvalidArgument("id", text, expected)
    return text


def check_timezone(given: object) -> str:
    """Check the name of a time zone."""
    text = exact.text(given)
    try:
        return ZoneInfo(text or "").key
    except (KeyError, ValueError, OSError):
        pass  # no such zone, no name of one, a folder of the database
    expected = "the name of a time zone, such as 'Asia/Tashkent'"
    raise InvalidArgument("timezone", exact.shown(given), expected)


def check_every(given: object) -> Every:
    """Check the length of a period."""
    parts: list[Any] = list(cast("Any", given)) if issubclass(type(given), tuple) else []
    if len(parts) == 2:
        count, unit = exact.whole(parts[0]), exact.text(parts[1])
        if unit in STEPS and count is not None and 1 <= count <= _LONGEST_COUNT[unit]:
            return Every(count, cast("Any", unit))
    shown = f"({', '.join(str(exact.shown(part)) for part in parts)})"
    expected = "a number and a unit (day, week, month, year), such as (1, 'month')"
    raise InvalidArgument("every", shown if parts else type(given).__name__, expected)


def check_day(name: str, given: object) -> date:
    """Check a day: a `date` that is no moment."""
    if isinstance(given, date) and not isinstance(given, datetime) and 2000 <= given.year <= 2200:
        return date(given.year, given.month, given.day)
    shown = str(given) if isinstance(given, date) else exact.shown(given)
    raise InvalidArgument(name, shown, "a datetime.date in the years 2000 to 2200")


def check_notice(given: object, every: Every) -> int:
    """Check how many days ahead the next payment is told of; None for what its length asks for."""
    least = LONG_NOTICE if is_long(every) else 0
    if given is None:
        return max(least, _NOTICE)
    return _whole("notice_days", given, least, _MOST_NOTICE)


def is_long(every: Every) -> bool:
    """Return whether a period is so long that its payment needs the longer notice."""
    return every.most_days > _LONG_PERIOD


def _optional_day(name: str, given: object) -> date | None:
    return None if given is None else check_day(name, given)


def _check_time(given: object) -> time:
    if isinstance(given, time) and given.tzinfo is None:
        return time(given.hour, given.minute, given.second)
    shown = str(given) if isinstance(given, time) else exact.shown(given)
    raise InvalidArgument("at", shown, "a datetime.time without a time zone, such as time(10)")


def _check_late(given: object) -> float:
    if isinstance(given, timedelta) and timedelta(0) < given <= timedelta(days=366):
        return given.total_seconds()
    shown = str(given) if isinstance(given, timedelta) else exact.shown(given)
    expected = "a positive datetime.timedelta of at most a year"
    raise InvalidArgument("late_after", shown, expected)


def _check_retries(given: object, every: Every) -> tuple[int, ...]:
    inside = every.least_days
    if given is None:
        return tuple(day for day in _RETRIES if day < inside)
    expected = (
        f"at most {MOST_ATTEMPTS - 1} rising numbers of days, each from 1 to {inside - 1}: "
        f"inside a period"
        if inside > 1
        else "no retries, (): they would lie outside a period of a day"
    )
    if not isinstance(given, tuple | list):
        raise InvalidArgument("retries", exact.shown(given), expected)
    days = [exact.whole(day) for day in cast("list[Any]", given)]
    rising = [day for day in days if day is not None and 0 < day < inside]
    if len(rising) != len(days) or rising != sorted(set(rising)) or len(days) >= MOST_ATTEMPTS:
        shown = [str(exact.shown(day)) for day in cast("list[Any]", given)]
        raise InvalidArgument("retries", f"({', '.join(shown)})", expected)
    return tuple(rising)


def _whole(name: str, given: object, least: int, most: int) -> int:
    number = exact.whole(given)
    if number is None or not least <= number <= most:
        expected = f"a whole number from {least} to {most}"
        raise InvalidArgument(name, exact.shown(given), expected)
    return number


def _one_of(name: str, given: object, *words: str) -> Any:
    text = exact.text(given)
    if text not in words:
        raise InvalidArgument(name, exact.shown(given), f"one of {', '.join(words)}")
    return text
