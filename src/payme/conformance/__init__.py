"""Grades an endpoint of the Merchant API, in any language, over HTTP.

The two scenarios of Payme's own sandbox in its order, every mutating call twice, then what it does
not try: races, expiry, hostile input.

Example:
    >>> report = grade("https://shop.uz/payme", key, account={"order_id": 7}, amount=50_000)
    >>> print(report.text("uz"))
    >>> assert report.passed
"""

from collections.abc import Mapping
from typing import Any

from payme.conformance.checks import CHECKS, Subject, Verdict
from payme.conformance.exchange import Caller
from payme.conformance.report import Report
from payme.errors import InvalidArgument
from payme.money import tiyin
from payme.protocol.arguments import account as check_account

__all__ = ["Report", "Verdict", "grade"]


def grade(
    url: str,
    key: str,
    *,
    account: Mapping[str, Any],
    amount: int,
    cumulative: bool = False,
    timeout: float = 10.0,
) -> Report:
    """Grade an endpoint.

    Args:
        url: Address of the endpoint.
        key: Key of the cash-box.
        account: Account of an order that waits for payment. It is paid and taken back.
        amount: Amount of the order in tiyin.
        cumulative: The account takes money any number of times, such as a phone's balance.
        timeout: Seconds for an exchange.

    Returns:
        What was found, rule by rule.

    Raises:
        InvalidArgument: The address, the key, the account or the amount can't be right.
        ConnectionError: Nobody answers at the address.
    """
    if not url.startswith(("http://", "https://")):
        raise InvalidArgument("url", url, "an http(s) address")
    if not key or not key.isascii():
        raise InvalidArgument("key", key, "the key of the cash-box")
    caller = Caller(url, key, timeout)
    subject = Subject(caller, check_account(account), tiyin(amount), cumulative)
    try:
        _knock(caller, url)
        found = [verdict for check in CHECKS for verdict in check(subject)]
    finally:
        caller.close()
    return Report(url, tuple(found + _answered(found)))


def _knock(caller: Caller, url: str) -> None:
    """Tell a server that is not there from one that breaks every rule."""
    first = caller.send(b"{}")
    if first.status == 0:
        reason = first.response.decode("utf-8", "replace")
        raise ConnectionError(f"{url} does not answer: {reason}")


def _answered(found: list[Verdict]) -> list[Verdict]:
    """Look at every answer to a call once more: HTTP 200, JSON-RPC, and its own id."""
    calls = {exchange for verdict in found for exchange in verdict.exchanges if exchange.method}
    return [Verdict("http-200", call.is_rpc, (call,)) for call in calls]
