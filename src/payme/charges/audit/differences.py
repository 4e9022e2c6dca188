"""What differs between the books: tables, and two functions that read them.

Payme's receipt stands in the middle: a charge knows its receipt by its id, and so does the
merchant's transaction, whose id is the receipt's. (INFERRED: SetFiscalData names a transaction by
the id of its receipt, and no page says more. Where it is not so, no transaction finds its receipt,
which the report says.)

A difference is told about states that rest. A receipt in any other state is on its way: the billing
is being asked, or a queue has not come to it. Of those 21 looks most like an end, and is none: the
billing may still refuse. Only 50 is.
"""

from enum import StrEnum
from typing import Any, Final, NamedTuple

from payme.charges.core import Charge, ChargeState
from payme.merchant.core import TransactionState
from payme.protocol.states import ReceiptState

S, R, T = ChargeState, ReceiptState, TransactionState


class Kind(StrEnum):
    """What differs; the help of `payme charges audit` says what each means."""

    ORPHAN = "orphan"
    ONLY_PAYME = "only payme"
    ONLY_LEDGER = "only ledger"
    ONLY_MERCHANT = "only merchant"
    AMOUNT = "amount"
    STATE = "state"
    NOT_PERFORMED = "not performed"
    NOT_PAID = "not paid"
    NOT_RETURNED = "not returned"


K = Kind


class MerchantTransaction(NamedTuple):
    """A transaction of the Merchant API, as the merchant has stored it.

    Attributes:
        id: Payme's id of it: the receipt's.
        time: When Payme created it, in ms since 1970 UTC.
        amount: Amount in tiyin.
        state: 1, 2, -1 or -2.
    """

    id: str
    time: int
    amount: int
    state: int


class Side(NamedTuple):
    """What one of the books says."""

    state: str
    amount: int

    def text(self) -> str:
        """Write it for a person."""
        return f"{self.state} {self.amount}"

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"state": self.state, "amount": self.amount}


def payme_side(state: int, amount: int) -> Side:
    """Return what Payme says."""
    return Side(R(state).name, amount)


def ledger_side(charge: Charge) -> Side:
    """Return what the ledger says."""
    return Side(charge.state.value, charge.amount)


def merchant_side(transaction: MerchantTransaction | None) -> Side | None:
    """Return what the merchant says, if anything."""
    return transaction and Side(T(transaction.state).name, transaction.amount)


class Difference(NamedTuple):
    """One difference between the books; a side is None where the book says nothing."""

    kind: Kind
    receipt_id: str | None
    charge_id: str | None
    payme: Side | None
    ledger: Side | None = None
    merchant: Side | None = None
    cancelled: bool = False


# Receipts that a charge at rest may stand on. A paid charge whose receipt is in the queue for
# cancellation was refunded by other means. For one that was refused it matters alone that no money
# was taken. What is under way is compared when it rests.
_AGREES: Final[dict[ChargeState, frozenset[ReceiptState]]] = {
    S.PAID: frozenset({R.PAID}),
    S.HELD: frozenset({R.HELD}),
    S.REFUNDED: frozenset({R.CANCELLED}),
    S.FAILED: frozenset({R.CANCELLED}),
}
_TOOK_MONEY: Final = frozenset({R.PAID, R.HELD, R.CANCEL_QUEUED})

# Which transaction can't stand beside a receipt at rest; None is no transaction. That the billing
# is asked before the debit and told after it is CONFIRMED, so a paid receipt has a performed
# transaction. What is not here is owed nothing, or proves nothing:
# - a cancelled receipt beside a transaction that still waits: it frees its order after 12 hours;
# - an unpaid or cancelled receipt beside a cancelled transaction, or none;
# - a held receipt beside one that waits or was performed, or none: no page says when the billing is
#   told of a hold.
_DISAGREES: Final[dict[tuple[int, int | None], Kind]] = {
    (R.PAID, None): K.NOT_PERFORMED,
    (R.PAID, T.CREATED): K.NOT_PERFORMED,
    (R.PAID, T.CANCELLED): K.NOT_PERFORMED,
    (R.PAID, T.REFUNDED): K.NOT_RETURNED,
    (R.HELD, T.CANCELLED): K.NOT_RETURNED,
    (R.HELD, T.REFUNDED): K.NOT_RETURNED,
    (R.CREATED, T.PERFORMED): K.NOT_PAID,
    (R.CANCELLED, T.PERFORMED): K.NOT_PAID,
}

_RESTING: Final = frozenset({R.CREATED, R.PAID, R.HELD, R.CANCELLED})

_ENDED: Final = frozenset({T.CANCELLED, T.REFUNDED})


def receipt_rests(state: int) -> bool:
    """Return whether a receipt stays as it is until somebody asks for something."""
    return state in _RESTING


def owes_nothing(transaction: MerchantTransaction) -> bool:
    """Return whether a transaction is over: no goods are out for it and no order waits for it."""
    return transaction.state in _ENDED


def from_charge(charge: Charge, state: int, amount: int) -> Kind | None:
    """Compare a charge with its receipt.

    Args:
        charge: As the ledger has it.
        state: State of the receipt.
        amount: Amount of the receipt in tiyin.

    Returns:
        What differs; None if nothing does, or nothing that is proven.
    """
    if amount != charge.amount:
        return K.AMOUNT
    if not charge.rests:
        return None
    if charge.state in _AGREES:
        return None if state in _AGREES[charge.state] else K.STATE
    return K.STATE if state in _TOOK_MONEY else None


def from_transaction(
    transaction: MerchantTransaction | None, state: int, amount: int
) -> Kind | None:
    """Compare the merchant's transaction with its receipt.

    Args:
        transaction: As the merchant has it; None if there is none.
        state: State of the receipt.
        amount: Amount of the receipt in tiyin.

    Returns:
        What differs; None if nothing does, or nothing that is proven.
    """
    stored = None if transaction is None else transaction.state
    kind = _DISAGREES.get((state, stored))
    if kind is None and transaction is not None and transaction.amount != amount:
        return K.AMOUNT
    return kind
