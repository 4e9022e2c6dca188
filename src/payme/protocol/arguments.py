"""Checks of arguments, before anything is sent. Each returns the value as it goes on the wire."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from payme.errors import InvalidArgument
from payme.protocol.models import EPOCH

MAX_PAGE: Final = 50

_SEPARATORS: Final = re.compile(r"[ \u00a0\-]")
_PHONE_SEPARATORS: Final = re.compile(r"[ \u00a0\-()+]")
_VISIBLE: Final = re.compile(r"[!-~]+")


def card_number(number: object) -> str:
    """Check the form of a card number; whether the card exists, Payme says.

    Args:
        number: 13 to 18 digits; spaces and hyphens between them are dropped.

    Returns:
        The digits.
    """
    digits = _SEPARATORS.sub("", number) if isinstance(number, str) else ""
    if not re.fullmatch(r"[0-9]{13,18}", digits):
        raise InvalidArgument("number", number, "a card number of 13 to 18 digits")
    return digits


def expire(given: object) -> str:
    """Check an expiry.

    Args:
        given: `MMYY` or `MM/YY`, as it is printed on the card.

    Returns:
        `MMYY`.
    """
    found = re.fullmatch(r"(0[1-9]|1[0-2])/?([0-9]{2})", given) if isinstance(given, str) else None
    if found is None:
        raise InvalidArgument("expire", given, "'MMYY', month first, such as '0399'")
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
    if not isinstance(given, str) or not _VISIBLE.fullmatch(given):
        raise InvalidArgument(name, given, what)
    return given


def token(given: object) -> str:
    """Check a card token: text as `cards.create` returned it."""
    return text("token", given, "the token that cards.create returned")


def receipt_id(given: object, name: str = "receipt_id") -> str:
    """Check a receipt id: text as `receipts.create` returned it."""
    return text(name, given, "the id that receipts.create returned")


def phone(given: object) -> str:
    """Check a phone number of Uzbekistan.

    Args:
        given: Text such as `998901304527` or `+998 90 130-45-27`.

    Returns:
        Twelve digits.
    """
    digits = _PHONE_SEPARATORS.sub("", given) if isinstance(given, str) else ""
    if not re.fullmatch(r"998[0-9]{9}", digits):
        raise InvalidArgument(
            "phone", given, "twelve digits starting with 998, such as '998901304527'"
        )
    return digits


def flag(name: str, given: object) -> bool:
    """Check a boolean: a string such as `"false"` would count as true."""
    if not isinstance(given, bool):
        raise InvalidArgument(name, given, "True or False")
    return given


def count(given: object) -> int:
    """Check the size of a page: 1 to 50."""
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MAX_PAGE:
        raise InvalidArgument("count", given, f"a whole number from 1 to {MAX_PAGE}")
    return given


def offset(given: object) -> int:
    """Check how many receipts to skip: 0 or more."""
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise InvalidArgument("offset", given, "a whole number, 0 or more")
    return given


def millis(name: str, given: object) -> int:
    """Check a moment.

    Args:
        name: Name of the argument, for the error.
        given: An aware `datetime`, or milliseconds since 1970 UTC.

    Returns:
        Milliseconds since 1970 UTC.
    """
    if isinstance(given, datetime) and given.tzinfo is not None:
        return (given - EPOCH) // timedelta(milliseconds=1)
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    raise InvalidArgument(name, given, "an aware datetime, or milliseconds since 1970 UTC")


def account(given: object) -> dict[str, str | int]:
    """Check an account.

    Args:
        given: The fields of the cash-box settings with their values, such as `{"order_id": 106}`.

    Returns:
        A copy.
    """
    expected = "a dict of the cash-box's account fields, such as {'order_id': 106}"
    if not isinstance(given, Mapping) or not given:
        raise InvalidArgument("account", str(cast("object", given)), expected)
    fields = dict(cast("Mapping[Any, Any]", given))
    for name, member in fields.items():
        if not isinstance(name, str) or not name:
            raise InvalidArgument("account", name, expected)
        if isinstance(member, bool) or not isinstance(member, str | int) or member == "":
            raise InvalidArgument(f"account.{name}", member, "text or a whole number")
    return fields


def optional_text(name: str, given: object) -> str:
    """Check free text, such as a description."""
    if not isinstance(given, str) or not given.strip():
        raise InvalidArgument(name, given, "non-empty text")
    return given


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
    raise InvalidArgument(name, given, "a positive number of seconds")
