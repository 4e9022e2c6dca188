"""Spans of time, as people write them: `10s`, `1m30s`. A bare number could mean anything."""

import re
import shlex
from typing import Final

import click

from payme.cli.words import tell

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")
_BARE: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_S: Final = 1e6
_OF_A_RULE: Final = ("delay", "advance")


def duration(text: str) -> float:
    """Read a span of time: the type of an option.

    Args:
        text: Such as `10s`, `1m30s` or `500ms`.

    Returns:
        Seconds.

    Raises:
        click.BadParameter: It is none, or has no unit.
    """
    written = text.strip()
    refuse_bare(written)
    parts = _PART.findall(written) if _WHOLE.fullmatch(written) else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds < _LONGEST_S:
        raise click.BadParameter(
            tell(
                f'"{text}": 10s, 1m30s yoki 500ms kabi vaqt kutilgan',
                f'"{text}": ожидалось время, например 10s, 1m30s или 500ms',
                f'"{text}": expected a span of time such as 10s, 1m30s or 500ms',
            )
        )
    return seconds


def without_unit(text: str) -> str:
    """Say that a number alone is no span of time.

    Args:
        text: The number.
    """
    return tell(
        f'"{text}": birligi yoʻq; soniya boʻlsa, "{text}s" deb yozing (birliklar: ms, s, m, h, d)',
        f'"{text}": нет единицы; если это секунды, пишите "{text}s" (единицы: ms, s, m, h, d)',
        f'"{text}" has no unit: say "{text}s" for seconds (units: ms, s, m, h, d)',
    )


def refuse_bare(text: str) -> None:
    """Refuse a number without a unit.

    Args:
        text: A span of time that is read elsewhere.

    Raises:
        click.BadParameter: It is a number.
    """
    if _BARE.fullmatch(text.strip()):
        raise click.BadParameter(without_unit(text.strip()))


def refuse_bare_in_rule(line: str) -> None:
    """Refuse a number without a unit in the rule of a fault, where it would be milliseconds.

    Args:
        line: The rule, such as `receipts.pay before delay delay=10s`. What is no rule is left to
            whoever reads it.

    Raises:
        click.BadParameter: There is one.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        return
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in _OF_A_RULE:
            refuse_bare(value)
