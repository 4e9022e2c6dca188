"""Spans of time, as people write them: `10s`, `1m30s`. A bare number could mean anything."""

import re
from typing import Final

from payme.cli.words import tell

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")
_BARE: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_S: Final = 1e6


def seconds(text: str) -> float:
    """Read a span of time.

    Args:
        text: Such as `10s`, `1m30s` or `500ms`.

    Returns:
        Seconds.

    Raises:
        ValueError: It is none, or has no unit; its text is for a person.
    """
    written = text.strip()
    require_unit(written)
    parts = _PART.findall(written) if _WHOLE.fullmatch(written) else []
    found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < found < _LONGEST_S:
        raise ValueError(
            tell(
                f'"{text}": 10s, 1m30s yoki 500ms kabi vaqt kutilgan',
                f'"{text}": ожидалось время, например 10s, 1m30s или 500ms',
                f'"{text}": expected a span of time such as 10s, 1m30s or 500ms',
            )
        )
    return found


def require_unit(text: str) -> None:
    """Refuse a number without a unit.

    Args:
        text: A span of time.

    Raises:
        ValueError: It is a number; its text is for a person.
    """
    number = text.strip()
    if _BARE.fullmatch(number):
        raise ValueError(
            tell(
                f'"{number}": birligi yoʻq; soniya boʻlsa, "{number}s" deb yozing (birliklar: '
                "ms, s, m, h, d)",
                f'"{number}": нет единицы; если это секунды, пишите "{number}s" (единицы: '
                "ms, s, m, h, d)",
                f'"{number}" has no unit: say "{number}s" for seconds (units: ms, s, m, h, d)',
            )
        )
