"""How a saved card lies in a row: the same in every kind of ledger."""

import hashlib
from typing import Any, Final

import msgspec

from payme.charges import saved
from payme.charges.core import ChargeState, Save
from payme.charges.ledger.cards import NewCard
from payme.charges.saved import CardConflict, CardState, Look, SavedCard
from payme.protocol.models import Card
from payme.redact import Secret

REMOVING: Final = CardState.REMOVING.value

COLUMNS: Final = tuple(name for name in SavedCard.__struct_fields__ if name != "is_default")
"""What a row shows of a card; which one is the default is said by all rows of a customer."""


def seen(card: Card, now: float) -> dict[str, Any]:
    """Make what a row shows of `cards.check`."""
    return {
        "number": saved.shown_number(card),
        "expire": saved.shown_expire(card),
        "recurrent": card.recurrent,
        "state": CardState.READY.value,
        "evidence": "cards.check",
        "changed": now,
    }


def added(new: NewCard, mark: str) -> dict[str, Any]:
    """Make what is written once, when a card is saved for the first time."""
    return {
        "id": saved.new_card_id(),
        "customer": new.customer,
        "identity": identity(new, mark),
        "created": new.now,
        "chosen": None if new.default is False else 0,
    }


def identity(new: NewCard, mark: str) -> str:
    """Return what is the same whenever a customer binds this card."""
    return saved.identity(new.card) or mark


def learned(look: Look, now: float) -> dict[str, Any]:
    """Make what a row shows of a card that was looked at again."""
    row: dict[str, Any] = {"changed": now} if look.card is None else seen(look.card, now)
    return {**row, "state": look.state.value, "evidence": look.evidence}


def begun_removal(now: float) -> dict[str, Any]:
    """Make what a row shows of a card whose removal begins."""
    return {"state": REMOVING, "evidence": "cards.remove begins", "changed": now}


def same(found: Any, new: NewCard) -> str:
    """Return the id of a card whose token is known, unless it can't be this customer's.

    Args:
        found: Row with the id, the customer and the state of the card.
        new: The card that is added.

    Raises:
        CardConflict: It is another customer's, or is being removed.
    """
    if found.customer != new.customer:
        raise CardConflict("the token is saved for another customer")
    if found.state == REMOVING:
        raise CardConflict("the card is being removed: bind it again, for another token")
    return str(found.id)


def gone_meanwhile() -> CardConflict:
    """Say that a card was removed between two looks of its addition."""
    return CardConflict("the card was removed while it was added; bind it again")


def read_card(row: Any, *, is_default: bool) -> SavedCard:
    """Make a card of a row that has `COLUMNS`."""
    members = {name: row[name] for name in COLUMNS}
    return msgspec.convert({**members, "is_default": is_default}, SavedCard)


def fingerprint(token: Secret) -> str:
    """Return what finds a token without opening every row, and can't be turned back."""
    return hashlib.sha256(token.open().encode()).hexdigest()


def begins(change: Save) -> bool:
    """Return whether a change says that a payment is about to leave."""
    return change.after.state is ChargeState.PAYING is not change.before.state


def concerns_card(change: Save) -> bool:
    """Return whether a change of a charge asks something of its saved card, or says it of it."""
    return change.card is not None and (begins(change) or saved.is_token_unknown(change))
