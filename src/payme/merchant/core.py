"""What the merchant answers: a function of the request, the stored state and the time.

Nothing here reads a clock, a database or a socket. `decide` returns the answer and what is to be
stored; whoever calls it holds the order's lock, stores, and only then answers.

Every method is a table from the stage of the transaction to what is done, so that the rule for each
pair stands in one place. The stages are Payme's four states, "new" for a transaction that is not
known, and "expired" for one that waited longer than twelve hours.

Source: https://developer.help.paycom.uz/metody-merchant-api/
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import replace

from payme.errors.catalogue import Text
from payme.protocol.states import OpenIntEnum

EXPIRY_MS: Final = 43_200_000
"""How long a transaction may wait, from its creation in Payme: twelve hours (CONFIRMED)."""


class TransactionState(OpenIntEnum):
    """State of a transaction. The numbers are Payme's (CONFIRMED)."""

    CREATED = 1
    PERFORMED = 2
    CANCELLED = -1
    REFUNDED = -2


class Reason(OpenIntEnum):
    """Why a transaction was cancelled. The numbers are Payme's (CONFIRMED)."""

    RECEIVER = 1
    DEBIT = 2
    EXECUTION = 3
    TIMEOUT = 4
    REFUND = 5
    UNKNOWN = 10


class Receiver(msgspec.Struct, frozen=True):
    """A cash-box that gets a part of the money.

    Attributes:
        id: Id of the cash-box.
        amount: Its part in tiyin.
    """

    id: str
    amount: int


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to pay an order, as it is stored.

    Attributes:
        id: Payme's id, 24 characters.
        order_id: The order it pays.
        time: When Payme created it, in ms since 1970 UTC.
        amount: Amount in tiyin.
        account: The account as Payme sent it.
        create_time: When it was stored here, in ms; `perform_time` and `cancel_time` are 0 before.
        reason: Why it was cancelled.
        receivers: How the money is split; empty when it all goes to the cash-box.
        fiscal: Fiscal receipts by type, `PERFORM` and `CANCEL`.
    """

    id: str
    order_id: str
    time: int
    amount: int
    account: dict[str, Any]
    create_time: int
    perform_time: int = 0
    cancel_time: int = 0
    state: TransactionState = TransactionState.CREATED
    reason: int | None = None
    receivers: tuple[Receiver, ...] = ()
    fiscal: dict[str, dict[str, Any]] = {}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order, or an account that can be topped up, as the merchant describes it.

    Attributes:
        id: What it is locked by and found by.
        amount: Amount in tiyin; None for an account that takes any amount.
        state: `waiting` may be paid, `paid` was, `closed` may not be paid any more.
        cumulative: The account takes money any number of times, such as a phone's balance.
        min_amount: Smallest amount of a cumulative account in tiyin.
        max_amount: Largest amount of a cumulative account in tiyin.
        field: The account field that errors about this order name; by default the first that Payme
            sent.
        refundable: A paid order may be cancelled; False once the goods are handed over.
        detail: Lines for the fiscal receipt, as `Detail.params` makes them.
        additional: Members that Payme shows to the payer.
        receivers: How the money is split.
        holder: The transaction that waits to be performed; the store fills it in.
    """

    id: str
    amount: int | None = None
    state: Literal["waiting", "paid", "closed"] = "waiting"
    cumulative: bool = False
    min_amount: int | None = None
    max_amount: int | None = None
    field: str | None = None
    refundable: bool = True
    detail: dict[str, Any] | None = None
    additional: dict[str, Any] | None = None
    receivers: tuple[Receiver, ...] = ()
    holder: Transaction | None = None


TransactionId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[!-~]+\Z")]
"""Payme's page says 24 characters; what no database could keep is refused as malformed."""


class CheckPerform(msgspec.Struct, frozen=True):
    """CheckPerformTransaction: may this account be paid?"""

    amount: int | float
    account: dict[str, Any]


class Create(msgspec.Struct, frozen=True):
    """CreateTransaction: reserve the order."""

    id: TransactionId
    time: int
    amount: int | float
    account: dict[str, Any]


class Perform(msgspec.Struct, frozen=True):
    """PerformTransaction: the money was taken."""

    id: str


class Cancel(msgspec.Struct, frozen=True):
    """CancelTransaction: the attempt failed, or the money goes back."""

    id: str
    reason: int


class Check(msgspec.Struct, frozen=True):
    """CheckTransaction: what became of it?"""

    id: str


class Statement(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """GetStatement: every transaction that Payme created in a period."""

    from_: int
    to: int


class SetFiscalData(msgspec.Struct, frozen=True):
    """SetFiscalData: the fiscal receipt of a payment or of its refund."""

    id: str
    type: Literal["PERFORM", "CANCEL"]
    fiscal_data: dict[str, Any]


class ChangePassword(msgspec.Struct, frozen=True):
    """ChangePassword: Payme sets a new key. CONFIRMED in Payme's templates, gone from its pages."""

    password: str


Request = (
    CheckPerform | Create | Perform | Cancel | Check | Statement | SetFiscalData | ChangePassword
)


class Refusal(msgspec.Struct, frozen=True):
    """An error to answer.

    Attributes:
        code: Payme's number.
        message: Text for people.
        data: Name of the account field, of the method, or None.
    """

    code: int
    message: Text
    data: Any = None


Answer = dict[str, Any] | Refusal

Event = Literal["paid", "cancelled", "released"]


class Write(msgspec.Struct, frozen=True):
    """A transaction to store, and what that means for its order.

    Attributes:
        transaction: As it is to be stored.
        event: `paid` hands the goods over, `cancelled` takes a paid order back, `released` frees an
            order whose attempt failed. None for what the merchant need not know.
    """

    transaction: Transaction
    event: Event | None = None


class Decision(msgspec.Struct, frozen=True):
    """What to store, in this order and in one transaction, and what to answer after that."""

    answer: Answer
    writes: tuple[Write, ...] = ()


class AccountError(Exception):
    """Raised by the merchant's `find` when an account can't be paid.

    Args:
        field: Name of the account field that is wrong.
        message: Text for the payer; by default "not found".
        code: -31050 to -31099.

    Example:
        >>> blocked = Text("Raqam bloklangan.", "Номер заблокирован.", "The number is blocked.")
        >>> raise AccountError("phone", blocked, -31_060)
    """

    def __init__(self, field: str, message: Text | None = None, code: int = -31050) -> None:
        if code not in ACCOUNT_CODES:
            raise ValueError(f"code: got {code}, expected -31099 to -31050")
        super().__init__(field)
        self.refusal = Refusal(code, message or NOT_FOUND, field)


ACCOUNT_CODES: Final = range(-31099, -31049)

NOT_FOUND: Final = Text("Buyurtma topilmadi.", "Заказ не найден.", "The order was not found.")
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


def decide(
    request: Request, order: Order | None, transaction: Transaction | None, now: int
) -> Decision:
    """Decide about one request.

    Args:
        request: What Payme asks; not `Statement` and `ChangePassword`, which decide nothing.
        order: The order that the account names, with the transaction that holds it; None if there
            is none, or the request names no account.
        transaction: The stored transaction with the id of the request; None if there is none.
        now: Time in ms since 1970 UTC.

    Returns:
        The answer, and what to store before it is given.
    """
    if isinstance(request, CheckPerform):
        return Decision(_allow(request, order, now))
    if isinstance(request, SetFiscalData):
        return _set_fiscal_data(request, transaction)
    if isinstance(request, Statement | ChangePassword):
        raise TypeError(f"{type(request).__name__} is not decided here")
    rule = _RULES[type(request)][stage(transaction, now)]
    return rule(Case(request, order, transaction, now))


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
    if transaction.state == TransactionState.CREATED and now - transaction.time > EXPIRY_MS:
        return "expired"
    return _STAGES[transaction.state]


class Case(msgspec.Struct, frozen=True):
    """One request with everything that is known about it."""

    request: Any
    order: Order | None
    transaction: Transaction | None
    now: int

    @property
    def known(self) -> Transaction:
        """The transaction, in the stages that have one."""
        assert self.transaction is not None  # noqa: S101 - the tables say so
        return self.transaction


Rule = Callable[[Case], Decision]


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
    if order.state == "paid":
        return Refusal(-31051, _PAID, field) if asking else CANNOT_PERFORM
    if order.holder is not None and stage(order.holder, now) == "created":
        return Refusal(-31052, _BUSY, field) if asking else CANNOT_PERFORM
    return None


def _fits(order: Order, amount: int | float) -> bool:
    if not 0 < amount < math.inf or amount != int(amount):
        return False
    if order.amount is not None:
        return amount == order.amount
    return (order.min_amount or 1) <= amount <= (order.max_amount or amount)


def _create(case: Case) -> Decision:
    request, order = case.request, case.order
    if order is None:
        return Decision(_not_found(request))
    refusal = _unpayable(request, order, case.now)
    if refusal is not None:
        return Decision(refusal)
    if case.now - request.time > EXPIRY_MS:
        # Payme has given it up already; to reserve the order for it would block a living attempt.
        return Decision(CANNOT_PERFORM)
    created = Transaction(
        id=request.id,
        order_id=order.id,
        time=request.time,
        amount=int(request.amount),
        account=request.account,
        create_time=case.now,
        receivers=order.receivers,
    )
    # Only a holder that timed out gives way: a cumulative account may have several living ones.
    expired = order.holder is not None and stage(order.holder, case.now) == "expired"
    freed = (_timed_out(order.holder, case.now),) if order.holder and expired else ()
    return Decision(_created(created), (*freed, Write(created)))


def _repeat_create(case: Case) -> Decision:
    known, request = case.known, case.request
    same = (request.time, request.amount, request.account)
    if same != (known.time, known.amount, known.account):
        # Payme repeats with identical params (CONFIRMED): anything else is not a repetition.
        return Decision(CANNOT_PERFORM)
    return Decision(_created(known))


def _perform(case: Case) -> Decision:
    order = case.order
    if order is None or not _fits(order, case.known.amount) or not _open(order):
        # The order was changed or taken away while it was reserved. Payme gives the money back.
        return Decision(CANNOT_PERFORM)
    done = replace(case.known, state=TransactionState.PERFORMED, perform_time=case.now)
    return Decision(_performed(done), (Write(done, "paid"),))


def _open(order: Order) -> bool:
    return order.state == "waiting" or (order.cumulative and order.state == "paid")


def _repeat_perform(case: Case) -> Decision:
    return Decision(_performed(case.known))


def _cancel(case: Case) -> Decision:
    gone = _ended(case.known, TransactionState.CANCELLED, case.request.reason, case.now)
    return Decision(_cancelled(gone), (Write(gone, "released"),))


def _refund(case: Case) -> Decision:
    if case.order is not None and not case.order.refundable:
        return Decision(CANNOT_CANCEL)
    gone = _ended(case.known, TransactionState.REFUNDED, case.request.reason, case.now)
    return Decision(_cancelled(gone), (Write(gone, "cancelled"),))


def _repeat_cancel(case: Case) -> Decision:
    return Decision(_cancelled(case.known))


def _time_out(case: Case) -> Decision:
    return Decision(CANNOT_PERFORM, (_timed_out(case.known, case.now),))


def _report(case: Case) -> Decision:
    known = case.known
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


def _refuse(refusal: Refusal) -> Rule:
    return lambda _: Decision(refusal)


_RULES: Final[Mapping[type, Mapping[Stage, Rule]]] = {
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


def _set_fiscal_data(request: SetFiscalData, transaction: Transaction | None) -> Decision:
    if transaction is None:
        return Decision(UNKNOWN_RECEIPT)
    # A payment and its refund are two fiscal receipts; both are kept (CONFIRMED).
    kept = replace(transaction, fiscal={**transaction.fiscal, request.type: request.fiscal_data})
    return Decision({"success": True}, (Write(kept),))


def _ended(known: Transaction, state: TransactionState, reason: int, now: int) -> Transaction:
    return replace(known, state=state, reason=reason, cancel_time=now)


def _timed_out(known: Transaction, now: int) -> Write:
    return Write(_ended(known, TransactionState.CANCELLED, Reason.TIMEOUT, now), "released")


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
