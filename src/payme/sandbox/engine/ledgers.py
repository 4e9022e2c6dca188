"""Two ledgers of the same payments: Payme's, and what the merchant answered."""

from typing import Any, Final, Literal, NamedTuple, cast

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import merchant_calls
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.merchant_calls import (
    CANCELLED,
    CANCELLED_AFTER_PERFORM,
    CREATED,
    PERFORMED,
    MerchantCall,
    MerchantReply,
)
from payme.sandbox.engine.model import MerchantTransaction, Receipt

S = ReceiptState

_OVER: Final = frozenset({CANCELLED, CANCELLED_AFTER_PERFORM})

# What the merchant must have said last for the money to be where both think it is; None: nothing.
_EXPECTED: Final[dict[ReceiptState, frozenset[int | None]]] = {
    S.CREATED: frozenset({None}),
    S.BILLING_CREATE: frozenset({None, CREATED}),
    S.DEBITING: frozenset({CREATED}),
    S.HOLDING: frozenset({CREATED}),
    S.HELD: frozenset({CREATED}),
    S.BILLING_PERFORM: frozenset({PERFORMED}),
    S.PERFORM_QUEUED: frozenset({PERFORMED}),
    S.SUSPENDED: frozenset({PERFORMED}),
    S.PAID: frozenset({PERFORMED}),
    S.CANCEL_QUEUED: _OVER,
    S.CANCELLED: _OVER | {None},
}

_LEDGER_METHODS: Final = frozenset(
    {"CreateTransaction", "PerformTransaction", "CancelTransaction", "CheckTransaction"}
)


class Difference(NamedTuple):
    """One matter in which the two ledgers disagree."""

    receipt_id: str
    what: Literal["state", "unanswered", "amount", "time", "account", "missing", "unknown"]
    """`missing`: not in the merchant's statement; `unknown`: only there."""
    payme: Any
    """What Payme has."""
    merchant: Any
    """What the merchant said."""


def note(call: Call, asked: MerchantCall, reply: MerchantReply) -> None:
    """Write into the merchant's ledger what it said about a transaction."""
    method = asked.request.method
    if method not in _LEDGER_METHODS:
        return
    known = call.state.get_transaction(asked.receipt_id)
    old = known or MerchantTransaction(receipt_id=asked.receipt_id)
    new = _noted(old, method, reply)
    if not (reply.lost or reply.outcome == "unreachable"):
        new = replace(new, heard_at=call.now)
    if new != known:
        call.state.put_transaction(new)


def difference(receipt: Receipt | None, transaction: MerchantTransaction) -> list[Difference]:
    """Compare what Payme has and what the merchant last answered, for one receipt."""
    if receipt is None:
        return []
    rows: list[Difference] = []
    if not _fits(receipt, transaction.state):
        rows.append(Difference(receipt.id, "state", int(receipt.state), transaction.state))
    if transaction.unanswered:
        rows.append(
            Difference(receipt.id, "unanswered", int(receipt.state), transaction.unanswered)
        )
    return rows


def compare_statement(
    ours: dict[str, Receipt], statement: list[dict[str, Any]]
) -> list[Difference]:
    """Hold a statement of the merchant's against Payme's receipts of the same period.

    Args:
        ours: Receipts whose transaction the merchant made in the period, by id.
        statement: `transactions` of GetStatement.
    """
    theirs = {str(row.get("id")): row for row in statement}
    rows = [Difference(one, "missing", int(ours[one].state), None) for one in ours.keys() - theirs]
    rows += [Difference(one, "unknown", None, theirs[one]) for one in theirs.keys() - ours]
    for one in ours.keys() & theirs.keys():
        rows += _compare(ours[one], theirs[one])
    return sorted(rows, key=lambda row: (row.receipt_id, row.what))


def _compare(receipt: Receipt, row: dict[str, Any]) -> list[Difference]:
    pairs: list[tuple[Literal["amount", "time", "account"], Any]] = [
        ("amount", receipt.amount),
        ("time", receipt.payment.time),
        ("account", receipt.account),
    ]
    rows = [
        Difference(receipt.id, what, ours, row.get(what))
        for what, ours in pairs
        if row.get(what) != ours
    ]
    if not _fits(receipt, row.get("state")):
        rows.append(Difference(receipt.id, "state", int(receipt.state), row.get("state")))
    return rows


def _fits(receipt: Receipt, state: Any) -> bool:
    expected = _EXPECTED.get(receipt.state, frozenset())
    return state in expected if state is None or type(state) is int else False


def _noted(old: MerchantTransaction, method: str, reply: MerchantReply) -> MerchantTransaction:
    if reply.agreed:
        return _told(old, cast("dict[str, Any]", reply.result))
    if reply.refused:
        return replace(old, state=_implied(old, method, reply), unanswered="")
    if reply.lost and method != "CheckTransaction":
        return replace(old, unanswered=method)
    return old


def _implied(old: MerchantTransaction, method: str, reply: MerchantReply) -> int | None:
    """Tell what a refusal says of the transaction's state."""
    if reply.code == merchant_calls.NOT_FOUND:
        return None
    fulfilled = reply.code == merchant_calls.CANNOT_CANCEL and method == "CancelTransaction"
    return PERFORMED if fulfilled else old.state


def _told(old: MerchantTransaction, result: dict[str, Any]) -> MerchantTransaction:
    """Take over what a result tells; a method tells only its own part."""
    return replace(
        old,
        state=result["state"],
        transaction=str(result.get("transaction") or old.transaction),
        create_time=_time(result.get("create_time")) or old.create_time,
        perform_time=_time(result.get("perform_time")) or old.perform_time,
        cancel_time=_time(result.get("cancel_time")) or old.cancel_time,
        reason=_time(result.get("reason")) or old.reason,
        unanswered="",
    )


def _time(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
