"""What Payme answers, as values.

The reader is tolerant: unknown members and unknown numbers survive, and `.raw` holds all that
came. A known member of the wrong shape is an error, because a wrong guess about it would be a
wrong guess about money.

Source: https://developer.help.paycom.uz/metody-subscribe-api/
"""

from datetime import datetime, timedelta, timezone
from typing import Any, Final, Self

import msgspec

from payme import redact
from payme.protocol.states import ReceiptState

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - keeps `datetime.UTC` out of docs

# msgspec prepares an enumeration when it first meets one, and two threads that come at once crash
# it (seen with 0.22). So it meets ours here, while the import keeps other threads out.
msgspec.json.decode(b"0", type=ReceiptState)


def _moment(milliseconds: int | None) -> datetime | None:
    return EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None


class Answer(msgspec.Struct, frozen=True, dict=True):
    """Base of everything that Payme answers."""

    @property
    def raw(self) -> dict[str, Any]:
        """The answer as it came, unknown members included.

        After pickling, which keeps the known members only, it is made from those.
        """
        wire: bytes | None = vars(self).get("_wire")
        if wire is None:
            known: dict[str, Any] = msgspec.to_builtins(self)
            return known
        kept: dict[str, Any] = msgspec.json.decode(wire)
        return kept

    @classmethod
    def read(cls, wire: bytes) -> Self:
        """Decode JSON and keep it.

        Args:
            wire: The JSON text.

        Returns:
            The value.

        Raises:
            msgspec.ValidationError: A known member has the wrong shape; the text names it.
        """
        answer = msgspec.json.decode(wire, type=cls)
        vars(answer)["_wire"] = wire
        return answer

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return redact.members(self.__struct_fields__, self)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={member!r}" for name, member in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"


class Card(Answer, frozen=True):
    """A card as its token shows it.

    Attributes:
        number: Masked number, `860006******6311`; may be stored.
        expire: `MM/YY`.
        token: Stands for the card; the only thing about a card that a merchant may store.
        recurrent: The token can be used again.
        verify: The payer has confirmed the card with an SMS code.
        type: Kind of card, such as `22618`. OBSERVED, the values are not documented.
    """

    number: str
    expire: str
    token: str
    recurrent: bool
    verify: bool
    type: str | int | None = None
    number_hash: str | None = None


class VerifyCode(Answer, frozen=True):
    """Answer to `cards.get_verify_code`.

    Attributes:
        sent: The SMS was sent.
        phone: Masked phone it went to, `99890*****31`.
        wait: How long the code is valid, in milliseconds.
    """

    sent: bool
    phone: str
    wait: int


class AccountField(Answer, frozen=True):
    """One field of a receipt's account."""

    name: str
    value: str | int | float | bool | None = None
    title: str | dict[str, str] | None = None
    main: bool | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("name", self.name), ("value", redact.account_value(self.value))]


class ReceiptCard(Answer, frozen=True):
    """The card a receipt was paid with. `expire` is `YYMM` here."""

    number: str
    expire: str | None = None


class Receipt(Answer, frozen=True, rename={"id": "_id"}):
    """A receipt.

    Attributes:
        id: 24 hex characters.
        state: What happened so far; a number that is not known stays as it came.
        amount: Amount in tiyin.
        create_time: Milliseconds since 1970 UTC; `pay_time` and `cancel_time` are 0 until it
            happened.
        account: The account as the cash-box shows it.
        card: The card it was paid with; None before.
        commission: Commission in tiyin.
        currency: 860 for soʻm.
        error: Why a payment failed, if Payme says so in the receipt.
    """

    id: str
    state: ReceiptState
    amount: int
    create_time: int
    pay_time: int | None = 0
    cancel_time: int | None = 0
    account: list[AccountField] | None = None
    card: ReceiptCard | None = None
    description: str | None = ""
    detail: Any = None
    commission: int | float | None = 0
    currency: int | None = None
    type: int | None = None
    external: bool | None = None
    operation: int | None = None
    category: Any = None
    error: Any = None
    merchant: Any = None
    meta: Any = None
    processing_id: Any = None

    @property
    def is_paid(self) -> bool:
        """The money was taken and not given back."""
        return self.state == ReceiptState.PAID

    @property
    def is_held(self) -> bool:
        """The money is held on the card."""
        return self.state == ReceiptState.HELD

    @property
    def is_cancelled(self) -> bool:
        """Cancelled for good: what was taken went back, and it can't be paid any more."""
        return self.state == ReceiptState.CANCELLED

    @property
    def is_refund_pending(self) -> bool:
        """In the queue for cancellation, which the merchant's billing may still refuse."""
        return self.state == ReceiptState.CANCEL_QUEUED

    @property
    def created_at(self) -> datetime:
        """Moment of creation, aware, UTC."""
        return EPOCH + timedelta(milliseconds=self.create_time)

    @property
    def paid_at(self) -> datetime | None:
        """Moment of payment, aware, UTC; None before."""
        return _moment(self.pay_time)

    @property
    def cancelled_at(self) -> datetime | None:
        """Moment of cancellation, aware, UTC; None before."""
        return _moment(self.cancel_time)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return redact.members(("id", "state", "amount", "account", "card"), self)
