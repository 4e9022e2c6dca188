"""The grader of the Merchant API, as an assertion."""

from payme.conformance import GivenAccounts, PreflightError, Report, grade
from payme.conformance.exchange import LOGIN
from payme.errors.catalogue import Language


def check_merchant(
    url: str,
    key: str,
    *,
    account: GivenAccounts,
    amount: int,
    cumulative: bool = False,
    login: str = LOGIN,
    timeout: float = 10.0,
    strict: bool = False,
    language: Language = "en",
) -> Report:
    """Assert that an endpoint keeps every rule of the Merchant API about money and the protocol.

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
        strict: A rule that was not seen is an error, too.
        language: Language of what is said about a broken rule: `uz`, `ru` or `en`.

    Returns:
        What was found, rule by rule.

    Raises:
        AssertionError: A rule is broken; the text has each, with what was expected beside what
            came, and each that was not seen. Or nothing can be graded: nobody answers at the
            address, or the key or an order is not right.
        InvalidArgument: The address, the key, an account or the amount can't be right.

    Example:
        >>> check_merchant(
        ...     "http://127.0.0.1:8000/payme",
        ...     KEY,
        ...     account=[{"order_id": 7}, {"order_id": 8}],
        ...     amount=50_000,
        ... )
    """
    __tracebackhide__ = True
    try:
        report = grade(
            url,
            key,
            account=account,
            amount=amount,
            cumulative=cumulative,
            login=login,
            timeout=timeout,
        )
    except PreflightError as error:
        raise AssertionError(error.text(language)) from None
    if not report.passed or (strict and not report.complete):
        raise AssertionError(report.text(language, kept=False))
    return report
