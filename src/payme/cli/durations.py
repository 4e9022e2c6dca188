"""Spans of time in arguments, which click says are wrong.

They are read by `payme.cli.spans`, which needs no click, and is loaded when there is one to read:
every command has an option that takes one, and `payme --help` reads none.
"""

import shlex
from typing import Final

import click

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
    from payme.cli import spans

    try:
        return spans.seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def refuse_bare(text: str) -> None:
    """Refuse a number without a unit.

    Args:
        text: A span of time that is read elsewhere.

    Raises:
        click.BadParameter: It is a number.
    """
    from payme.cli import spans

    try:
        spans.require_unit(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


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
