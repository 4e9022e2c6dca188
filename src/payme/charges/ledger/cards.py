"""Where saved cards are kept: what a ledger that keeps cards can do."""

from typing import Any, NamedTuple, Protocol, cast

from payme.charges.ledger import Ledger
from payme.charges.saved import Look, SavedCard, StoredCard
from payme.errors import ConfigurationError
from payme.protocol.models import Card
from payme.redact import Secret


class NewCard(NamedTuple):
    """A card that Payme has shown to be good.

    Attributes:
        customer: Whose it is.
        card: What `cards.check` answered.
        token: The token that was asked about.
        default: True to make it the default; None to let it be one while no other was chosen; False
            to let it be none until it is chosen.
        now: Seconds since 1970.
    """

    customer: str
    card: Card
    token: Secret
    default: bool | None
    now: float

    def __repr__(self) -> str:
        return "NewCard()"


class CardLedger(Protocol):
    """Keeps saved cards, blocking. Every method is one database transaction."""

    def add(self, new: NewCard) -> SavedCard:
        """Store a card, or store anew what is known of it; the same card is stored once.

        Raises:
            CardConflict: The token is another customer's, or is being removed.
        """
        ...

    def load(self, card_id: str) -> StoredCard | None:
        """Read a card."""
        ...

    def of(self, customer: str) -> list[SavedCard]:
        """Read the cards of a customer: the default first, then the oldest."""
        ...

    def default(self, customer: str, connection: Any = None) -> StoredCard | None:
        """Read the default card of a customer, whatever its state; None if there is none."""
        ...

    def choose(self, card_id: str, now: float) -> bool:
        """Make a card the default of its customer; False if it can't be one."""
        ...

    def store(self, stored: StoredCard, look: Look, now: float) -> None:
        """Store what was learned of a card, unless it is being removed or has another token."""
        ...

    def begin_removal(self, card_id: str, now: float) -> StoredCard | None:
        """Store that a card is being removed: from now on no payment with it begins."""
        ...

    def forget(self, stored: StoredCard) -> None:
        """Delete a card that is being removed, with its token."""
        ...

    def removing(self, after: str, limit: int) -> list[str]:
        """Read the ids of cards whose removal was begun, in the order of their ids."""
        ...


def cards_of(ledger: Ledger) -> CardLedger:
    """Return where a ledger keeps cards. An asyncio ledger's methods there are awaited, too.

    Raises:
        ConfigurationError: It keeps none.
    """
    cards = getattr(ledger, "cards", None)
    if cards is None:
        raise ConfigurationError(
            f"ledger: {type(ledger).__name__} keeps no saved cards; SqlLedger and DjangoLedger do"
        )
    return cast("CardLedger", cards)
