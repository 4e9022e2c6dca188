"""The cards that a page offers to a click: the public test cards, and the tester's own numbers.

A number of the tester's own may be a real card's, whatever the documentation asks for, and whoever
has a link sees the checkout page. So such a number never reaches a browser: the page shows it
masked, the form sends a reference to it, and only this process knows which number that is.
"""

import hmac
import secrets
from typing import NamedTuple

from payme import redact
from payme.sandbox.engine.testcards import EXPIRE, TEST_CARDS, KnownCard, KnownCards


class Offer(NamedTuple):
    """A card as a page may show it."""

    reference: str
    """What a form sends for it: a public number, else something that says nothing about it."""
    shown: str
    """The public number in groups, or the masked number of the tester's own card."""
    expire: str
    """MM/YY."""
    card: KnownCard
    """The card itself: its `number` goes on no page."""

    def __repr__(self) -> str:
        return f"Offer({self.shown!r}, {self.card.behaviour!r})"

    @property
    def mmyy(self) -> str:
        """The expiry as `cards.create` takes it."""
        return self.expire.replace("/", "")

    @property
    def own(self) -> bool:
        """Whether the number is the tester's own."""
        return not is_public(self.card.number)


class Offers:
    """Finds the cards of a sandbox by what a form may send for them.

    Args:
        known: The cards that the sandbox knows.
    """

    def __init__(self, known: KnownCards) -> None:
        self._known = known
        # Without a key, who knows ten digits of a number could try the other six.
        self._key = secrets.token_bytes(32)

    def all(self) -> list[Offer]:
        """List them: Payme's and ours first, then the tester's own."""
        return [self._offer(card) for card in self._known.all()]

    def find(self, reference: str) -> Offer | None:
        """Find the card that a form names; None if it names none, or it was forgotten."""
        return next((offer for offer in self.all() if offer.reference == reference), None)

    def typed(self, number: str, reference: str) -> Offer | None:
        """Find the card that a payer means: a public one by its digits, one's own by a click.

        Args:
            number: What stands in the input: digits, or the masked number that a click left there.
            reference: What the click sent beside it.
        """
        if number in TEST_CARDS:
            return self.find(number)
        offer = self.find(reference)
        # A number that was typed after the click counts, and not the click.
        return offer if offer is not None and offer.own and offer.shown == number else None

    def _offer(self, card: KnownCard) -> Offer:
        number, expire = card.number, card.expire or EXPIRE
        public = is_public(number)
        return Offer(
            number if public else self._reference(number),
            grouped(number) if public else redact.card_number(number),
            f"{expire[:2]}/{expire[2:]}",
            card,
        )

    def _reference(self, number: str) -> str:
        return hmac.new(self._key, number.encode(), "sha256").hexdigest()[:24]


def is_public(number: str) -> bool:
    """Return whether a card number is one of the test cards that Payme and we have published."""
    return number in TEST_CARDS


def grouped(number: str) -> str:
    """Write a card number in groups of four, as it stands on the card."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
