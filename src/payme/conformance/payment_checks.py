"""Payme's own second scenario: an order is paid and taken back, and both are listed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, cast

from payme.conformance.attempt_checks import (
    CANNOT_PERFORM,
    TIMES,
    cancel_told,
    finished,
    is_created,
    not_performed,
    reported,
)
from payme.conformance.endpoint import Account, Check, Endpoint, new_transaction
from payme.conformance.exchange import Exchange, now
from payme.conformance.findings import (
    ACCOUNT_CODES,
    CUMULATIVE,
    EARLIER,
    NO_ORDER,
    NOT_REFUNDED,
    ONE_TIME,
    Expectation,
    code,
    compared,
    happened,
    is_text,
    judge,
    later,
    member,
    refused,
    same,
    shown,
    text,
    unseen,
)

_OLD: Final = 11 * 3_600_000
"""Age of the transaction that is paid, in ms: under the twelve hours, and its `time` is far from
`create_time`, by which a statement must not search."""

_NEEDS_PAYMENT: Final = (
    "expiry-early",
    "perform",
    "perform-time",
    "race-perform",
    "repeat-perform",
    "paid-check",
    "paid-order",
    "refund",
    "perform-refunded",
    "statement",
    "statement-bounds",
    "statement-order",
    "statement-row",
)


class _Paid(NamedTuple):
    """A transaction that was performed, and how."""

    order: Account
    transaction: str
    at: int
    created: Exchange
    performed: Exchange
    """The first of two simultaneous requests that was served."""
    raced: Exchange


def payment(endpoint: Endpoint) -> Check:
    """Create, perform and cancel, every mutating call twice, and list what happened."""
    order = endpoint.orders.take()
    if order is None:
        yield from (unseen(rule, NO_ORDER) for rule in _NEEDS_PAYMENT)
        return
    base = now() - _OLD
    # Neither in the order of Payme's times nor backwards: a statement shows what it is sorted by.
    others = [_cancelled_attempt(endpoint, order, base + later) for later in (60_000, 90_000)]
    paid = _pay(endpoint, order, base)
    early = paid
    if not paid.performed.has_result:
        # Too old for this endpoint, or it performs nothing at all? A new one tells.
        endpoint.cancel(paid.transaction, 3)
        paid = _pay(endpoint, order, now())
    if not paid.performed.has_result:
        yield judge("perform", [paid.created, paid.performed], member(paid.performed, "state", 2))
        yield from (unseen(rule, EARLIER) for rule in _NEEDS_PAYMENT if rule != "perform")
        return
    seen = [early.created, early.performed]
    yield judge("expiry-early", seen, member(early.performed, "state", 2))
    yield from is_created(paid.created)
    yield from _performed(endpoint, paid)
    refused_id = new_transaction()
    yield from _paid_order(endpoint, order, refused_id, paid.at + 30_000)
    yield finished(endpoint, order, paid.transaction, paid.at, 2)
    yield from _refund(endpoint, paid)
    yield from _statement(endpoint, paid, others, refused_id)
    endpoint.orders.give_back(order, free=False)


def _cancelled_attempt(endpoint: Endpoint, order: Account, at: int) -> str | None:
    """Leave a cancelled transaction for the statement; None if the endpoint creates none so old."""
    transaction = new_transaction()
    if not endpoint.create(order, transaction, at).has_result:
        return None
    endpoint.cancel(transaction, 3)
    # Two of the same second would be in any order.
    endpoint.pause()
    return transaction


def _pay(endpoint: Endpoint, order: Account, at: int) -> _Paid:
    transaction = new_transaction()
    created = endpoint.create(order, transaction, at)
    endpoint.pause()
    with ThreadPoolExecutor(2) as pool:
        pair = list(pool.map(endpoint.perform, (transaction, transaction)))
    performed, raced = sorted(pair, key=lambda said: not said.has_result)
    return _Paid(order, transaction, at, created, performed, raced)


def _performed(endpoint: Endpoint, paid: _Paid) -> Check:
    performed = paid.performed
    yield judge("perform", [performed], member(performed, "state", 2))
    created = paid.created.result.get("create_time")
    moments = [happened(performed, "perform_time")]
    if isinstance(created, int):
        moments.append(later(performed, "perform_time", created))
    yield judge("perform-time", [paid.created, performed], *moments)
    yield judge("transaction-text", [performed], text(performed, "transaction"))
    yield judge("race-perform", [performed, paid.raced], same(performed, paid.raced))
    endpoint.pause()
    again = endpoint.perform(paid.transaction)
    yield judge("repeat-perform", [performed, again], same(performed, again))
    yield from reported(endpoint, paid.transaction, 2, paid.created, performed)


def _paid_order(endpoint: Endpoint, order: Account, transaction: str, at: int) -> Check:
    asked = endpoint.check_perform(order)
    created = endpoint.create(order, transaction, at)
    if endpoint.cumulative:
        expected = member(asked, "allow", True), member(created, "state", 1)
        yield judge("cumulative", [asked, created], *expected)
        endpoint.cancel(transaction, 3)
        yield from (unseen(rule, CUMULATIVE) for rule in ("paid-check", "paid-order"))
        return
    yield unseen("cumulative", ONE_TIME)
    yield judge("paid-check", [asked], code(asked, CANNOT_PERFORM, ACCOUNT_CODES))
    yield judge("paid-order", [created], refused(created))
    if created.code is not None:
        yield from not_performed(endpoint, transaction, created)
    else:
        endpoint.cancel(transaction, 3)


def _refund(endpoint: Endpoint, paid: _Paid) -> Check:
    gone = endpoint.cancel(paid.transaction, 5)
    if gone.code == -31007:
        looked = endpoint.look(paid.transaction)
        yield judge("refund", [gone, looked], member(looked, "state", 2))
        yield unseen("perform-refunded", NOT_REFUNDED)
        return
    yield judge("refund", [gone], member(gone, "state", -2))
    yield from cancel_told(gone, paid.performed.result.get("perform_time"))
    endpoint.pause()
    again = endpoint.cancel(paid.transaction, 5)
    yield judge("repeat-cancel", [gone, again], same(gone, again))
    said = paid.created, paid.performed, gone
    yield from reported(endpoint, paid.transaction, -2, *said, reason=5)
    performed = endpoint.perform(paid.transaction)
    looked = endpoint.look(paid.transaction)
    expected = code(performed, CANNOT_PERFORM), member(looked, "state", -2)
    yield judge("perform-refunded", [performed, looked], *expected)
    yield finished(endpoint, paid.order, paid.transaction, paid.at, -2)


def _statement(endpoint: Endpoint, paid: _Paid, others: list[str | None], refused_id: str) -> Check:
    at = paid.at
    whole = endpoint.statement(at - 1_000, at + 91_000)
    created = [paid.transaction, *(one for one in others if one and _is_old(at))]
    left_out = [] if endpoint.cumulative else [refused_id]
    listed = [_lists(whole, one) for one in created]
    yield judge("statement", [whole], *listed, *(_lists(whole, one, False) for one in left_out))
    yield judge("statement-order", [whole], _ascends(whole))
    yield from _row(endpoint, paid, whole)
    ends = endpoint.statement(at, at)
    yield judge("statement-bounds", [ends], _lists(ends, paid.transaction))
    for first, last in ((at + 1, at + 2), (at - 2, at - 1)):
        outside = endpoint.statement(first, last)
        yield judge("statement-bounds", [outside], _lists(outside, paid.transaction, False))


def _is_old(at: int) -> bool:
    return now() - at > _OLD // 2


def _rows(said: Exchange) -> list[dict[str, Any]] | None:
    rows = said.result.get("transactions")
    if not isinstance(rows, list):
        return None
    found = cast("list[Any]", rows)
    return [cast("dict[str, Any]", row) for row in found if isinstance(row, dict)]


def _lists(said: Exchange, transaction: str, listed: bool = True) -> Expectation:  # noqa: FBT001, FBT002
    """Expect a row of a transaction, or none of it, in a list that is there."""
    rows = _rows(said)
    found = rows is not None and any(row.get("id") == transaction for row in rows)
    about = "result.transactions"
    if rows is None:
        return Expectation(about, "[…]", shown(said.result.get("transactions", ...)), met=False)
    sign = {True: "∋", False: "∌"}
    id_ = shown(transaction)
    return Expectation(about, f"{sign[listed]} {id_}", f"{sign[found]} {id_}", found is listed)


def _ascends(said: Exchange) -> Expectation:
    """Expect rows by Payme's time or by the merchant's: the page says "date of creation"."""
    rows = _rows(said) or []
    columns = [[row.get(name) for row in rows] for name in ("time", "create_time")]
    met = bool(rows) and any(_sorted(column) for column in columns)
    return Expectation("result.transactions[].time", "t₁ ≤ t₂ ≤ …", shown(columns[0]), met)


def _sorted(column: list[Any]) -> bool:
    return all(isinstance(one, int) for one in column) and column == sorted(column)


def _row(endpoint: Endpoint, paid: _Paid, whole: Exchange) -> Check:
    row = next((row for row in _rows(whole) or [] if row.get("id") == paid.transaction), None)
    if row is None:
        yield unseen("statement-row", EARLIER)
        return
    looked = endpoint.look(paid.transaction)
    about = "result.transactions[]."
    known: dict[str, Any] = {"time": paid.at, "amount": endpoint.amount}
    known |= {name: looked.result.get(name) for name in ("transaction", "state", "reason", *TIMES)}
    expected = [compared(about + name, row, name, value) for name, value in known.items()]
    account = _texts({"account": paid.order})["account"]
    expected.append(compared(about + "account", _texts(row), "account", account))
    expected.append(is_text(about + "transaction", row, "transaction"))
    yield judge("statement-row", [looked, whole], *expected)


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account with texts for values: a shop may store 7 as "7"."""
    account: Any = row.get("account")
    if not isinstance(account, Mapping):
        return {"account": account}
    fields = cast("Mapping[str, Any]", account)
    return {"account": {name: str(value) for name, value in fields.items()}}
