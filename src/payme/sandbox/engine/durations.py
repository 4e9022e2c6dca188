"""Spans of time and moments, as people write them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from payme.sandbox.errors import InvalidSetting

_UNITS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART: Final = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")

MAX_DURATION_MS: Final = 100 * 365 * _UNITS["d"]
MAX_MOMENT_MS: Final = 253_402_300_799_999
"""The end of the year 9999: no date is written beyond it."""

_FIRST_MOMENT_MS: Final = 1_293_840_000_000
"""2011, the year of Payme's beginning."""

DURATION: Final = 'a span of time such as "12h", "90s", "1h30m" or "500ms", or a number of ms'
MOMENT: Final = 'a moment such as "2026-03-01T09:00:00+05:00", or a number of ms since 1970'

Duration = str | int | timedelta
Moment = str | int | datetime


def duration_ms(value: Duration, argument: str = "duration") -> int:
    """Read a span of time.

    Args:
        value: Text with the units d, h, m, s, ms; a timedelta; or a whole number of ms.
        argument: What an error calls it.

    Returns:
        Milliseconds, from 0 to a hundred years.

    Raises:
        InvalidSetting: If it is none of these.
    """
    span = _duration(value)
    if span is None or not 0 <= span <= MAX_DURATION_MS:
        raise InvalidSetting(argument, value, f"{DURATION}, at most 100 years and not negative")
    return span


def moment_ms(value: Moment, argument: str = "moment") -> int:
    """Read a moment.

    Args:
        value: ISO 8601 text or a datetime, both with a time zone; or ms since 1970.
        argument: What an error calls it.

    Returns:
        Milliseconds since 1970.

    Raises:
        InvalidSetting: If it is none of these.
    """
    moment = _moment(value)
    if moment is None or not 0 <= moment <= MAX_MOMENT_MS:
        raise InvalidSetting(argument, value, f"{MOMENT}; a date needs its time zone")
    # A written date says what it means, whichever it is.
    is_number = isinstance(value, int) or _DIGITS.fullmatch(str(value).strip())
    if is_number and moment < _FIRST_MOMENT_MS <= moment * 1000:
        raise InvalidSetting(argument, value, f"{MOMENT}; it looks like seconds")
    return moment


def iso(moment: int) -> str:
    """Write a moment in ISO 8601, UTC."""
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=moment)).isoformat(
        timespec="milliseconds"
    )


def _duration(value: object) -> int | None:
    if isinstance(value, timedelta):
        return value // timedelta(milliseconds=1)
    if isinstance(value, str):
        return _written(value.strip())
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _written(text: str) -> int | None:
    if _DIGITS.fullmatch(text):
        return int(text)
    if not _WHOLE.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _moment(value: object) -> int | None:
    if isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value.strip()) else _date(value.strip())
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            return None
        return (value - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
