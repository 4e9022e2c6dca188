"""What `Wallet` and `AsyncWallet` do, written once, as flows."""

from collections.abc import Callable
from typing import Final

from payme.charges import saved
from payme.charges.ledger import Ledger
from payme.charges.ledger.cards import NewCard, cards_of
from payme.charges.pace import since_1970
from payme.charges.procedures import Flow, asked
from payme.charges.saved import (
    UNKNOWN_TOKEN,
    Addition,
    CardNotFound,
    CardState,
    Look,
    SavedCard,
    StoredCard,
)
from payme.errors import AccessDenied, NotSent, OutcomeUnknown, ProtocolError, Rejected
from payme.protocol import calls, flows
from payme.protocol.flows import Session

_PAGE: Final = 100


class Procedures:
    """The flows of one `Wallet` or `AsyncWallet`.

    Args:
        session: Who calls Payme.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, addition: Addition) -> Flow[SavedCard]:
        """Ask Payme about a card, and store what it says."""
        check = addition.call()
        card = yield from flows.start(check, self._session)
        now = since_1970()
        saved.require_chargeable(card, now, recurring=addition.recurring)
        # The token that was asked about: whatever stands in the answer was not asked about.
        token = check.params["token"]
        new = NewCard(addition.customer, card, token, addition.default, now)
        return (yield from asked(lambda ledger: cards_of(ledger).add(new)))

    def get(self, card_id: str) -> Flow[SavedCard]:
        """Read a card."""
        return (yield from self._load(card_id)).card

    def of(self, customer: str) -> Flow[list[SavedCard]]:
        """Read the cards of a customer."""
        whose = saved.check_customer(customer)
        return (yield from asked(lambda ledger: cards_of(ledger).of(whose)))

    def default(self, customer: str) -> Flow[SavedCard | None]:
        """Read the default card of a customer."""
        whose = saved.check_customer(customer)
        found = yield from asked(lambda ledger: cards_of(ledger).default(whose))
        return None if found is None else found.card

    def make_default(self, card_id: str) -> Flow[SavedCard]:
        """Make a card the default of its customer."""
        card = yield from self.get(card_id)
        chosen = yield from asked(lambda ledger: cards_of(ledger).choose(card.id, since_1970()))
        card = yield from self.get(card.id)
        if not chosen:
            raise saved.CardUnusable("the card is being removed", card.state.value, card)
        return card

    def refresh(self, card_id: str) -> Flow[SavedCard]:
        """Ask Payme about a card again, and mark it."""
        stored = yield from self._load(card_id)
        if stored.card.state is not CardState.REMOVING:
            look = yield from self._look(stored)
            now = since_1970()
            yield from asked(lambda ledger: cards_of(ledger).store(stored, look, now))
        return (yield from self.get(card_id))

    def remove(self, card_id: str) -> Flow[None]:
        """Remove a card at Payme, then here."""
        known_as = saved.check_card_id(card_id)
        flows.require_key("cards.remove", self._session)
        now = since_1970()
        stored = yield from asked(lambda ledger: cards_of(ledger).begin_removal(known_as, now))
        if stored is None:
            raise _no_card(known_as)
        yield from self._finish(stored)

    def recover(self) -> Flow[int]:
        """Finish removals that were begun; gives how many are done now."""
        flows.require_key("cards.remove", self._session)
        after, done = "", 0
        while page := (yield from asked(_removing_after(after))):
            for card_id in page:
                after = card_id
                try:
                    yield from self.remove(card_id)
                except AccessDenied:
                    # The key does not fit, for none of them.
                    raise
                except NotSent:
                    # Payme can't be reached now; the next time they are found again.
                    return done
                except (OutcomeUnknown, ProtocolError, Rejected, CardNotFound):
                    # Found again the next time; or somebody else has just finished it.
                    continue
                done += 1
        return done

    def _load(self, card_id: str) -> Flow[StoredCard]:
        known_as = saved.check_card_id(card_id)
        stored = yield from asked(lambda ledger: cards_of(ledger).load(known_as))
        if stored is None:
            raise _no_card(known_as)
        return stored

    def _look(self, stored: StoredCard) -> Flow[Look]:
        try:
            card = yield from flows.start(calls.cards_check(stored.token.open()), self._session)
        except Rejected as refused:
            look = saved.read_refusal(refused)
            if look is None:
                raise
            return look
        return Look(saved.judge(card, since_1970()), "cards.check", card)

    def _finish(self, stored: StoredCard) -> Flow[None]:
        """Remove a token at Payme, and the card here once Payme has said that there is none.

        A repeated removal is harmless, so a lost answer is made good by asking again.
        """
        remove = calls.cards_remove(stored.token.open())
        try:
            removed = yield from flows.start(remove, self._session)
        except Rejected as refused:
            if refused.code not in UNKNOWN_TOKEN:
                raise
        else:
            if not removed:
                raise ProtocolError(
                    "cards.remove: answered success: false; the card is still being removed",
                    method="cards.remove",
                    sent="yes",
                )
        yield from asked(lambda ledger: cards_of(ledger).forget(stored))


def _removing_after(after: str) -> Callable[[Ledger], list[str]]:
    return lambda ledger: cards_of(ledger).removing(after, _PAGE)


def _no_card(card_id: str) -> CardNotFound:
    return CardNotFound(f"no saved card has the id {card_id!r}")
