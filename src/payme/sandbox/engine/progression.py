"""How a paid receipt comes to its end: at once, after some checks, or by the clock."""

import re
from typing import Final, Literal, NamedTuple

from payme.sandbox.engine.durations import duration_ms
from payme.sandbox.errors import InvalidSetting

_CHECKS: Final = re.compile(r"[1-9][0-9]{0,5}")
_EXPECTED: Final = '"at_once", "after_checks:N" with N from 1, or "clock:SPAN" such as "clock:2s"'


class Progression(NamedTuple):
    """A way to the end."""

    kind: Literal["after_checks", "clock"]
    amount: int
    """Number of checks, or ms for each step."""


AT_ONCE: Final = Progression("clock", 0)
"""No time passes between the steps."""


def progression(text: str) -> Progression:
    """Read a progression.

    Args:
        text: `at_once`; `after_checks:N`, which has the receipt paid at the N-th `receipts.check`
            or `receipts.get`; or `clock:2s`, which takes that long for every step.

    Raises:
        InvalidSetting: If it is none of these.
    """
    kind, _, amount = text.partition(":")
    if text == "at_once":
        return AT_ONCE
    if kind == "after_checks" and _CHECKS.fullmatch(amount):
        return Progression("after_checks", int(amount))
    if kind == "clock" and amount:
        return Progression("clock", duration_ms(amount, "progression"))
    raise InvalidSetting("progression", text, _EXPECTED)
