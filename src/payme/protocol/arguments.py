"""Checks of arguments, before anything is sent. Each returns the value as it goes on the wire."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Final, cast

from payme import exact, redact
from payme.errors import InvalidArgument
from payme.protocol.models import EPOCH

MAX_PAGE: Final = 50

_SEPARATORS: Final = re.compile(r"[ \u00a0\-]")
_PHONE_SEPARATORS: Final = re.compile(r"[ \u00a0\-()+]")
_VISIBLE: Final = re.compile(r"[!-~]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_LONGEST_ID: Final = 64

# Payme began in 2011, and no moment of its is earlier. Milliseconds that stand for an earlier one
# are seconds, or another mistake.
_FIRST_MS: Final = 1_293_840_000_000
_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""


def card_number(number: object) -> str:
    """Check the form of a card number; whether the card exists, Payme says.

    Args:
        number: 13 to 18 digits; spaces and hyphens between them are dropped.

    Returns:
        The digits.
    """
    digits = _SEPARATORS.sub("", exact.text(number) or "")
    if not re.fullmatch(r"[0-9]{13,18}", digits):
        raise InvalidArgument("number", exact.shown(number), "a card number of 13 to 18 digits")
    return digits


def expire(given: object) -> str:
    """Check an expiry.

    Args:
        given: `MMYY` or `MM/YY`, as it is printed on the card.

    Returns:
        `MMYY`.
    """
    found = re.fullmatch(r"(0[1-9]|1[0-2])/?([0-9]{2})", exact.text(given) or "")
    if found is None:
        raise InvalidArgument("expire", exact.shown(given), "'MMYY', month first, such as '0399'")
    return found[1] + found[2]


def text(name: str, given: object, what: str) -> str:
    """Check an opaque identifier: a token, a receipt id, an SMS code.

    Args:
        name: Name of the argument, for the error.
        given: Non-empty text without spaces.
        what: What is expected, for the error.

    Returns:
        The text.
    """
    plain = exact.text(given)
    if plain is None or not _VISIBLE.fullmatch(plain):
        raise InvalidArgument(name, exact.shown(given), what)
    return plain


def token(given: object) -> str:
    """Check a card token: text as `cards.create` returned it, and no receipt id."""
    expected = "the token that cards.create returned"
    plain = text("token", given, expected)
    if _OBJECT_ID.fullmatch(plain):
        expected += "; it looks like a receipt id: are the arguments swapped?"
        raise InvalidArgument("token", plain, expected)
    return plain


def receipt_id(given: object, name: str = "receipt_id") -> str:
    """Check a receipt id: text as `receipts.create` returned it, and no card token.

    Ids are shown in logs and errors, where a token must not be.
    """
    expected = "the id that receipts.create returned"
    plain = text(name, given, expected)
    if _OBJECT_ID.fullmatch(plain):
        return plain
    if len(plain) > _LONGEST_ID or redact.scrub(plain) != plain:
        expected += "; it looks like a card token: are the arguments swapped?"
        raise InvalidArgument(name, redact.TOKEN, expected)
    return plain


def phone(given: object) -> str:
    """Check a phone number of Uzbekistan.

    Args:
        given: Text such as `998901304527` or `+998 90 130-45-27`.

    Returns:
        Twelve digits.
    """
    digits = _PHONE_SEPARATORS.sub("", exact.text(given) or "")
    if not re.fullmatch(r"998[0-9]{9}", digits):
        raise InvalidArgument(
            "phone", exact.shown(given), "twelve digits starting with 998, such as '998901304527'"
        )
    return digits


def flag(name: str, given: object) -> bool:
    """Check a boolean: a string such as `"false"` would count as true."""
    if not isinstance(given, bool):
        raise InvalidArgument(name, exact.shown(given), "True or False")
    return given


def count(given: object) -> int:
    """Check the size of a page: 1 to 50."""
    return within("count", given, 1, MAX_PAGE)


def offset(given: object) -> int:
    """Check how many receipts to skip: 0 or more."""
    return within("offset", given, 0, exact.MAX_INT)


def attempts(given: object) -> int:
    """Check how often a request is sent at most: 1 or more."""
    return within("max_attempts", given, 1, exact.MAX_INT)


def within(name: str, given: object, least: int, most: int) -> int:
    """Check a whole number that has limits.

    Args:
        name: Name of the argument, for the error.
        given: The number.
        least: The smallest that is right.
        most: The largest that is right.
    """
    number = exact.whole(given)
    if number is None or not least <= number <= most:
        span = f", {least} or more" if most == exact.MAX_INT else f" from {least} to {most}"
        raise InvalidArgument(name, exact.shown(given), f"a whole number{span}")
    return number


def seconds(name: str, given: object) -> float:
    """Check a time-out.

    Args:
        name: Name of the argument, for the error.
        given: A positive number of seconds, below a million.

    Returns:
        The seconds.
    """
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 < given < 1e6:
        return float(given)
    raise InvalidArgument(name, exact.shown(given), "a positive number of seconds")


def cron(name: str, given: object) -> str:
    """Check when a periodic task of Procrastinate's runs, which else fails in its worker.

    Args:
        name: Name of the argument, for the error.
        given: Five fields as in a crontab, or six, of which the last is seconds.

    Returns:
        The text.
    """
    croniter: Any = import_module("croniter").croniter  # comes with Procrastinate, without types
    if isinstance(given, str) and croniter.is_valid(given):
        return given
    raise InvalidArgument(
        name, exact.shown(given), "five fields as in a crontab, such as '*/5 * * * *'"
    )


def millis(name: str, given: object) -> int:
    """Check a moment.

    Args:
        name: Name of the argument, for the error.
        given: An aware `datetime`, or milliseconds since 1970 UTC. 0 is the beginning: before
            there was anything. Other numbers before 2011 are refused, as they are seconds or
            another mistake; a `datetime` says what it means, and is taken.

    Returns:
        Milliseconds since 1970 UTC; 0 for any moment before.
    """
    if isinstance(given, datetime) and given.utcoffset() is not None:
        return max((given - EPOCH) // timedelta(milliseconds=1), 0)
    number = exact.whole(given)
    if number == 0 or (number is not None and _FIRST_MS <= number <= _LAST_MS):
        return number
    expected = "an aware datetime, or milliseconds since 1970 UTC, not before 2011"
    if isinstance(given, int | float) and _FIRST_MS <= given * 1000 <= _LAST_MS:
        expected += f"; it looks like seconds: did you mean {int(given * 1000)}?"
    raise InvalidArgument(name, exact.shown(given), expected)


def account(given: object) -> dict[str, str | int]:
    """Check an account.

    Args:
        given: The fields of the cash-box settings with their values, such as `{"order_id": 106}`.

    Returns:
        A copy.
    """
    expected = "a dict of the cash-box's account fields, such as {'order_id': 106}"
    if not isinstance(given, Mapping):
        raise InvalidArgument("account", type(given).__name__, expected)
    fields = dict(cast("Mapping[Any, Any]", given))
    if not fields:
        raise InvalidArgument("account", fields, expected)
    return {_field(name, expected): account_value(name, member) for name, member in fields.items()}


def _field(given: object, expected: str) -> str:
    name = exact.text(given)
    if not name or _CONTROL.search(name):
        raise InvalidArgument("account", exact.shown(given), expected)
    return name


def account_value(name: str, given: object) -> str | int:
    """Check the value of an account field: text on one line, or a whole number.

    Args:
        name: Name of the field, for the error.
        given: The value.
    """
    plain, number = exact.text(given), exact.whole(given)
    if plain and not _CONTROL.search(plain):
        return plain
    if number is not None and abs(number) <= exact.MAX_INT:
        return number
    expected = "text on one line, or a whole number; a longer number as text"
    raise InvalidArgument(f"account.{name}", exact.shown(given), expected)


def optional_text(name: str, given: object) -> str:
    """Check free text, such as a description: not empty, and without control characters."""
    plain = exact.text(given)
    if plain is None or not plain.strip() or _CONTROL_BUT_LINES.search(plain):
        raise InvalidArgument(name, exact.shown(given), "non-empty text without control characters")
    return plain
