"""Grades an endpoint of the Merchant API, in any language, over HTTP.

The two scenarios of Payme's own sandbox in its order, every mutating call twice, then what it does
not try: races, expiry, hostile input. Each rule is kept, broken, or was not seen: what proves
nothing is no pass.

Example:
    >>> report = grade("https://shop.uz/payme", key, account={"order_id": 7}, amount=50_000)
    >>> print(report.text("uz"))
    >>> assert report.passed
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from payme.conformance.checks import run
from payme.conformance.endpoint import Account, Endpoint, Orders
from payme.conformance.exchange import LOGIN, Caller
from payme.conformance.findings import Verdict
from payme.conformance.preflight import PreflightError, preflight
from payme.conformance.report import Report
from payme.errors import InvalidArgument
from payme.money import tiyin
from payme.protocol.arguments import account as check_account

__all__ = ["LONGEST_S", "PreflightError", "Report", "Verdict", "grade"]

LONGEST_S: Final = 600.0
"""The longest time for an exchange, in seconds."""

GivenAccounts = Mapping[str, Any] | Sequence[Mapping[str, Any]] | Callable[[], Mapping[str, Any]]


def grade(
    url: str,
    key: str,
    *,
    account: GivenAccounts,
    amount: int,
    cumulative: bool = False,
    login: str = LOGIN,
    timeout: float = 10.0,
) -> Report:
    """Grade an endpoint.

    Args:
        url: Address of the endpoint.
        key: Key of the cash-box.
        account: Account of an order that waits for payment; several of them; or a function that
            makes an order and returns its account. With two every rule is seen. They are paid and
            taken back.
        amount: Amount of each order in tiyin.
        cumulative: The account takes money any number of times, such as a phone's balance.
        login: Login of the Basic scheme.
        timeout: Seconds for a whole exchange.

    Returns:
        What was found, rule by rule.

    Raises:
        InvalidArgument: The address, the key, an account or the amount can't be right.
        PreflightError: Nobody answers at the address, or the key or an order is not right.

    Source: https://developer.help.paycom.uz/pesochnitsa
    """
    check_call(url, key, timeout)
    # Most of what importing this costs is its HTTP client.
    from payme.conformance.merchant_http import HttpTransport

    orders = _orders(account, cumulative=cumulative)
    caller = Caller(HttpTransport(url, timeout), key, login)
    try:
        return grade_endpoint(Endpoint(caller, orders, tiyin(amount), cumulative), url)
    finally:
        caller.close()


def grade_endpoint(endpoint: Endpoint, url: str) -> Report:
    """Grade an endpoint that is reached in any way.

    Args:
        endpoint: The endpoint and its orders.
        url: Its address, for the report.

    Raises:
        PreflightError: It can't be graded.
    """
    preflight(endpoint, url)
    return Report(url, tuple(run(endpoint)))


def check_call(url: str, key: str, timeout: float) -> None:
    """Refuse what no request can be made of.

    Raises:
        InvalidArgument: The address, the key or the time can't be right.
    """
    if not url.startswith(("http://", "https://")) or not url.isascii() or not url.isprintable():
        raise InvalidArgument("url", url, "an http(s) address")
    if not key or not key.isascii() or not key.isprintable():
        raise InvalidArgument("key", key, "the key of the cash-box")
    if not 0 < timeout <= LONGEST_S:
        raise InvalidArgument("timeout", timeout, f"seconds, more than 0 and at most {LONGEST_S:g}")


def _orders(account: GivenAccounts, *, cumulative: bool) -> Orders:
    if callable(account):
        make = account
        return Orders([], lambda: check_account(make()), cumulative=cumulative)
    given = [account] if isinstance(account, Mapping) else list(account)
    if not given:
        raise InvalidArgument("account", given, "an account, such as {'order_id': 7}")
    return Orders(
        [cast("Account", check_account(one)) for one in given], None, cumulative=cumulative
    )
