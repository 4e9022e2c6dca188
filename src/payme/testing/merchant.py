"""The grader of the Merchant API, as an assertion."""

from collections.abc import Mapping
from typing import Any

from payme.conformance import Report, grade
from payme.errors.catalogue import Language


def check_merchant(
    url: str,
    key: str,
    *,
    account: Mapping[str, Any],
    amount: int,
    cumulative: bool = False,
    timeout: float = 10.0,
    language: Language = "en",
) -> Report:
    """Assert that an endpoint keeps every rule of the Merchant API.

    Args:
        url: Address of the endpoint.
        key: Key of the cash-box.
        account: Account of an order that waits for payment. It is paid and taken back.
        amount: Amount of the order in tiyin.
        cumulative: The account takes money any number of times, such as a phone's balance.
        timeout: Seconds for an exchange.
        language: Language of what is said about a broken rule: `uz`, `ru` or `en`.

    Returns:
        What was found, rule by rule.

    Raises:
        AssertionError: A rule is broken; the text has each, with the exchange that broke it.
        InvalidArgument: The address, the key, the account or the amount can't be right.
        ConnectionError: Nobody answers at the address.

    Example:
        >>> check_merchant(
        ...     "http://127.0.0.1:8000/payme", KEY, account={"order_id": 7}, amount=50_000
        ... )
    """
    __tracebackhide__ = True
    report = grade(url, key, account=account, amount=amount, cumulative=cumulative, timeout=timeout)
    if not report.passed:
        raise AssertionError(report.text(language, kept=False))
    return report
