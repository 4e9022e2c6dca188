"""From what a caller gives to an exact `str` or `int`.

Django's `SafeString`, members of enumerations and other subclasses are text and numbers to their
owner, but not to an encoder or to `f"{…}"`, which may write `Color.RED` for "red". A lone surrogate
is text that has no bytes.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

MAX_INT: Final = 2**53 - 1
"""The largest integer that every JSON reader on the way keeps exact."""

_LONGEST_SHOWN: Final = 2**128

_SHOWN: Final = (int, float, Decimal, datetime, type(None))

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def text(given: object) -> str | None:
    """Read text.

    Args:
        given: Any value.

    Returns:
        The text as a `str` and no subclass; None for anything that is no text or has a lone
        surrogate.
    """
    # Not `isinstance`: a lazy object may claim to be a `str`, and has none of its methods.
    if not issubclass(type(given), str):
        return None
    plain = str.__str__(_any(given))
    return plain if plain.isascii() or not _SURROGATE.search(plain) else None


def whole(given: object) -> int | None:
    """Read a whole number.

    Args:
        given: Any value.

    Returns:
        The number as an `int` and no subclass; None for anything else, `bool` included.
    """
    if not issubclass(type(given), int) or isinstance(given, bool):
        return None
    return int.__int__(_any(given))


def shown(given: object) -> object:
    """Prepare a value for an error, whose making must not fail.

    Python refuses to write very long numbers, and what an object of another kind writes of itself,
    if it can, may be anything.

    Args:
        given: Any value.

    Returns:
        A text, number or moment; for anything else the name of its type.
    """
    kind = type(given)
    if issubclass(kind, str):
        return str.__str__(_any(given))
    number = whole(given)
    if number is not None and abs(number) >= _LONGEST_SHOWN:
        return f"a number of {number.bit_length()} bits"
    return given if issubclass(kind, _SHOWN) else kind.__name__


def _any(given: object) -> Any:
    return given
