"""What is asked of an endpoint, in the order of Payme's own sandbox, and what it does not ask.

A check is a generator: it yields a verdict for each rule it looks at. It takes an order from those
that wait for payment and gives it back free, so that one order is enough for nearly everything; the
payment comes late, because it uses its order up.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from payme.conformance.access_checks import access
from payme.conformance.attempt_checks import attempt, unknown_transactions
from payme.conformance.endpoint import Check, Endpoint
from payme.conformance.exchange import Exchange
from payme.conformance.findings import (
    ACCOUNT_CODES,
    Expectation,
    Verdict,
    judge,
    shown,
    status_200,
    texts,
)
from payme.conformance.input_checks import hostile, printed_form, unknown_account, wrong_amount
from payme.conformance.payment_checks import payment
from payme.conformance.race_checks import expiry, perform_against_cancel, races

CHECKS: Final[tuple[Callable[[Endpoint], Check], ...]] = (
    access,
    attempt,
    wrong_amount,
    unknown_account,
    hostile,
    races,
    expiry,
    payment,
    perform_against_cancel,
    unknown_transactions,
    printed_form,
)

_JSON: Final = ("application/json", "text/json")


def run(endpoint: Endpoint) -> list[Verdict]:
    """Run every check.

    Args:
        endpoint: What is graded.

    Returns:
        What was found, in order.
    """
    found = [verdict for check in CHECKS for verdict in check(endpoint)]
    calls = {call for verdict in found for call in verdict.exchanges if call.method}
    return [*found, *(verdict for call in _by_time(calls) for verdict in form(call))]


def _by_time(calls: Iterable[Exchange]) -> list[Exchange]:
    return sorted(calls, key=lambda call: call.sent_id or 0)


def form(call: Exchange) -> Check:
    """Look at the form of an answer, whatever it says."""
    yield judge("http-200", [call], status_200(call))
    if not call.status:
        return
    yield judge("json-rpc", [call], _one_of_two(call))
    if not call.is_rpc:
        return
    id_: Any = call.answer.get("id", ...)
    yield judge(
        "id-echo", [call], Expectation("id", str(call.sent_id), shown(id_), id_ == call.sent_id)
    )
    kind = call.content_type.partition(";")[0].strip().lower()
    about = Expectation("Content-Type", " / ".join(_JSON), call.content_type or "-", kind in _JSON)
    yield judge("content-type", [call], about)
    if call.code is not None and call.code not in ACCOUNT_CODES:
        yield judge("error-message", [call], texts(call))


def _one_of_two(call: Exchange) -> Expectation:
    present = [name for name in ("result", "error") if call.answer.get(name) is not None]
    if present == ["error"] and call.code is None:
        return Expectation("error.code", "int", shown(call.error.get("code", ...)), met=False)
    return Expectation("answer", "result ⊕ error", " + ".join(present) or "-", call.is_rpc)
