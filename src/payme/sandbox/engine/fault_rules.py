"""How a fault's rule is written: keyword arguments, JSON, or a line of text; and what is refused.

A line is `METHOD WHEN ACTION`, then `name=value` as often as needed:

    receipts.pay after drop times=1
    receipts.* before delay delay=10s probability=0.2
    receipts.create before rpc_error code=-31622 message="Merchant is down" account.order_id=7
    receipts.pay mid_body drop amount=1000..50000 card=860006******6311
"""

import re
import shlex
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, cast

import msgspec

from payme.sandbox.engine import merchant_calls
from payme.sandbox.engine.durations import duration_ms
from payme.sandbox.engine.faults import ACTIONS, WHENS, FaultRule, as_text
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.model import mask_number
from payme.sandbox.errors import InvalidSetting, UnknownArgument

DEFAULT_DELAY_MS: Final = 1000
"""Of the action `delay`, when no `delay_ms` is given."""

_CARD: Final = re.compile(r"[0-9]{6}[0-9*]{3,8}[0-9]{4}")
_MAX_TEXT: Final = 1000
_MAX_BRACKETS: Final = 50
_MAX_NUMBER: Final = 2**53 - 1
_LINE: Final = "METHOD WHEN ACTION [name=value ...], such as 'receipts.pay after drop times=1'"

# RFC 9110 gives these no body, so nothing could be said in them.
_BODILESS: Final = {204, 205, 304}


def rule(given: Mapping[str, Any]) -> FaultRule:
    """Check a rule.

    Args:
        given: Arguments of `Faults.add` by name; what is missing or None has its default.

    Raises:
        InvalidSetting: If an argument is unknown or not as it must be; it is named.
    """
    checked = {name: _checked(name, value) for name, value in given.items() if value is not None}
    if "method" not in checked or "action" not in checked:
        missing = "action" if "method" in checked else "method"
        raise InvalidSetting(missing, None, "a value: `method` and `action` can't be left out")
    if checked["action"] == "delay":
        checked.setdefault("delay_ms", DEFAULT_DELAY_MS)
    return FaultRule(**checked)


def from_text(line: str) -> FaultRule:
    """Read a rule from a line of text.

    Raises:
        InvalidSetting: If it can't be read; the argument at fault is named.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidSetting("fault", line, f"{_LINE}; {error}") from None
    if len(words) < 3 or any("=" in word for word in words[:3]):
        raise InvalidSetting("fault", line, _LINE)
    given: dict[str, Any] = dict(zip(("method", "when", "action"), words, strict=False))
    for word in words[3:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidSetting("fault", word, "name=value")
        _put(given, name, value)
    return rule(given)


def _put(given: dict[str, Any], name: str, text: str) -> None:
    """Add one `name=value` of a line to the arguments."""
    group, dot, field = name.partition(".")
    if group == "account" and dot:
        given.setdefault("account", {})[field] = text
    elif name in {"delay", "advance"}:
        given[f"{name}_ms"] = duration_ms(text, name)
    elif name == "amount":
        low, dots, high = text.partition("..")
        given["amount"] = [_number(low), _number(high)] if dots else _number(low)
    elif name == "data":
        given["data"] = _json(text)
    elif name == "probability":
        given["probability"] = _fraction(text)
    else:
        given[name] = text if name in {"message", "card"} else _number(text)


def _checked(name: str, value: Any) -> Any:
    if name not in _CHECKS:
        raise UnknownArgument(name, value, _CHECKS)
    return _CHECKS[name](value)


def _method(value: Any) -> str:
    known = (*METHODS, *merchant_calls.METHODS)
    if not isinstance(value, str) or not any(fnmatchcase(name, value) for name in known):
        expected = (
            "a method or a glob of methods, such as receipts.pay, receipts.*, * or, for a call "
        )
        raise InvalidSetting("method", value, f"{expected}to the merchant, PerformTransaction")
    return value


def _one_of(argument: str, allowed: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise InvalidSetting(argument, value, f"one of {', '.join(allowed)}")
        return value

    return check


def _account(value: Any) -> dict[str, str]:
    fields: Mapping[Any, Any] = (
        cast("Mapping[Any, Any]", value) if isinstance(value, Mapping) else {}
    )
    if not fields or not all(_is_field(name, one) for name, one in fields.items()):
        raise InvalidSetting("account", value, 'fields and their values, such as {"order_id": 7}')
    return {name: as_text(one) for name, one in fields.items()}


def _is_field(name: Any, value: Any) -> bool:
    return (
        isinstance(name, str)
        and bool(name)
        and isinstance(value, str | int | float)
        and not isinstance(value, bool)
    )


def _amount(value: Any) -> tuple[int | None, int | None]:
    bounds = cast("list[Any]", [*value]) if isinstance(value, list | tuple) else [value, value]
    if (
        len(bounds) != 2
        or bounds == [None, None]
        or not all(one is None or _is_whole(one, 0, _MAX_NUMBER) for one in bounds)
        or (None not in bounds and bounds[0] > bounds[1])
    ):
        raise InvalidSetting(
            "amount", value, "tiyin as one whole number, or as smallest and largest"
        )
    return bounds[0], bounds[1]


def _card(value: Any) -> str:
    if not isinstance(value, str) or not _CARD.fullmatch(value):
        raise InvalidSetting("card", value, "a card number, whole or as 860006******6311")
    return mask_number(value)


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidSetting("probability", value, "a number from 0 to 1")
    return float(value)


def _whole(argument: str, low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if not _is_whole(value, low, high):
            raise InvalidSetting(argument, value, f"a whole number from {low:_} to {high:_}")
        return int(value)

    return check


def _span(argument: str) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        return duration_ms(value, argument)

    return check


def _status(value: Any) -> int:
    if not _is_whole(value, 201, 599) or value in _BODILESS:
        raise InvalidSetting("status", value, "an HTTP status from 201 to 599 that has a body")
    return int(value)


def _message(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
        raise InvalidSetting("message", value, f"a text of at most {_MAX_TEXT} characters")
    return value


def _data(value: Any) -> Any:
    try:
        text = msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError):
        text = b""
    # Brackets are counted instead of levels, so that nothing walks down a value without a bottom.
    if not 0 < len(text) <= _MAX_TEXT or text.count(b"[") + text.count(b"{") > _MAX_BRACKETS:
        expected = f"a JSON value of at most {_MAX_TEXT} bytes and {_MAX_BRACKETS} brackets"
        raise InvalidSetting("data", value, expected)
    return value


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(text: str) -> int | str | None:
    """Parse an integer; leave other text for validation."""
    if not text:
        return None
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _fraction(text: str) -> float | str:
    return float(text) if re.fullmatch(r"[0-9]{0,18}\.?[0-9]{1,18}", text) else text


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "method": _method,
    "when": _one_of("when", WHENS),
    "action": _one_of("action", ACTIONS),
    "account": _account,
    "amount": _amount,
    "card": _card,
    "probability": _probability,
    "times": _whole("times", 1, _MAX_NUMBER),
    "priority": _whole("priority", -_MAX_NUMBER, _MAX_NUMBER),
    "delay_ms": _span("delay_ms"),
    "advance_ms": _span("advance_ms"),
    "status": _status,
    "code": _whole("code", -_MAX_NUMBER, _MAX_NUMBER),
    "message": _message,
    "data": _data,
}
