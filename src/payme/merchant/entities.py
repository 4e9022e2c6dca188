"""What the Merchant API is about: orders, transactions, what Payme asks, what is answered.

Values and nothing else; `decisions` says what is done with them.

Source: https://developer.help.paycom.uz/metody-merchant-api/
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, cast

import msgspec
from msgspec.structs import force_setattr

from payme import exact
from payme.errors import ConfigurationError, InvalidArgument
from payme.errors.catalogue import Text
from payme.money import tiyin
from payme.protocol.states import OpenIntEnum


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
        box: The cash-box that it came by, as its `Merchant` is named; empty for the one cash-box of
            a shop that names none.
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
    box: str = ""


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
        active_transaction: The transaction that waits to be performed or has paid it; the store
            fills it in.

    Raises:
        InvalidArgument: A field can't be right; the error names it.
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
    active_transaction: Transaction | None = None

    def __post_init__(self) -> None:
        """Check what would let a wrong amount through, or fail after the payer was debited."""
        for name, exact_value in _checked(self):
            force_setattr(self, name, exact_value)


def _checked(order: Order) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an order as they are meant; a subclass of `str` or a `Decimal` is not."""
    yield "id", order_name(order.id)
    _flag("cumulative", order.cumulative)
    _flag("refundable", order.refundable)
    yield "state", _state(order.state)
    if order.field is not None and exact.text(order.field) is None:
        raise _invalid("field", order.field, "the name of an account field, or None")
    yield from _amounts(order)
    for name in ("detail", "additional"):
        _encodable(name, getattr(order, name))
    yield "receivers", tuple(_parts(order.receivers))


def _amounts(order: Order) -> Iterator[tuple[str, int]]:
    if order.amount is None and not order.cumulative:
        expected = "an amount in tiyin; only a cumulative account takes any"
        raise _invalid("amount", None, expected)
    for name in ("amount", "min_amount", "max_amount"):
        given = getattr(order, name)
        if given is not None:
            yield name, tiyin(given, f"Order.{name}")
    if order.min_amount and order.max_amount and order.max_amount < order.min_amount:
        raise _invalid("max_amount", order.max_amount, f"at least min_amount, {order.min_amount}")


def order_name(given: object, argument: str = "Order.id") -> str:
    """Check the id of an order.

    Args:
        given: The id.
        argument: What the error calls it.

    Returns:
        The id as plain text.

    Raises:
        InvalidArgument: It is no text that every store can keep.
    """
    plain = exact.text(given)
    if not plain or len(plain) > LONGEST_ORDER_ID or "\0" in plain:
        expected = f"text of 1 to {LONGEST_ORDER_ID} characters, as str(order.pk)"
        raise InvalidArgument(argument, exact.shown(given), expected)
    return plain


def _state(given: object) -> str:
    plain = exact.text(given)
    if plain not in ("waiting", "paid", "closed"):
        raise _invalid("state", given, "'waiting', 'paid' or 'closed'")
    return plain


def _flag(name: str, given: object) -> None:
    if not isinstance(given, bool):
        raise _invalid(name, given, "True or False")


def _encodable(name: str, given: object) -> None:
    if given is None:
        return
    try:
        text = msgspec.json.encode(given)
    except (TypeError, ValueError, RecursionError):
        text = b""
    if not text.startswith(b"{"):
        raise _invalid(name, given, "a dict of JSON values, or None")


def _parts(given: object) -> Iterator[Receiver]:
    if not isinstance(given, tuple | list):
        raise _invalid("receivers", given, "a tuple of Receiver")
    for part in cast("Sequence[object]", given):
        if not isinstance(part, Receiver) or not exact.text(part.id):
            raise _invalid("receivers", part, "a Receiver with the id of a cash-box")
        tiyin(part.amount, "Order.receivers")
        yield part


def _invalid(name: str, given: object, expected: str) -> InvalidArgument:
    return InvalidArgument(f"Order.{name}", given, expected)


LONGEST_ORDER_ID: Final = 255
"""Characters that a store keeps."""


LONGEST_BOX: Final = 64
"""Characters of a cash-box's name that a store keeps; Payme's ids have 24."""


def box_name(given: object) -> str:
    """Check the name of a cash-box.

    Args:
        given: Its id at Payme (merchant id), or empty for the one cash-box of a shop.

    Returns:
        The name as plain text.

    Raises:
        ConfigurationError: It is no text of up to 64 printable ASCII characters without spaces.
    """
    plain = exact.text(given)
    if plain is None or len(plain) > LONGEST_BOX or not all("!" <= one <= "~" for one in plain):
        # What was given is not shown: it may be the key of the cash-box.
        raise ConfigurationError(
            f"box: got {_kind(given)}, expected the id of a cash-box, as 5e730e8e0b852a417aa49ceb"
        )
    return plain


def _kind(given: object) -> str:
    return f"text of {len(given)} characters" if isinstance(given, str) else type(given).__name__


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

Event = Literal["created", "paid", "cancelled", "released"]

Method = Literal[
    "CheckPerformTransaction", "CreateTransaction", "PerformTransaction", "CancelTransaction"
]
"""A request whose answer depends on the order, so that the merchant's `find` is asked."""


class Write(msgspec.Struct, frozen=True):
    """A transaction to store, and what that means for its order.

    Attributes:
        transaction: As it is to be stored.
        event: `created` reserves the goods, `paid` hands them over, `cancelled` takes a paid order
            back, `released` frees an order whose attempt failed. None for what the merchant need
            not know.
        before: As it is stored now; None for a new one.
        exclusive: While the new one lives, its order takes no other. A cumulative account does.
    """

    transaction: Transaction
    event: Event | None = None
    before: Transaction | None = None
    exclusive: bool = False


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
        >>> def find(account):
        ...     if account.get("phone") in blocklist:
        ...         raise AccountError("phone", blocked, -31_060)
        ...     return orders.get(account.get("phone"))
    """

    def __init__(self, field: str, message: Text | None = None, code: int = -31050) -> None:
        if exact.text(field) is None:
            raise InvalidArgument("field", field, "the name of an account field")
        if code not in ACCOUNT_CODES:
            raise ValueError(f"code: got {code}, expected -31099 to -31050")
        if message is not None and not isinstance(message, Text):
            raise InvalidArgument("message", message, "a Text in three languages, or None")
        super().__init__(field)
        self.refusal = Refusal(code, message or NOT_FOUND, field)


class Refuse(Exception):
    """Raised by the merchant's code when what Payme asks can't be done.

    In the hooks `created` and `paid` it is answered with -31008, and in `cancelled`, of a payment
    that can't be taken back, with -31007. Nothing of the request is stored, and Payme does not
    repeat it. What is no refusal but a failure, such as a database out of reach, is any other
    exception: Payme gets -32400 and asks again.

    Args:
        message: Why, for people; by default that the operation can't be performed.
        data: Whatever else Payme is to be sent; a JSON value.

    Raises:
        InvalidArgument: The message is no `Text`, or `data` is no JSON value.

    Example:
        >>> sold = Text("Oxirgisi sotildi.", "Последний продан.", "The last one was sold.")
        >>> def created(transaction):
        ...     if not stock.reserve(transaction.order_id):
        ...         raise Refuse(sold)
    """

    def __init__(self, message: Text | None = None, data: object = None) -> None:
        if message is not None and not isinstance(message, Text):
            raise InvalidArgument("message", message, "a Text in three languages, or None")
        try:
            msgspec.json.encode(data)
        except (TypeError, ValueError, RecursionError):
            raise InvalidArgument("data", data, "a JSON value") from None
        super().__init__(message or "")
        self.message = message
        self.data = data


ACCOUNT_CODES: Final = range(-31099, -31049)

NOT_FOUND: Final = Text("Buyurtma topilmadi.", "Заказ не найден.", "The order was not found.")
