"""Payme's own first scenario: an attempt is created and cancelled, every mutating call twice."""

from collections.abc import Iterator
from typing import Any, Final

from payme.conformance.access_checks import wrong
from payme.conformance.endpoint import Account, Check, Endpoint, new_transaction
from payme.conformance.exchange import Exchange, now
from payme.conformance.findings import (
    ACCOUNT_CODES,
    CUMULATIVE,
    EARLIER,
    Expectation,
    Verdict,
    code,
    compared,
    happened,
    judge,
    later,
    member,
    refused,
    same,
    served,
    shown,
    text,
    unseen,
)

_WHILE: Final = 600_000
"""How long ago Payme created the transaction, in ms: its `time` is then not our `create_time`."""

CANNOT_PERFORM: Final = -31008
UNKNOWN: Final = -31003
TIMES: Final = ("create_time", "perform_time", "cancel_time")


def attempt(endpoint: Endpoint) -> Check:
    """Create a transaction, repeat, be refused a second one, cancel it, and try to revive it."""
    order = endpoint.orders.take()
    assert order is not None  # noqa: S101 - there is one at least, and this check comes first
    transaction, at = new_transaction(), now() - _WHILE
    yield from _denied_create(endpoint, order)
    allowed = endpoint.check_perform(order)
    yield judge("check-perform", [allowed], member(allowed, "allow", True))
    created = endpoint.create(order, transaction, at)
    yield from is_created(created)
    if not created.has_result:
        yield from (unseen(rule, EARLIER) for rule in _NEEDS_CREATE)
        endpoint.orders.give_back(order)
        return
    yield from reported(endpoint, transaction, 1, created)
    yield from _denied_change(endpoint, transaction)
    yield from _second(endpoint, order)
    endpoint.pause()
    again = endpoint.create(order, transaction, at)
    yield judge("repeat-create", [created, again], same(created, again))
    yield from _cancelled(endpoint, transaction, created)
    yield from _not_revived(endpoint, order, transaction, at)
    yield from _free_again(endpoint, order)


_NEEDS_CREATE: Final = ("check-transaction", "repeat-create", "auth-effect", "cancel")


def _denied_create(endpoint: Endpoint, order: Account) -> Check:
    """Come with a wrong key for an order that exists."""
    transaction = new_transaction()
    denied = endpoint.create(order, transaction, now(), credentials=wrong(endpoint.caller))
    looked = endpoint.look(transaction)
    yield judge("auth-effect", [denied, looked], code(looked, UNKNOWN))
    if looked.has_result:
        endpoint.cancel(transaction, 3)


def _denied_change(endpoint: Endpoint, transaction: str) -> Check:
    """Come with a wrong key for a transaction that waits."""
    bad = wrong(endpoint.caller)
    denied = [endpoint.perform(transaction, bad), endpoint.cancel(transaction, 3, bad)]
    looked = endpoint.look(transaction)
    yield judge("auth-effect", [*denied, looked], member(looked, "state", 1))


def is_created(said: Exchange) -> Check:
    """Look at an answer to CreateTransaction."""
    yield judge("create", [said], member(said, "state", 1))
    if said.has_result:
        yield judge("create-time", [said], happened(said, "create_time"))
        yield judge("transaction-text", [said], text(said, "transaction"))


def reported(
    endpoint: Endpoint, transaction: str, state: int, *said: Exchange, reason: int | None = None
) -> Check:
    """Ask CheckTransaction, and compare it with what the other methods said."""
    looked = endpoint.look(transaction)
    known: dict[str, Any] = {}
    for one in said:
        known |= one.result
    yield judge("check-transaction", [looked], member(looked, "state", state), *_have_times(looked))
    yield judge("reason", [*said, looked], member(looked, "reason", reason))
    yield judge("transaction-text", [looked], text(looked, "transaction"))
    told = [name for name in ("transaction", *TIMES) if name in known]
    agreed = [compared(f"result.{name}", looked.result, name, known[name]) for name in told]
    yield judge("transaction-same", [*said, looked], *agreed)
    unset = [member(looked, name, 0) for name in TIMES if name not in known]
    if unset:
        yield judge("unset-times", [looked], *unset)


def _have_times(looked: Exchange) -> Iterator[Expectation]:
    for name in TIMES:
        value = looked.result.get(name, ...)
        yield Expectation(f"result.{name}", "Timestamp", shown(value), value is not ...)


def _second(endpoint: Endpoint, order: Account) -> Check:
    """Bring a second transaction while the first one waits."""
    other = new_transaction()
    asked = endpoint.check_perform(order)
    second = endpoint.create(order, other, now())
    if endpoint.cumulative:
        yield judge("cumulative", [asked, second], member(second, "state", 1))
        endpoint.cancel(other, 3)
        yield from (unseen(rule, CUMULATIVE) for rule in ("busy-order", "busy-code", "busy-check"))
        return
    yield judge("busy-check", [asked], code(asked, CANNOT_PERFORM, ACCOUNT_CODES))
    yield judge("busy-order", [second], refused(second))
    yield judge("busy-code", [second], code(second, CANNOT_PERFORM))
    if second.code is not None:
        yield from not_performed(endpoint, other, second)
    else:
        endpoint.cancel(other, 3)


def not_performed(endpoint: Endpoint, transaction: str, created: Exchange) -> Check:
    """Perform what was refused to be created; take it back if that works."""
    performed = endpoint.perform(transaction)
    expected = code(performed, UNKNOWN, CANNOT_PERFORM)
    yield judge("refused-perform", [created, performed], expected)
    if performed.has_result:
        endpoint.cancel(transaction, 5)


def _cancelled(endpoint: Endpoint, transaction: str, created: Exchange) -> Check:
    gone = endpoint.cancel(transaction, 3)
    yield judge("cancel", [gone], member(gone, "state", -1))
    yield from cancel_told(gone, created.result.get("create_time"))
    endpoint.pause()
    again = endpoint.cancel(transaction, 3)
    yield judge("repeat-cancel", [gone, again], same(gone, again))
    yield from reported(endpoint, transaction, -1, created, gone, reason=3)


def cancel_told(gone: Exchange, before: Any) -> Check:
    """Look at an answer to CancelTransaction; `before` is the time of what it undoes."""
    if not gone.has_result:
        return
    moments = [happened(gone, "cancel_time")]
    if isinstance(before, int):
        moments.append(later(gone, "cancel_time", before))
    yield judge("cancel-time", [gone], *moments)
    yield judge("transaction-text", [gone], text(gone, "transaction"))


def _not_revived(endpoint: Endpoint, order: Account, transaction: str, at: int) -> Check:
    performed = endpoint.perform(transaction)
    looked = endpoint.look(transaction)
    expected = code(performed, CANNOT_PERFORM), member(looked, "state", -1)
    yield judge("perform-cancelled", [performed, looked], *expected)
    yield finished(endpoint, order, transaction, at, -1)


def finished(endpoint: Endpoint, order: Account, transaction: str, at: int, state: int) -> Verdict:
    """Create a transaction again that has come to its end."""
    created = endpoint.create(order, transaction, at)
    looked = endpoint.look(transaction)
    expected = code(created, CANNOT_PERFORM), member(looked, "state", state)
    return judge("create-finished", [created, looked], *expected)


def _free_again(endpoint: Endpoint, order: Account) -> Check:
    yield from freed(endpoint, order, "cancelled-frees")


def freed(endpoint: Endpoint, order: Account, rule: str) -> Check:
    """Try an order again whose attempt is over, and give it back if it is free."""
    transaction = new_transaction()
    asked = endpoint.check_perform(order)
    created = endpoint.create(order, transaction, now())
    yield judge(rule, [asked, created], served(asked), served(created))
    gone = endpoint.cancel(transaction, 3)
    if created.has_result and gone.has_result:
        endpoint.orders.give_back(order)


def unknown_transactions(endpoint: Endpoint) -> Check:
    """Name transactions that nobody created, and a period that has none."""
    for said in (
        endpoint.perform(new_transaction()),
        endpoint.cancel(new_transaction(), 1),
        endpoint.look(new_transaction()),
    ):
        yield judge("unknown-transaction", [said], code(said, UNKNOWN))
    nothing = endpoint.statement(1, 2)
    yield judge("statement-empty", [nothing], member(nothing, "transactions", []))
