"""What the sandbox remembers, and the port through which the engine reads and writes it."""

from typing import Any, Final, Literal, Protocol

import msgspec

from payme.protocol.states import ReceiptState

EntryKind = Literal["debit", "hold", "capture", "refund", "release"]

PaymentStep = Literal[
    "expire", "create", "debit", "perform", "cancel", "finish", "release", "withdraw", "fiscal"
]
"""What a receipt does next: expire unpaid; ask the merchant to create, perform or cancel the
transaction; debit the card; finish a cancellation; release a hold; be cancelled by Payme; hand over
the fiscal receipt."""

Outcome = Literal["result", "error", "status", "malformed", "timeout", "lost", "unreachable"]
"""How a request to the merchant ended: an answer of the protocol, one that is none (HTTP status,
body), no answer (in time, or before the connection broke), or no connection."""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A card bound by `cards.create`; it is found by its token."""

    token: str
    number: str
    expire: str
    """MMYY, as the request writes it."""
    recurrent: bool
    phone: str
    verified: bool = False
    code_sent_at: int | None = None
    """When the SMS code that is still awaited was sent, in ms; None when no code is awaited."""
    wrong_codes: int = 0
    removed: bool = False
    account: dict[str, Any] | None = None
    customer: str | None = None

    def __repr__(self) -> str:
        return f"Card(number={mask_number(self.number)!r}, verified={self.verified})"


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a payment stands, so that a restart can take it up."""

    time: int = 0
    """`time` of the transaction, in ms; 0 when none was begun."""
    step: PaymentStep | None = None
    """What comes next, as soon as `due_at` of the receipt has come; None for what the receipt's
    state alone brings with it: see `payment_table.ON_ITS_OWN`."""
    token: str | None = None
    """The card that will be debited; None once it was."""
    attempts: int = 0
    """How often the step was tried."""
    until: int | None = None
    """When the step is given up, in ms; None for never."""
    reason: int = 0
    """`reason` of CancelTransaction."""
    source: str = ""
    """Who asked for the cancellation."""
    reached: int = 0
    """How many CreateTransaction may have made something at the merchant."""
    checks: int = 0
    """How often the receipt was looked at since it was paid for."""
    failure: str = ""
    """`Reason` for which the payment failed; empty for none."""
    refusal: dict[str, Any] | None = None
    """Error with which the merchant refused the last step."""

    def __repr__(self) -> str:
        return f"Payment(step={self.step!r}, attempts={self.attempts})"


_NOT_BEGUN: Final = Payment()


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A receipt as it is stored; `shapes` turns it into what Payme answers."""

    id: str
    number: int
    """The counter that cash-boxes without account fields show as "Номер чека"."""
    create_time: int
    amount: int
    """Tiyin."""
    account: dict[str, Any]
    """The account exactly as `receipts.create` sent it, whatever fields are shown."""
    state: ReceiptState = ReceiptState.CREATED
    pay_time: int = 0
    cancel_time: int = 0
    due_at: int | None = None
    """When the clock alone will move the receipt on, in ms; None when it waits for a request."""
    description: str = ""
    detail: dict[str, Any] | None = None
    hold: bool = False
    card_number: str | None = None
    """Masked number of the card that paid."""
    card_expire: str | None = None
    """YYMM, as receipts write it."""
    payer: dict[str, str] | None = None
    cancel_source: str | None = None
    fiscal: dict[str, Any] | None = None
    taken_at: int = 0
    """When the money left the card, in ms; 0 while it is there or on hold."""
    held_until: int = 0
    """Until when a hold can be cancelled, in ms; 0 for a payment without one."""
    error: dict[str, Any] | None = None
    """Why the payment failed, as the receipt shows it."""
    payment: Payment = msgspec.field(default=_NOT_BEGUN, name="billing")
    """Where its payment stands. In files of earlier versions a payment that was made in one step
    has none: `due_at` and the state say what comes next."""

    def __repr__(self) -> str:
        return f"Receipt({self.id!r}, state={self.state!r}, amount={self.amount})"


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of money between a card and a receipt."""

    receipt_id: str
    card: str
    """Masked number."""
    amount: int
    """Tiyin."""
    kind: EntryKind
    time: int


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the merchant and what came back, both redacted."""

    number: int
    """`id` of the request."""
    time: int
    """When it was over, in ms."""
    receipt_id: str
    """Empty when it was about no receipt."""
    method: str
    attempt: int
    request: dict[str, Any]
    """`params`."""
    outcome: Outcome
    answer: dict[str, Any] | None = None
    """`result`, or the error object; None when no answer came."""
    code: int | None = None
    """`error.code`."""
    status: int | None = None
    """HTTP status."""
    text: str = ""
    """The beginning of an answer that was not the protocol's."""
    elapsed_ms: int = 0


class MerchantTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the merchant's ledger: what it last said about a transaction."""

    receipt_id: str
    state: int | None = None
    """1, 2, -1 or -2; None while the merchant has told of none."""
    transaction: str = ""
    """The merchant's own number."""
    create_time: int = 0
    perform_time: int = 0
    cancel_time: int = 0
    reason: int | None = None
    unanswered: str = ""
    """The method that was sent last and that may have been executed without an answer."""
    heard_at: int = 0
    """When the merchant last answered, in ms."""


class Sms(msgspec.Struct, frozen=True, kw_only=True):
    """A message that real Payme would have sent; nothing leaves the sandbox."""

    time: int
    phone: str
    kind: Literal["code", "receipt"]
    code: str | None = None
    receipt_id: str | None = None

    def __repr__(self) -> str:
        return f"Sms(kind={self.kind!r}, phone={mask_phone(self.phone)!r}, time={self.time})"


class State(Protocol):
    """Storage that one call of the engine runs against; all of it is one transaction."""

    def next_number(self, name: str) -> int:
        """Count one up and return the new value; the first is 1."""
        ...

    def get_card(self, token: str) -> Card | None:
        """Find a card by its token, removed ones included."""
        ...

    def put_card(self, card: Card) -> None:
        """Store a card in place of the one with the same token."""
        ...

    def get_receipt(self, receipt_id: str) -> Receipt | None:
        """Find a receipt by its id."""
        ...

    def put_receipt(self, receipt: Receipt) -> None:
        """Store a receipt in place of the one with the same id."""
        ...

    def add_receipt(self, receipt: Receipt) -> None:
        """Store a new receipt."""
        ...

    def list_receipts(
        self, period: tuple[int, int] | None, *, count: int, offset: int
    ) -> list[Receipt]:
        """List receipts by time of creation, the newest first.

        Args:
            period: First and last moment in ms, both included; None for all receipts.
            count: How many at most.
            offset: How many of the newest to skip.
        """
        ...

    def due_receipts(self, now: int, since: int | None = None) -> list[Receipt]:
        """List the receipts whose `due_at` has come, from a moment on or from the beginning."""
        ...

    def next_due(self, after: int, until: int) -> int | None:
        """Find the first `due_at` after a moment, up to another; None if there is none."""
        ...

    def add_entry(self, entry: LedgerEntry) -> None:
        """Append to the ledger."""
        ...

    def entries(self, receipt_id: str | None = None) -> list[LedgerEntry]:
        """List the ledger in the order it was written, of one receipt or of all."""
        ...

    def add_exchange(self, exchange: Exchange) -> None:
        """Append to the exchanges with the merchant; the oldest are forgotten."""
        ...

    def get_transaction(self, receipt_id: str) -> MerchantTransaction | None:
        """Find what the merchant last said about a receipt's transaction."""
        ...

    def put_transaction(self, transaction: MerchantTransaction) -> None:
        """Store what the merchant said in place of what it said before."""
        ...

    def add_sms(self, sms: Sms) -> None:
        """Append to the outbox."""
        ...

    def outbox(self) -> list[Sms]:
        """List the outbox in the order it was written."""
        ...


def mask_number(number: str) -> str:
    """Show the first six and the last four digits, as Payme does."""
    return f"{number[:6]}******{number[-4:]}"


def mask_phone(phone: str) -> str:
    """Show the first five and the last two digits, as Payme does."""
    return f"{phone[:5]}*****{phone[-2:]}"
