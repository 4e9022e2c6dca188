"""What the web server of a shop does: it signs members up, saves their cards, and lets them go."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.demo.year.plan import NORMAL_CARDS, Event, Member, What
from payme.errors import Rejected
from payme.recurring import Recurring, SubscriptionConflict, SubscriptionState
from payme.sandbox import Sandbox
from payme.transport.memory import MemoryTransport
from payme.wallet import Wallet

DRY: Final = "8600318600000007"
EXPIRED: Final = "3333336415804657"


class Shop:
    """A shop, and the payers' cards, which live in the sandbox.

    Args:
        sandbox: Where the cards are.
        ledger: The shop's ledger.
        members: Who may join.
    """

    def __init__(self, sandbox: Sandbox, ledger: SqlLedger, members: tuple[Member, ...]) -> None:
        self._sandbox = sandbox
        self._members = members
        transport = MemoryTransport(sandbox.handle)
        self.client = Payme(
            sandbox.merchant_id, sandbox.key, environment="test", transport=transport
        )
        self.cards: dict[int, tuple[str, int]] = {}
        """Token of each member's card, and which of the normal cards it is."""
        self.customers: dict[str, str] = {}
        """Whose each token is that was ever bound."""
        self.live: set[str] = set()
        """Tokens that were not removed."""
        self.use(ledger)

    def use(self, ledger: SqlLedger) -> None:
        """Keep everything in another ledger from now on."""
        self.ledger = ledger
        self.wallet = Wallet(self.client, ledger)
        self.charges = Charges(self.client, ledger)
        self.recurring = Recurring(self.charges)
        self.recurring.create_all()

    def happen(self, event: Event) -> None:
        """Let something happen."""
        _ACTS[event.what](self, self._members[event.member])

    def happened(self, events: list[Event]) -> None:
        """Ask for what a restored backup has forgotten: cards first, then the members' wishes.

        Args:
            events: What happened since the backup, in its order.
        """
        touched = {event.member for event in events if event.what in _OF_CARDS}
        for number in sorted(touched):
            member = self._members[number]
            token, _ = self.cards[number]
            if token in self.live:
                self.use_card(member, token)
            else:
                self.remove(member)
        for event in events:
            if event.what in _WISHES:
                self.happen(event)

    def join(self, member: Member) -> None:
        """A member binds a card and subscribes."""
        token = self._bind(member)
        self.wallet.add(member.customer, token, recurring=True)
        self.recurring.create(
            member.subscription,
            member.price,
            {"member": member.number},
            token,
            missed="all",
            description="Club",
        )

    def run_dry(self, member: Member) -> None:
        """There is no money on the card."""
        self._sandbox.add_card(self.cards[member.number][0], number=DRY)

    def refill(self, member: Member) -> None:
        """There is money again; who was told that the last retry failed presses a button."""
        token, which = self.cards[member.number]
        self._sandbox.add_card(token, number=NORMAL_CARDS[which])
        if self.recurring.get(member.subscription).state is SubscriptionState.PAST_DUE:
            self.recurring.retry(member.subscription)

    def expire(self, member: Member) -> None:
        """The bank issues another card, and this one is over."""
        self._sandbox.add_card(self.cards[member.number][0], number=EXPIRED)

    def unbind(self, member: Member) -> None:
        """The payer removes the card where the shop does not see it."""
        token, _ = self.cards[member.number]
        with suppress(Rejected):
            self.client.cards.remove(token)
        self.live.discard(token)

    def remove(self, member: Member) -> None:
        """The payer removes the card in the shop."""
        for card in self.wallet.list(member.customer):
            self.wallet.remove(card.id)
        self.live.discard(self.cards[member.number][0])

    def replace(self, member: Member) -> None:
        """The payer brings another card; the one before is removed."""
        before, _ = self.cards[member.number]
        self.use_card(member, self._bind(member))
        self.live.discard(before)

    def use_card(self, member: Member, token: str) -> None:
        """Let a card pay from now on, and forget the others."""
        card = self.wallet.add(member.customer, token, recurring=True, default=True)
        with suppress(SubscriptionConflict):
            self.recurring.use_card(member.subscription, token)
        for other in self.wallet.list(member.customer):
            if other.id != card.id:
                self.wallet.remove(other.id)

    def leave(self, member: Member) -> None:
        """A member leaves, and takes the card along."""
        self.recurring.cancel(member.subscription)
        self.remove(member)

    def pause(self, member: Member) -> None:
        """A member goes on holiday."""
        with suppress(SubscriptionConflict):
            self.recurring.pause(member.subscription)

    def resume(self, member: Member) -> None:
        """A member is back."""
        with suppress(SubscriptionConflict):
            self.recurring.resume(member.subscription)

    def _bind(self, member: Member) -> str:
        which = (self.cards.get(member.number, ("", member.number))[1] + 1) % len(NORMAL_CARDS)
        token = self._sandbox.add_card(number=NORMAL_CARDS[which])
        self.cards[member.number] = token, which
        self.customers[token] = member.customer
        self.live.add(token)
        return token


_OF_CARDS: Final = frozenset({What.REPLACE, What.UNBIND, What.REMOVE, What.LEAVE})
_WISHES: Final = frozenset({What.LEAVE, What.PAUSE, What.RESUME})

_ACTS: Final[dict[What, Callable[[Shop, Member], None]]] = {
    What.JOIN: Shop.join,
    What.RUN_DRY: Shop.run_dry,
    What.REFILL: Shop.refill,
    What.EXPIRE: Shop.expire,
    What.UNBIND: Shop.unbind,
    What.REMOVE: Shop.remove,
    What.REPLACE: Shop.replace,
    What.LEAVE: Shop.leave,
    What.PAUSE: Shop.pause,
    What.RESUME: Shop.resume,
}
