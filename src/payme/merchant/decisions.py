"""What the merchant answers: a function of the request, the stored state and the time.

Nothing here reads a clock, a database or a socket. `decide` returns the answer and what is to be
stored; whoever calls it holds the order's lock, stores, and only then answers.

Every method is a table from the stage of the transaction to what is done, so that the rule for each
pair stands in one place. The stages are Payme's four states, "new" for a transaction that is not
known, and "expired" for one that waited longer than twelve hours.

Source: https://developer.help.paycom.uz/metody-merchant-api/
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from payme.errors.catalogue import Text
from payme.merchant.entities import (
    NOT_FOUND,
    Answer,
    Cancel,
    ChangePassword,
    Check,
    CheckPerform,
    Create,
    Decision,
    Event,
    Method,
    Order,
    Perform,
    Reason,
    Refusal,
    Refuse,
    Request,
    SetFiscalData,
    Statement,
    Transaction,
    TransactionState,
    Write,
)
from payme.money import MAX_TIYIN

EXPIRY_MS: Final = 43_200_000
"""How long a transaction may wait, from its creation in Payme: twelve hours (CONFIRMED)."""

_PAID: Final = Text("Buyurtma toʻlangan.", "Заказ уже оплачен.", "The order has been paid.")
_BUSY: Final = Text(
    "Buyurtma hozir toʻlanmoqda.",
    "Заказ сейчас оплачивается.",
    "The order is being paid right now.",
)
_CLOSED: Final = Text("Buyurtma yopilgan.", "Заказ закрыт.", "The order is closed.")

WRONG_AMOUNT: Final = Refusal(
    -31001, Text("Summa notoʻgʻri.", "Неверная сумма.", "The amount is wrong.")
)
UNKNOWN_TRANSACTION: Final = Refusal(
    -31003,
    Text("Tranzaksiya topilmadi.", "Транзакция не найдена.", "The transaction was not found."),
)
CANNOT_CANCEL: Final = Refusal(
    -31007,
    Text(
        "Buyurtma bajarilgan, bekor qilib boʻlmaydi.",
        "Заказ выполнен, отменить нельзя.",
        "The order is fulfilled and can't be cancelled.",
    ),
)
CANNOT_PERFORM: Final = Refusal(
    -31008,
    Text(
        "Bu amalni bajarib boʻlmaydi.",
        "Невозможно выполнить операцию.",
        "The operation can't be performed.",
    ),
)
UNKNOWN_RECEIPT: Final = Refusal(
    -32001, Text("Chek topilmadi.", "Чек не найден.", "The receipt was not found.")
)


HOOK_REFUSALS: Final[Mapping[Event, Refusal]] = {
    "created": CANNOT_PERFORM,
    "paid": CANNOT_PERFORM,
    "cancelled": CANNOT_CANCEL,
}
"""What is answered when the merchant refuses in a hook; `released` is none that may."""

FIND_REFUSALS: Final[Mapping[Method, Refusal]] = {
    # The page of CheckPerformTransaction lists account errors, and no -31008.
    "CheckPerformTransaction": Refusal(-31050, CANNOT_PERFORM.message),
    "CreateTransaction": CANNOT_PERFORM,
    "PerformTransaction": CANNOT_PERFORM,
    "CancelTransaction": CANNOT_CANCEL,
}
"""What is answered when the merchant refuses in `find`."""


def refused(refusal: Refusal, refuse: Refuse, field: str | None = None) -> Refusal:
    """Make the answer of the merchant's own refusal.

    Args:
        refusal: What is answered where the merchant says no more.
        refuse: What the merchant raised.
        field: Account field to name unless the merchant has other data.

    Returns:
        The refusal, with the merchant's text and data.
    """
    data = field if refuse.data is None else refuse.data
    return Refusal(refusal.code, refuse.message or refusal.message, data)


def decide(
    request: Request,
    order: Order | None,
    transaction: Transaction | None,
    now: int,
    *,
    refund_missing: bool = False,
    box: str = "",
) -> Decision:
    """Decide about one request.

    Args:
        request: What Payme asks; not `Statement` and `ChangePassword`, which decide nothing.
        order: The order that the account names, with its active transaction; None if there is
            none, or the decision does not look at it.
        transaction: The stored transaction with the id of the request; None if there is none.
        now: Time in ms since 1970 UTC.
        refund_missing: Refund a payment whose order is not found any more.
        box: The cash-box that asks.

    Returns:
        The answer, and what to store before it is given.
    """
    if isinstance(request, CheckPerform):
        return Decision(_allow(request, order, now))
    if isinstance(request, SetFiscalData):
        return _set_fiscal_data(request, transaction)
    if isinstance(request, Statement | ChangePassword):
        raise TypeError(f"{type(request).__name__} is not decided here")
    handler = _RULES[type(request)][stage(transaction, now)]
    return handler(Context(request, order, transaction, now, refund_missing, box))


Stage = Literal["new", "created", "expired", "performed", "cancelled", "refunded"]

_STAGES: Final[dict[int, Stage]] = {
    TransactionState.CREATED: "created",
    TransactionState.PERFORMED: "performed",
    TransactionState.CANCELLED: "cancelled",
    TransactionState.REFUNDED: "refunded",
}


def stage(transaction: Transaction | None, now: int) -> Stage:
    """Return how far a transaction is.

    Args:
        transaction: The stored transaction, None for one that is not known.
        now: Time in ms since 1970 UTC.

    Returns:
        The column of the tables.
    """
    if transaction is None:
        return "new"
    # The clock that counts is Payme's `time` (CONFIRMED), so both sides give up at the same moment.
    if transaction.state == TransactionState.CREATED and transaction.time < waits_since(now):
        return "expired"
    return _STAGES[transaction.state]


def waits_since(now: int) -> int:
    """Return since when a transaction that waits has not expired, in ms of Payme's `time`."""
    return now - EXPIRY_MS


class Context(msgspec.Struct, frozen=True):
    """One request with everything that is known about it."""

    request: Any
    order: Order | None
    transaction: Transaction | None
    now: int
    refund_missing: bool = False
    box: str = ""

    @property
    def its_order(self) -> Order | None:
        """The order that the transaction was created for; the account may name another one now."""
        same = self.order is not None and self.order.id == self.known.order_id
        return self.order if same else None

    @property
    def known(self) -> Transaction:
        """The transaction, in the stages that have one."""
        assert self.transaction is not None  # noqa: S101 - the tables say so
        return self.transaction


Handler = Callable[[Context], Decision]


def _allow(request: CheckPerform, order: Order | None, now: int) -> Answer:
    if order is None:
        return _not_found(request)
    refusal = _unpayable(request, order, now)
    if refusal is not None:
        return refusal
    extras = {"additional": order.additional, "detail": order.detail}
    return {"allow": True, **{name: extra for name, extra in extras.items() if extra is not None}}


def _not_found(request: CheckPerform | Create) -> Refusal:
    return Refusal(-31050, NOT_FOUND, _first_field(request))


def _first_field(request: CheckPerform | Create) -> str | None:
    """Name the field to blame for an account that the merchant said no more about."""
    return next(iter(request.account), None)


def _unpayable(request: CheckPerform | Create, order: Order, now: int) -> Refusal | None:
    """Return why an order can't be paid, if so.

    A busy or paid order is an account error while Payme is asking (the range that the page of
    CheckPerformTransaction lists) and -31008 when a transaction is to be created (CONFIRMED by
    Payme's own sandbox).
    """
    asking, field = isinstance(request, CheckPerform), order.field or _first_field(request)
    if order.state == "closed":
        return Refusal(-31053, _CLOSED, field)
    if not _fits(order, request.amount):
        return WRONG_AMOUNT
    if order.cumulative:
        return None
    active = None if order.active_transaction is None else stage(order.active_transaction, now)
    # The store knows what was paid, whatever the merchant's `find` remembers.
    if order.state == "paid" or active == "performed":
        return Refusal(-31051, _PAID, field) if asking else CANNOT_PERFORM
    if active == "created":
        return Refusal(-31052, _BUSY, field) if asking else CANNOT_PERFORM
    return None


def _fits(order: Order, amount: int | float) -> bool:
    if not 0 < amount <= MAX_TIYIN or amount != int(amount):
        return False
    if order.amount is not None:
        return amount == order.amount
    return (order.min_amount or 1) <= amount <= (order.max_amount or amount)


def _create(context: Context) -> Decision:
    request, order = context.request, context.order
    if order is None:
        return Decision(_not_found(request))
    refusal = _unpayable(request, order, context.now)
    if refusal is not None:
        return Decision(refusal)
    if context.now - request.time > EXPIRY_MS:
        # Payme has given it up already; to reserve the order for it would block a living attempt.
        return Decision(CANNOT_PERFORM)
    created = Transaction(
        id=request.id,
        order_id=order.id,
        time=request.time,
        amount=int(request.amount),
        account=request.account,
        create_time=context.now,
        receivers=order.receivers,
        box=context.box,
    )
    # Only one that timed out gives way: a cumulative account may have several living ones.
    expired = (
        order.active_transaction is not None
        and stage(order.active_transaction, context.now) == "expired"
    )
    freed = (
        (_timed_out(order.active_transaction, context.now),)
        if order.active_transaction and expired
        else ()
    )
    return Decision(
        _created(created), (*freed, Write(created, "created", exclusive=not order.cumulative))
    )


def _repeat_create(context: Context) -> Decision:
    known, request = context.known, context.request
    same = (request.time, request.amount, request.account)
    if same != (known.time, known.amount, known.account):
        # Payme repeats with identical params (CONFIRMED): anything else is not a repetition.
        return Decision(CANNOT_PERFORM)
    return Decision(_created(known))


def _perform(context: Context) -> Decision:
    order = context.its_order
    if order is None or not _fits(order, context.known.amount) or not _open(order):
        # The order was changed or taken away while it was reserved. Payme gives the money back.
        return Decision(CANNOT_PERFORM)
    done = replace(context.known, state=TransactionState.PERFORMED, perform_time=context.now)
    return Decision(_performed(done), (Write(done, "paid", context.known),))


def _open(order: Order) -> bool:
    return order.state == "waiting" or (order.cumulative and order.state == "paid")


def _repeat_perform(context: Context) -> Decision:
    return Decision(_performed(context.known))


def _cancel(context: Context) -> Decision:
    gone = _ended(context.known, TransactionState.CANCELLED, context.request.reason, context.now)
    return Decision(_cancelled(gone), (Write(gone, "released", context.known),))


def _refund(context: Context) -> Decision:
    order = context.its_order
    refundable = context.refund_missing if order is None else order.refundable
    if not refundable:
        return Decision(CANNOT_CANCEL)
    gone = _ended(context.known, TransactionState.REFUNDED, context.request.reason, context.now)
    return Decision(_cancelled(gone), (Write(gone, "cancelled", context.known),))


def _repeat_cancel(context: Context) -> Decision:
    return Decision(_cancelled(context.known))


def _time_out(context: Context) -> Decision:
    return Decision(CANNOT_PERFORM, (_timed_out(context.known, context.now),))


def _report(context: Context) -> Decision:
    known = context.known
    return Decision(
        {
            "create_time": known.create_time,
            "perform_time": known.perform_time,
            "cancel_time": known.cancel_time,
            "transaction": known.id,
            "state": int(known.state),
            "reason": known.reason,
        }
    )


def _refuse(refusal: Refusal) -> Handler:
    return lambda _: Decision(refusal)


_RULES: Final[Mapping[type, Mapping[Stage, Handler]]] = {
    Create: {
        "new": _create,
        "created": _repeat_create,
        "expired": _time_out,
        "performed": _refuse(CANNOT_PERFORM),
        "cancelled": _refuse(CANNOT_PERFORM),
        "refunded": _refuse(CANNOT_PERFORM),
    },
    Perform: {
        "new": _refuse(UNKNOWN_TRANSACTION),
        "created": _perform,
        "expired": _time_out,
        "performed": _repeat_perform,
        "cancelled": _refuse(CANNOT_PERFORM),
        "refunded": _refuse(CANNOT_PERFORM),
    },
    Cancel: {
        "new": _refuse(UNKNOWN_TRANSACTION),
        "created": _cancel,
        "expired": _cancel,
        "performed": _refund,
        "cancelled": _repeat_cancel,
        "refunded": _repeat_cancel,
    },
    Check: {
        "new": _refuse(UNKNOWN_TRANSACTION),
        "created": _report,
        "expired": _report,
        "performed": _report,
        "cancelled": _report,
        "refunded": _report,
    },
}


_ASKS_ORDER: Final = {(Perform, "created"), (Cancel, "performed")}


def asks_order(request: Request, transaction: Transaction, now: int) -> bool:
    """Return whether the decision about a stored transaction looks at its order.

    Args:
        request: What Payme asks.
        transaction: The stored transaction.
        now: Time in ms since 1970 UTC.

    Returns:
        True where `decide` needs the order; elsewhere `find` need not be called.
    """
    return (type(request), stage(transaction, now)) in _ASKS_ORDER


def _set_fiscal_data(request: SetFiscalData, transaction: Transaction | None) -> Decision:
    if transaction is None:
        return Decision(UNKNOWN_RECEIPT)
    # A payment and its refund are two fiscal receipts; both are kept (CONFIRMED).
    kept = replace(transaction, fiscal={**transaction.fiscal, request.type: request.fiscal_data})
    return Decision({"success": True}, (Write(kept, before=transaction),))


def _ended(known: Transaction, state: TransactionState, reason: int, now: int) -> Transaction:
    return replace(known, state=state, reason=reason, cancel_time=now)


def _timed_out(known: Transaction, now: int) -> Write:
    timed_out = _ended(known, TransactionState.CANCELLED, Reason.TIMEOUT, now)
    return Write(timed_out, "released", known)


def _created(transaction: Transaction) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "create_time": transaction.create_time,
        "transaction": transaction.id,
        "state": int(transaction.state),
    }
    if transaction.receivers:
        answer["receivers"] = msgspec.to_builtins(list(transaction.receivers))
    return answer


def _performed(transaction: Transaction) -> dict[str, Any]:
    return {
        "transaction": transaction.id,
        "perform_time": transaction.perform_time,
        "state": int(transaction.state),
    }


def _cancelled(transaction: Transaction) -> dict[str, Any]:
    return {
        "transaction": transaction.id,
        "cancel_time": transaction.cancel_time,
        "state": int(transaction.state),
    }


def statement_row(transaction: Transaction) -> dict[str, Any]:
    """Make one row of GetStatement's answer.

    Args:
        transaction: The stored transaction.

    Returns:
        The object as Payme's page lists it.
    """
    return {
        "id": transaction.id,
        "time": transaction.time,
        "amount": transaction.amount,
        "account": transaction.account,
        "create_time": transaction.create_time,
        "perform_time": transaction.perform_time,
        "cancel_time": transaction.cancel_time,
        "transaction": transaction.id,
        "state": int(transaction.state),
        "reason": transaction.reason,
        "receivers": msgspec.to_builtins(list(transaction.receivers)) or None,
    }
