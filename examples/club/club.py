"""What a member and the operator may do; the pages and both frameworks know nothing more.

Money is taken by `payme.charges`, on dates that `payme.recurring` knows, from cards that
`payme.wallet` keeps. What is written here is what a club has to decide for itself.
"""

import logging
import time
from calendar import monthrange
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from datetime import time as time_of_day
from threading import Event, Timer
from typing import Final, NamedTuple

from examples.club.clock import Clock
from examples.club.members import Member, Members
from examples.club.texts import ZONE, local_day
from payme.charges import Charge, ChargeNotFound, Charges
from payme.errors import OutcomeUnknown, PaymeError
from payme.recurring import (
    LedgerBehind,
    Message,
    Notice,
    Period,
    PeriodState,
    Recurring,
    Subscription,
    SubscriptionConflict,
    SubscriptionNotFound,
    SubscriptionState,
)
from payme.wallet import CardNotFound, CardUnusable, SavedCard, Wallet

AMOUNT: Final = 5_000_000
"""What a month costs, in tiyin."""

NOTICE_DAYS: Final = 3
"""Days before a payment at which it is announced."""

DEADLINE_S: Final = 8.0
"""How long a member waits for the end of a payment; what is not proven by then goes on in the
background, and the page shows that."""

IN_FLIGHT: Final = 5
"""How many charges are driven at once."""

_LOOK_S: Final = 0.2
_LONG_PAUSE_S: Final = 60.0
_SHOWN: Final = 3
_LONGEST_MOVE_S: Final = 25.0
_TEN: Final = time_of_day(10)
_LOG: Final = logging.getLogger("club")
_GOES_ON: Final = frozenset(SubscriptionState) - {SubscriptionState.ENDING, SubscriptionState.ENDED}


class Payment(NamedTuple):
    """A payment to come."""

    due: float
    amount: int


class Account(NamedTuple):
    """What a member sees.

    Attributes:
        member: The member.
        subscription: The subscription; None until a card was added.
        periods: Its periods, the newest first.
        debt: The period that is not resolved.
        charge: The charge of that period.
        cards: Saved cards, the one that pays first.
        messages: What the member was told, the newest first.
        is_open: The member may come in.
        now: The club's time.
    """

    member: Member
    subscription: Subscription | None
    periods: list[Period]
    debt: Period | None
    charge: Charge | None
    cards: list[SavedCard]
    messages: list[Message]
    is_open: bool
    now: float

    @property
    def state(self) -> SubscriptionState | None:
        """State of the subscription."""
        return None if self.subscription is None else self.subscription.state

    @property
    def goes_on(self) -> bool:
        """More payments follow."""
        return self.state in _GOES_ON

    @property
    def card(self) -> SavedCard | None:
        """The card that pays."""
        return next((one for one in self.cards if one.is_default), None)

    @property
    def has_ended(self) -> bool:
        """Nothing is due any more; who wants to come again joins again."""
        return self.state is SubscriptionState.ENDED

    @property
    def paid_until(self) -> float | None:
        """When the last month ends that was paid, in seconds since 1970."""
        return max((one.end for one in self.periods if one.state is PeriodState.PAID), default=None)

    @property
    def next_payments(self) -> list[Payment]:
        """The payments that come next, if nothing else happens."""
        one = self.subscription
        if one is None or not self.goes_on:
            return []
        first = self._first_to_come(one)
        return [Payment(one.due(n), one.amount(n)) for n in range(first, first + _SHOWN)]

    @property
    def current(self) -> Payment | None:
        """The month that has begun while an older one is unpaid; it is taken right after that.

        Months between the two are skipped: the subscriptions are created with `missed="latest"`.
        """
        one = self.subscription
        if one is None or self.debt is None or not self.goes_on:
            return None
        n = self._first_to_come(one) - 1
        return Payment(one.due(n), one.amount(n)) if n >= one.next_n else None

    def _first_to_come(self, one: Subscription) -> int:
        n = one.next_n
        while self.debt is not None and one.due(n) <= self.now:
            n += 1
        return n


class Books(NamedTuple):
    """What the operator sees: amounts in tiyin by what became of them, and all accounts."""

    amounts: dict[PeriodState, int]
    accounts: list[Account]

    @property
    def attention(self) -> Iterator[tuple[Account, Message | Charge]]:
        """What a person has to look at: money that came too late, outcomes that nobody knows."""
        for account in self.accounts:
            for message in account.messages:
                if message.kind is Notice.PAID_AFTER_CANCEL:
                    yield account, message
            if account.charge is not None and account.charge.needs_attention:
                yield account, account.charge


class Club:
    """A club.

    Args:
        charges: Takes money.
        wallet: Keeps cards.
        recurring: Knows when; it must have been given `clock`.
        members: Who they are.
        clock: The club's time.
    """

    def __init__(
        self,
        charges: Charges,
        wallet: Wallet,
        recurring: Recurring,
        members: Members,
        clock: Clock,
    ) -> None:
        self._charges = charges
        self._wallet = wallet
        self._recurring = recurring
        self.members = members
        self.clock = clock

    # What a member does.

    def join(self, name: str) -> Member:
        """Take a new member who has agreed to be charged."""
        return self.members.join(name, self.clock())

    def rejoin(self, member: Member) -> None:
        """Let a member whose subscription has ended begin another, after agreeing again."""
        known = self._subscription(member)
        if known is not None and known.state is SubscriptionState.ENDED:
            self.members.rejoin(member, self.clock())

    def bind(self, member: Member, token: str) -> None:
        """Take the card that the form brought; pay with it what is due.

        The first card begins the subscription, and its first month is paid at once. The same
        token may come twice, when the answer to the form was lost.

        Args:
            member: Who is logged in.
            token: As the browser sent it: believed after Payme was asked.

        Raises:
            CardUnusable: The card is not verified, has expired or can't be charged again.
            CardConflict: It is somebody else's card.
            NotFound: Payme does not know the token.
            OutcomeUnknown: Nobody answered; nothing was stored.
        """
        self._wallet.add(member.customer, token, recurring=True, default=True)
        self.pay(member)

    def pay(self, member: Member) -> None:
        """Pay what is due with the card that the member has: the first month, or an unpaid one.

        Args:
            member: Who is logged in.
        """
        known = self._subscription(member)
        try:
            if known is None:
                known = self._begin(member)
            elif known.state is not SubscriptionState.ENDED:
                known = self._recurring.use_card(known.id, customer=member.customer)
        except (CardNotFound, CardUnusable, SubscriptionConflict):
            return  # removed, expired or ended meanwhile: the page says so
        period = self._debt(known)
        if period is None:
            return
        # The id is that of the period's charge: asked for again, it is the same money.
        money = (period.charge_id, period.amount, {"member": member.id})
        try:
            self._charges.charge(*money, customer=member.customer, deadline=DEADLINE_S)
        except PaymeError:
            # Card and charge are stored: the runner drives it, and the page says how far it is.
            _LOG.exception("charge %s goes on in the background", period.charge_id)

    def retry(self, member: Member) -> None:
        """Try an unpaid month again, because the member says so."""
        known = self._subscription(member)
        # Nothing is unpaid any more, it was tried enough, or the card is not there any more.
        with suppress(SubscriptionConflict, CardNotFound, CardUnusable):
            if known is not None:
                self._wait_for(self._recurring.retry(known.id))

    def cancel(self, member: Member) -> None:
        """End the subscription with the month that is paid."""
        known = self._subscription(member)
        if known is not None:
            self._recurring.cancel(known.id)

    def keep(self, member: Member) -> None:
        """Take a cancellation back that has not come to its end."""
        known = self._subscription(member)
        with suppress(SubscriptionConflict):  # it has just ended
            if known is not None and known.state is SubscriptionState.ENDING:
                self._recurring.resume(known.id)

    def remove_card(self, member: Member, card_id: str) -> None:
        """Remove a card that does not pay, at Payme and here."""
        for card in self._wallet.list(member.customer):
            if card.id == card_id and not card.is_default:
                with suppress(CardNotFound, OutcomeUnknown):  # the next click finishes it
                    self._wallet.remove(card.id)

    # What people see.

    def account(self, member: Member) -> Account:
        """Read what a member sees."""
        known = self._subscription(member)
        periods = [] if known is None else self._recurring.periods(known.id)[::-1]
        debt = next((one for one in periods if one.is_debt), None)
        is_paid = any(one.state is PeriodState.PAID for one in periods)
        return Account(
            member=member,
            subscription=known,
            periods=periods,
            debt=debt,
            charge=None if debt is None else self._charge(debt),
            cards=self._wallet.list(member.customer),
            messages=self.members.told(member),
            # Days of grace are for members: whoever has never paid has none.
            is_open=known is not None and is_paid and self._recurring.is_entitled(known.id),
            now=self.clock(),
        )

    def books(self) -> Books:
        """Read what the operator sees. A club of a thousand members would ask its database."""
        accounts = [self.account(member) for member in self.members.all()]
        amounts = dict.fromkeys(PeriodState, 0)
        for account in accounts:
            for period in account.periods:
                amounts[period.state] += period.amount
        return Books(amounts, accounts)

    # What goes on by itself.

    def run(self, stop: Event) -> None:
        """Open what is due, drive charges, deliver messages, until told to stop.

        Any number of processes may do so at once.
        """
        with ThreadPoolExecutor(1, "club") as threads:
            looking = threads.submit(self._look_and_deliver, stop)
            while not stop.is_set():
                try:
                    self._recurring.run(in_flight=IN_FLIGHT, stop=stop)
                except LedgerBehind:
                    _LOG.exception("nothing is taken until a person has looked")
                    stop.wait(_LONG_PAUSE_S)
                except Exception:  # noqa: BLE001 - whatever it is, money is still owed
                    _LOG.exception("the runner is started again")
                    stop.wait(1)
            looking.result()

    def move(self, days: int) -> None:
        """Let days pass on the sandbox's clock, one by one, as they would.

        What is due on a day is done before the next one begins, if Payme answers.

        Args:
            days: How many.
        """
        stop = Event()
        patience = Timer(_LONGEST_MOVE_S, stop.set)
        patience.start()
        try:
            for _ in range(days):
                self.clock.move_a_day()
                self._recurring.run(in_flight=IN_FLIGHT, drain=True, stop=stop)
        except PaymeError:
            _LOG.exception("Payme can't be asked; the runner goes on when it can")
        finally:
            patience.cancel()
        self.deliver()

    def days_of_month(self) -> int:
        """Return how many days it is to the same day of the next month."""
        today = local_day(self.clock())
        return monthrange(today.year, today.month)[1]

    def deliver(self) -> None:
        """Hand messages over to the members, each once whatever crashes.

        A crash between the two lines finds the message again, and the member's shelf knows it.
        """
        for message in self._recurring.outbox():
            self.members.tell(message)
            self._recurring.sent(message)

    def _look_and_deliver(self, stop: Event) -> None:
        while not stop.wait(_LOOK_S):
            try:
                self.clock.look()
                self.deliver()
            except Exception:  # noqa: BLE001 - whatever it is, it is tried again
                _LOG.exception("messages could not be delivered; tried again")
                stop.wait(1)

    def _subscription(self, member: Member) -> Subscription | None:
        try:
            return self._recurring.get(member.subscription)
        except SubscriptionNotFound:
            return None

    def _begin(self, member: Member) -> Subscription:
        """Begin the subscription; its first period is due now."""
        local = datetime.fromtimestamp(self.clock(), UTC).astimezone(ZONE)
        try:
            return self._recurring.create(
                member.subscription,
                AMOUNT,
                {"member": member.id},
                customer=member.customer,
                missed="latest",
                notice_days=NOTICE_DAYS,
                # Payments are taken at ten, but who joins at eight does not wait until then.
                at=min(_TEN, local.time().replace(microsecond=0)),
            )
        except SubscriptionConflict:
            # Another click has just begun it, at another second.
            return self._recurring.get(member.subscription)

    def _debt(self, known: Subscription) -> Period | None:
        if known.debt is None:
            return None
        periods = self._recurring.periods(known.id)
        return next((one for one in periods if one.is_debt), None)

    def _charge(self, period: Period) -> Charge | None:
        try:
            return self._charges.get(period.charge_id)
        except ChargeNotFound:
            return None

    def _wait_for(self, known: Subscription) -> None:
        """Wait for what the runner drives, as long as a person waits."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            period = self._debt(self._recurring.get(known.id))
            if period is None or period.state is not PeriodState.OPEN:
                return
            time.sleep(_LOOK_S)
