"""Money is a whole number of tiyin: 1 soʻm is 100 tiyin.

A float can't hold 0.1, and a rounding mistake in a payment is somebody's money. So amounts are
integers, and what is not exactly a whole number of tiyin is refused before anything is sent.
"""

import re
from decimal import Decimal
from typing import Final

from payme import exact
from payme.errors import InvalidArgument

TIYIN_PER_SOM: Final = 100

# Our choice; Payme prints no maximum.
MAX_TIYIN: Final = exact.MAX_INT

# More digits than any amount has, before or after the point.
_DIGITS: Final = 30

_SPACES: Final = r"[ \u00a0\u2009\u202f]"
_SOM: Final = re.compile(
    rf"(?P<whole>[0-9]{{1,3}}(?:{_SPACES}[0-9]{{3}})+|[0-9]+)(?:[.,](?P<part>[0-9]{{1,2}}))?"
)


def tiyin(amount: object, name: str = "amount") -> int:
    """Check an amount in tiyin.

    Args:
        amount: A positive whole number: `int`, or a `Decimal` or `float` that is whole.
        name: Name of the argument, for the error.

    Returns:
        The amount as an integer.

    Raises:
        InvalidArgument: `bool`, a fraction, zero, a negative number, or no number at all.

    Example:
        >>> tiyin(50_000)
        50000
    """
    whole = _whole(amount)
    if whole is None or not 0 < whole <= MAX_TIYIN:
        expected = "a positive whole number of tiyin (1 soʻm = 100 tiyin)"
        raise InvalidArgument(name, exact.shown(amount), expected)
    return whole


def tiyin_or_zero(amount: object, name: str) -> int:
    """Check an amount in tiyin that may be zero, such as a discount.

    Args:
        amount: As for `tiyin`, or zero.
        name: Name of the argument, for the error.

    Returns:
        The amount as an integer.

    Raises:
        InvalidArgument: As for `tiyin`.
    """
    return 0 if _whole(amount) == 0 else tiyin(amount, name)


def _whole(amount: object) -> int | None:
    if isinstance(amount, float):
        return int(amount) if amount.is_integer() else None
    if isinstance(amount, Decimal):
        return _times(amount, 1)
    return exact.whole(amount)


def _times(amount: Decimal, factor: int) -> int | None:
    """Multiply, and give None unless the product is whole and has a size that money has.

    Arithmetic of `Decimal` would round to the caller's context, whatever its precision is, and
    1E+1000000 as an integer takes half a minute.
    """
    if not amount.is_finite():
        return None
    if not amount:
        return 0
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DIGITS or amount.adjusted() > _DIGITS:
        return None
    numerator, denominator = amount.as_integer_ratio()
    return None if numerator * factor % denominator else numerator * factor // denominator


def som(amount: str | int | Decimal) -> int:
    """Convert an amount in soʻm to tiyin, exactly.

    Args:
        amount: Whole soʻm as `int`, or `Decimal` or text with at most two decimals. Text may group
            thousands with spaces and separate decimals with a comma or a point: ``"1 500,50"``.

    Returns:
        The amount in tiyin.

    Raises:
        InvalidArgument: A `float`, a third decimal, `"1,500"` (a thousand and a half, or one and a
            half?), or anything that is not a positive amount.

    Example:
        >>> som("1 500,50")
        150050
    """
    expected = 'a positive amount in soʻm with at most two decimals, such as 1500 or "1 500,50"'
    converted = _times(amount, TIYIN_PER_SOM) if isinstance(amount, Decimal) else _som(amount)
    if converted is None or not 0 < converted <= MAX_TIYIN:
        raise InvalidArgument("amount", exact.shown(amount), expected)
    return converted


def _som(amount: object) -> int | None:
    whole = exact.whole(amount)
    if whole is not None:
        return whole * TIYIN_PER_SOM
    found = _SOM.fullmatch((exact.text(amount) or "").strip())
    if found is None or len(found[0]) > _DIGITS:
        return None
    digits = re.sub(_SPACES, "", found["whole"])
    return int(digits + (found["part"] or "").ljust(2, "0"))


def format_som(amount: int | Decimal) -> str:
    """Write an amount in tiyin as soʻm.

    Args:
        amount: Amount in tiyin, which may be zero or negative, or a sum of amounts: a database may
            give a `Decimal` for one.

    Returns:
        Text that `som` reads back if the amount is positive: ``"1 500,50"``.

    Raises:
        InvalidArgument: No whole number; a `float` is refused too.

    Example:
        >>> format_som(150_050)
        '1 500,50'
        >>> format_som(-150_050)
        '-1 500,50'
    """
    total = None if isinstance(amount, float) else _whole(amount)
    if total is None or abs(total) >= 10**_DIGITS:
        raise InvalidArgument("amount", exact.shown(amount), "a whole number of tiyin")
    whole, part = divmod(abs(total), TIYIN_PER_SOM)
    grouped = "-" * (total < 0) + f"{whole:,}".replace(",", " ")
    return f"{grouped},{part:02}" if part else grouped
