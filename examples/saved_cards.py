"""Saved cards: the shop keeps a token in place of a card, encrypted, and charges it by one click.

A card's number must never come to a shop's server: a card is bound by a form that sends it to
Payme from the browser, and gives the shop a token. These shops have no such form. The card of
their one customer is bound by `examples.together`, in the sandbox, which hands them its token.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple, Self

from cryptography.fernet import Fernet, MultiFernet

from payme.charges import Charge, ChargeState

CUSTOMER = "demo"
"""Who buys here. A real shop takes it from the session of whoever is logged in."""

DEADLINE_S = 8.0
"""How long a customer waits for the end of a payment; what is not proven by then goes on in the
background, and the page shows that."""

IN_FLIGHT = 5
"""How many charges the background drives at once."""


class Card(NamedTuple):
    """A bound card."""

    token: str
    number: str

    def __repr__(self) -> str:
        return f"Card({self.number!r})"


class SavedCards:
    """The customers' cards, as the shop's database keeps them: with the token encrypted.

    Args:
        keys: Fernet keys; the first one encrypts, all of them decrypt.
        card: The card of the one customer; None if it was stored before.
    """

    def __init__(self, keys: list[str], card: Card | None) -> None:
        self.keys = keys
        self.card = card
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Read `PAYME_LEDGER_KEYS`, and the card of the demo; without keys no card is saved."""
        keys = [key for key in environment.get("PAYME_LEDGER_KEYS", "").split(",") if key]
        token = environment.get("SHOP_CARD_TOKEN")
        card = Card(token, environment.get("SHOP_CARD_NUMBER", "your card")) if token else None
        return cls(keys, card) if keys else None

    def seal(self, card: Card) -> bytes:
        """Encrypt a token."""
        return self._fernet.encrypt(card.token.encode())

    def open(self, sealed: bytes, number: str) -> Card:
        """Read a card whose token was encrypted."""
        return Card(self._fernet.decrypt(sealed).decode(), number)


def charge_id(order: int) -> str:
    """Name the charge of an order: the same order is the same charge, so it is taken once."""
    return f"order-{order}"


def order_id(charge: Charge) -> int:
    """Return the number of the order that a charge is of."""
    return int(charge.id.removeprefix("order-"))


def is_another_try(charge: Charge, seen: str) -> bool:
    """Return whether a click asks for another payment after one that was refused.

    A second click on the same button was made on a page that did not show the refusal yet.

    Args:
        charge: As it is stored.
        seen: The version of the charge on the page that was clicked.
    """
    refused = charge.state in (ChargeState.REFUSED, ChargeState.FAILED)
    return refused and seen == str(charge.version)
