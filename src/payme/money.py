"""Money is a whole number of tiyin: 1 soʻm is 100 tiyin.

A float can't hold 0.1, and a rounding mistake in a payment is somebody's money. So amounts are
integers, and what is not exactly a whole number of tiyin is refused before anything is sent.
"""

import re
from decimal import Decimal
from typing import Final

from payme.errors import InvalidArgument

TIYIN_PER_SOM: Final = 100

# The largest integer that every JSON reader on the way keeps exact (our choice; Payme prints no
# maximum).
MAX_TIYIN: Final = 2**53 - 1

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
        raise InvalidArgument(name, amount, "a positive whole number of tiyin (1 soʻm = 100 tiyin)")
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
    if isinstance(amount, bool):
        return None
    if isinstance(amount, int):
        return amount
    if isinstance(amount, float):
        return int(amount) if amount.is_integer() else None
    if isinstance(amount, Decimal) and amount.is_finite() and amount == amount.to_integral_value():
        return int(amount)
    return None


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
    if isinstance(amount, str):
        found = _SOM.fullmatch(amount.strip())
        if found is None:
            raise InvalidArgument("amount", amount, expected)
        whole = re.sub(_SPACES, "", found["whole"])
        exact = Decimal(f"{whole}.{found['part'] or 0}")
    elif isinstance(amount, Decimal | int) and not isinstance(amount, bool):
        exact = Decimal(amount)
    else:
        raise InvalidArgument("amount", amount, expected)
    if not exact.is_finite() or exact != round(exact, 2):
        raise InvalidArgument("amount", amount, expected)
    return tiyin(exact * TIYIN_PER_SOM)


def format_som(amount: int) -> str:
    """Write an amount in tiyin as soʻm.

    Args:
        amount: Amount in tiyin.

    Returns:
        Text that `som` reads back: ``"1 500,50"``.

    Example:
        >>> format_som(150_050)
        '1 500,50'
    """
    whole, part = divmod(amount, TIYIN_PER_SOM)
    grouped = f"{whole:,}".replace(",", " ")
    return f"{grouped},{part:02}" if part else grouped
