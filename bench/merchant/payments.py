"""Whole payments over HTTP, with every answer held against what Payme's pages promise."""

from __future__ import annotations

import base64
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from bench.merchant.apps.shop import ACCOUNT_FIELD, KEY, LOGIN, PATH, TIYIN

METHODS = (
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CheckTransaction",
)
NEAR_MS = 60_000
CREATED, PERFORMED = 1, 2

_HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Authorization: Basic {base64.b64encode(f'{LOGIN}:{KEY}'.encode()).decode()}\r\n"
    "Content-Length: "
).encode()

Payment = Generator[bytes, bytes, None]
"""Gives requests, and is sent the body of each answer."""


@dataclass
class Tally:
    """What came of the calls.

    Attributes:
        answered: Calls that got a result.
        failed: Calls that got an error, by method and error.
        flaws: Results that are not what Payme's pages promise, by what is wrong.
        paid: Payments that got to their end.
    """

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    flaws: Counter[str] = field(default_factory=Counter)
    paid: int = 0


def transaction_id(number: int) -> str:
    """Return Payme's id of the payment with that number."""
    # Spread over the index, as Payme's ids are when several hosts make them.
    return f"{number * 2654435761 % 2**32:08x}{number:016x}"


def params_of(method: str, number: int, now_ms: int) -> dict[str, Any]:
    """Return the params of one call of a payment."""
    account = {"amount": TIYIN, "account": {ACCOUNT_FIELD: number}}
    if method == "CheckPerformTransaction":
        return account
    if method == "CreateTransaction":
        return {"id": transaction_id(number), "time": now_ms, **account}
    return {"id": transaction_id(number)}


def request(call_id: int, method: str, params: dict[str, Any]) -> bytes:
    """Return the bytes of one HTTP request."""
    body = msgspec.json.encode({"id": call_id, "method": method, "params": params})
    return b"%b%d\r\n\r\n%b" % (_HEAD, len(body), body)


def payment(number: int, tally: Tally) -> Payment:
    """Pay one order, and give up when a call is refused.

    Args:
        number: Of the order.
        tally: Where the outcome is noted.
    """
    seen: dict[str, Any] = {}
    for call_id, method in enumerate(METHODS, number):
        params = params_of(method, number, now_ms())
        answer = msgspec.json.decode((yield request(call_id, method, params)))
        result = answer.get("result")
        if not isinstance(result, dict):
            tally.failed[f"{method}: {str(answer.get('error'))[:200]}"] += 1
            return
        tally.answered += 1
        tally.flaws.update(flaws(method, call_id, answer, seen))
        seen.update(result)
    tally.paid += 1


def echoed(number: int, tally: Tally) -> Payment:
    """Send the calls of a payment to a server that sends them back."""
    for call_id, method in enumerate(METHODS, number):
        sent = request(call_id, method, params_of(method, number, now_ms()))
        if not sent.endswith((yield sent)):
            tally.failed["not an echo"] += 1
        tally.answered += 1
    tally.paid += 1


def now_ms() -> int:
    """Tell the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def flaws(
    method: str, call_id: int, answer: dict[str, Any], seen: dict[str, Any]
) -> Generator[str]:
    """Yield what is wrong with a result.

    Args:
        method: What was called.
        call_id: The `id` of the call.
        answer: The whole answer.
        seen: Members of the results of the calls before.
    """
    if answer.get("id") != call_id:
        yield "the `id` of the call is not echoed"
    result = answer["result"]
    for name, right in EXPECTED[method].items():
        value = result.get(name)
        if not (right(value, seen) if callable(right) else value == right and name in result):
            yield f"{method}: `{name}` {described(name, value)}"


def described(name: str, value: Any) -> str:
    """Say what a member is instead; moments as their distance from now."""
    if name.endswith("_time") and isinstance(value, int) and value:
        return f"is {(value - now_ms()) / 3_600_000:+.1f} h from now"
    return f"is {value!r}"


def is_near(value: Any, _: dict[str, Any]) -> bool:
    """Return whether a moment is now."""
    return isinstance(value, int) and abs(value - now_ms()) < NEAR_MS


def as_before(name: str) -> Any:
    """Return a check that a member is what an earlier answer said."""
    return lambda value, seen: value == seen.get(name)


EXPECTED: dict[str, dict[str, Any]] = {
    "CheckPerformTransaction": {"allow": True},
    "CreateTransaction": {"state": CREATED, "create_time": is_near},
    "PerformTransaction": {
        "state": PERFORMED,
        "perform_time": is_near,
        "transaction": as_before("transaction"),
    },
    "CheckTransaction": {
        "state": PERFORMED,
        "create_time": as_before("create_time"),
        "perform_time": as_before("perform_time"),
        "cancel_time": 0,
        "transaction": as_before("transaction"),
        "reason": None,
    },
}
