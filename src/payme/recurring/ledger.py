"""What is done to subscriptions in a transaction, whatever database they lie in.

Every function here works on rows and asks nothing of Payme, so that a subscription, its period, its
charge and what the payer is told are one transaction. What asks Payme is the charge.

A page of subscriptions is read by a few statements, moved by the core in memory until nothing of it
is due, and stored by a few statements.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from payme.charges import orders
from payme.charges.core import RESTS, Charge, ChargeState, Means, Save, changed
from payme.charges.pace import since_1970
from payme.charges.saved import StoredCard, chargeable, expires_at
from payme.charges.vault import Vault
from payme.protocol.states import ReceiptState
from payme.recurring import core
from payme.recurring.core import (
    Change,
    Period,
    Subscription,
    SubscriptionConflict,
    SubscriptionNotFound,
    Told,
)
from payme.recurring.rows import Message, Rows, Source, Stored
from payme.redact import TOKEN, Secret

# No subscription has this much to do at once; one that seems to is a mistake of ours.
_MOST_STEPS: Final = 1000

# In which states a charge is asked what. One that is paid has been learned of before, and one that
# failed can take no money already.
_TAKES: Final = {
    "retry": frozenset({ChargeState.REFUSED, ChargeState.FAILED}),
    "cancel": (frozenset(ChargeState) - RESTS) | {ChargeState.REFUSED},
}

Act = Callable[[Subscription, Period | None, float], Change | None]
"""What is asked of a subscription: a function of the core's."""


class LedgerStep(NamedTuple):
    """A step of a flow: a transaction, in which a function of this module's is called."""

    act: Callable[..., Any]
    arguments: tuple[Any, ...]


class LostReceipt(NamedTuple):
    """A receipt that took money for a period, as Payme shows it.

    Attributes:
        receipt_id: Its id.
        charge_id: The charge that its description names, `{subscription}:{n}`.
        amount: Amount in tiyin.
        state: Its state; one that is cancelled was paid before.
        created: When it was created, in seconds since 1970.
    """

    receipt_id: str
    charge_id: str
    amount: int
    state: ReceiptState
    created: float


# Reading.


def load(rows: Rows, subscription_id: str) -> Stored:
    """Read a subscription with its card.

    Raises:
        SubscriptionNotFound: There is none.
    """
    found = rows.load([subscription_id])
    if not found:
        raise SubscriptionNotFound(f"no subscription has the id {subscription_id!r}")
    return found[0]


def get(rows: Rows, subscription_id: str) -> Subscription:
    """Read a subscription."""
    return load(rows, subscription_id).subscription


def periods(rows: Rows, subscription_id: str) -> list[Period]:
    """Read the periods of a subscription, in their order."""
    load(rows, subscription_id)
    return rows.periods(subscription_id)


def is_entitled(rows: Rows, subscription_id: str, now: float) -> bool:
    """Return whether a payer may use what the subscription grants now."""
    subscription = get(rows, subscription_id)
    last = rows.load_periods([(subscription.id, subscription.next_n - 1)])
    return core.is_entitled(subscription, last[0] if last else None, now)


def waking(rows: Rows, until: float) -> list[Subscription]:
    """Read the subscriptions that have something due by then, in that order."""
    return rows.waking(until)


def outbox(rows: Rows, limit: int) -> list[Message]:
    """Read the notices that were not sent, the oldest first."""
    return rows.outbox(limit)


def mark_sent(rows: Rows, message: Message, now: float) -> None:
    """Note that a notice was sent."""
    rows.mark_sent(message, now)


# Changing.


def create(rows: Rows, change: Change, source: Source) -> Subscription:
    """Store a subscription unless its id is known, and open what is due at once.

    Args:
        rows: A transaction.
        change: What the core made.
        source: What it is paid with.

    Raises:
        SubscriptionConflict: The id belongs to one with another rule.
        CardNotFound: The customer has no default card.
        CardUnusable: It must not be charged.
    """
    after = change.after
    rows.lock(after.id)
    stored = Stored(after, source.means)
    (work,) = _works(rows, [stored])
    if source.customer is not None and not rows.load([after.id]):
        # The same id is the same subscription, whatever has become of the card.
        work.payment.require()
    if not rows.add(*stored):
        return _same(after, get(rows, after.id))
    work.come_to_rest(after.created)
    _store(rows, [work], after.created)
    return work.subscription


def command(
    rows: Rows, known: Subscription, act: Act, source: Source | None, now: float
) -> Subscription:
    """Do what a merchant asks, and what is due then.

    Args:
        rows: A transaction.
        known: The subscription as it was read before, in a transaction of its own.
        act: What is asked.
        source: What it is paid with from now on; None if that stays.
        now: Seconds since 1970.

    Raises:
        CardNotFound: Another attempt was asked for, and the customer has no default card.
        CardUnusable: It must not be charged.
    """
    # In the order in which who drives the charge locks them, so that neither waits for ever.
    rows.lock_charge(f"{known.id}:{known.debt}")
    rows.lock(known.id)
    (work,) = _works(rows, [load(rows, known.id)])
    work.learn(now)
    if source is not None:
        rows.save_means(known.id, source.means)
        (work.payment,) = _payments(rows, [source])
        work.payment.require()
    change = act(work.subscription, work.debt, now)
    if change is not None and change.ask == "retry":
        work.payment.require()
    work.take(change, now)
    work.come_to_rest(now)
    _store(rows, [work], now)
    return work.subscription


def learn(rows: Rows, charge: Charge, now: float) -> None:
    """Take in a proven change of a charge: the hook, in the transaction that stores it."""
    subscription_id, _, number = charge.id.rpartition(":")
    if not subscription_id or not number.isascii() or not number.isdecimal():
        return
    rows.lock(subscription_id)
    found = rows.load([subscription_id])
    of_charge = rows.load_periods([(subscription_id, int(number))]) if found else []
    if not of_charge or of_charge[0].charge_id != charge.id:
        return
    (payment,) = _payments(rows, [_source(found[0])])
    work = _Work(found[0].subscription, payment, of_charge[0], charge)
    work.learn(now)
    _store(rows, [work], now)


def tick_page(rows: Rows, now: float, limit: int, without: Collection[str]) -> list[str]:
    """Do what is due for some subscriptions, in one transaction; gives their ids."""
    page = rows.due(now, limit, without)
    _advance(rows, page, now)
    return [stored.subscription.id for stored in page]


def due_ids(rows: Rows, now: float, limit: int, without: Collection[str]) -> list[str]:
    """Read the ids of what is due and nobody ticks."""
    return rows.due_ids(now, limit, without)


def tick_one(rows: Rows, now: float, subscription_id: str) -> None:
    """Do what is due for one subscription."""
    rows.lock(subscription_id)
    _advance(rows, [load(rows, subscription_id)], now)


# A ledger that was restored from a backup.


def mark(rows: Rows) -> float | None:
    """Return up to when nothing that Payme took was missing here; None if nobody has looked."""
    return rows.mark()


def move_mark(rows: Rows, now: float) -> None:
    """Note that nothing is missing up to now."""
    rows.save_mark(now)


def watched_since(rows: Rows) -> float | None:
    """Return from when on Payme's receipts are to be looked at; None without subscriptions."""
    known = rows.mark()
    return rows.oldest() if known is None else known


def find_lost(rows: Rows, carried: Sequence[LostReceipt]) -> list[LostReceipt]:
    """Return the receipts that are for periods of subscriptions here, and are not known here."""
    ours = {
        stored.subscription.id
        for stored in rows.load(sorted({_key(one.charge_id)[0] for one in carried}))
    }
    mine = [one for one in carried if _key(one.charge_id)[0] in ours]
    ids = sorted({one.charge_id for one in mine})
    known = set(rows.load_receipts(ids)) if ids else set[tuple[str, str]]()
    there = {charge.id for charge in rows.load_charges(ids)}
    # What went back counts where its charge is missing: else the period would be taken again.
    return [
        one
        for one in mine
        if (one.charge_id, one.receipt_id) not in known
        and (one.state != ReceiptState.CANCELLED or one.charge_id not in there)
    ]


def charge(rows: Rows, charge_id: str) -> Charge | None:
    """Read a charge; None if there is none."""
    found = rows.load_charges([charge_id])
    return found[0] if found else None


def adopt(rows: Rows, lost: LostReceipt, known: Charge | None, now: float) -> Subscription:
    """Take a receipt in as that of its period, which is opened for it if it was not.

    Args:
        rows: A transaction.
        lost: What Payme shows.
        known: Its charge as it was read before, when the receipt that it had was cancelled.
        now: Seconds since 1970.

    Raises:
        SubscriptionNotFound: There is no such subscription.
        SubscriptionConflict: The charge has changed meanwhile, or the period can't be this one.
    """
    subscription_id, n = _key(lost.charge_id)
    rows.lock_charge(lost.charge_id)
    rows.lock(subscription_id)
    stored = load(rows, subscription_id)
    (work,) = _works(rows, [stored])
    there = charge(rows, lost.charge_id)
    if (there and there.version) != (known and known.version):
        raise SubscriptionConflict(f"charge {lost.charge_id!r} has changed meanwhile: look again")
    if there is not None and there.receipt_id == lost.receipt_id:
        return stored.subscription
    periods_ = rows.load_periods([(subscription_id, n)])
    if there is None:
        there = _charge(stored.subscription, lost.charge_id, lost.amount)
        rows.add_charges([(there, work.payment.sealed())])
    state = _ADOPTED.get(lost.state, ChargeState.PAYING)
    after = changed(
        there,
        since_1970(),
        state=state,
        receipt_id=lost.receipt_id,
        receipts=max(there.receipts, 1),
        attempts=max(there.attempts, 1),
        due=since_1970() if state is ChargeState.PAYING else None,
        evidence=f"merchant: adopt; receipts.get: {lost.state.name}",
    )
    work.asked.append(("adopt", Save(there, after)))
    period = periods_[0] if periods_ else None
    work.take(core.adopt(work.subscription, work.debt, period, after, n, now), now)
    _store(rows, [work], now)
    return work.subscription


# What a receipt that took money says of its charge; what is not here is still under way.
_ADOPTED: Final = {
    ReceiptState.PAID: ChargeState.PAID,
    ReceiptState.CANCELLED: ChargeState.REFUNDED,
}


def _key(charge_id: str) -> tuple[str, int]:
    subscription_id, _, n = charge_id.rpartition(":")
    return subscription_id, int(n)


def of_customer(rows: Rows, customer: str) -> list[Subscription]:
    """Read the subscriptions that a customer's default card pays."""
    return [stored.subscription for stored in rows.load(rows.of_customer(customer))]


def _advance(rows: Rows, page: Sequence[Stored], now: float) -> None:
    """Do all that is due for subscriptions that are locked."""
    works = _works(rows, page)
    for work in works:
        work.come_to_rest(now)
    _store(rows, works, now)


class _Work:
    """A subscription with its debt and the charge of that, and what is to be stored of them."""

    __slots__ = (
        "asked", "before", "charge", "debt", "messages", "payment", "periods", "submitted",
        "subscription",
    )  # fmt: skip

    def __init__(
        self,
        subscription: Subscription,
        payment: "_Payment",
        debt: Period | None,
        charge: Charge | None,
    ) -> None:
        self.subscription = subscription
        self.payment = payment
        self.debt = debt
        self.begin_anew(charge)

    def begin_anew(self, charge: Charge | None) -> None:
        """Go on from what is stored."""
        self.before = self.subscription
        self.charge = charge
        self.periods: dict[int, Period] = {}
        self.messages: list[Message] = []
        self.submitted: tuple[Charge, bytes] | None = None
        self.asked: list[tuple[str, Save]] = []

    def come_to_rest(self, now: float) -> None:
        """Do all that is due."""
        for _ in range(_MOST_STEPS):
            wakes = self.subscription.wakes
            if wakes is None or wakes > now:
                return
            self.take(core.tick(self.subscription, self.debt, self.charge, now), now)
        raise RuntimeError(f"subscription {self.subscription.id} never comes to rest")

    def learn(self, now: float) -> None:
        """Take in what the charge has proven."""
        if self.debt is not None and self.charge is not None:
            self.take(core.learn(self.subscription, self.debt, self.charge, now), now)

    def take(self, change: Change | None, now: float) -> None:
        """Take a change over; it is stored by `_store`."""
        if change is None:
            return
        change = core.paid_with(change, self.payment.card, now)
        self.subscription = after = change.after
        self.periods.update((period.n, period) for period in change.periods)
        self.messages += [_message(after, told) for told in change.told]
        if change.submit is not None:
            self._submit(after, change.submit)
        if change.ask == "retry" and self.charge is None:
            # It was opened when there was no card.
            self._submit(after, change.periods[-1])
        elif change.ask is not None:
            self._ask(change.ask)
        if after.debt is None:
            self.debt = self.charge = None
        else:
            self.debt = self.periods.get(after.debt, self.debt)

    def _submit(self, subscription: Subscription, period: Period) -> None:
        self.charge = _charge(subscription, period.charge_id, period.amount)
        self.submitted = (self.charge, self.payment.sealed())

    def _ask(self, word: str) -> None:
        """Ask something of the charge: another attempt, or to give it up."""
        if self.charge is None or self.charge.state not in _TAKES[word]:
            # Somebody has asked the charge itself, and what comes of it is told.
            return
        change = orders.command(self.charge, word, since_1970())
        if change is not None:
            self.asked.append((word, change))
            self.charge = change.after


def _works(rows: Rows, page: Sequence[Stored]) -> list[_Work]:
    """Read the debts of subscriptions, and the charges of those."""
    which = [(one.id, one.debt) for one, _ in page if one.debt is not None]
    debts = {period.subscription: period for period in rows.load_periods(which)} if which else {}
    ids = [debt.charge_id for debt in debts.values()]
    charges = {charge.id: charge for charge in rows.load_charges(ids)} if ids else {}
    works: list[_Work] = []
    for stored, payment in zip(page, _payments(rows, map(_source, page)), strict=True):
        debt = debts.get(stored.subscription.id)
        charge = None if debt is None else charges.get(debt.charge_id)
        works.append(_Work(stored.subscription, payment, debt, charge))
    return works


def _source(stored: Stored) -> Source:
    return Source(stored.means, stored.subscription.customer)


def _payments(rows: Rows, sources: Iterable[Source]) -> "list[_Payment]":
    """Read what subscriptions are paid with now."""
    all_of_them = list(sources)
    customers = sorted({one.customer for one in all_of_them if one.customer is not None})
    cards = {card.card.customer: card for card in rows.load_cards(customers)} if customers else {}
    return [_Payment(one, cards.get(one.customer or ""), rows.vault) for one in all_of_them]


class _Payment:
    """What a subscription is paid with now: its own card, or its customer's default card."""

    __slots__ = ("_saved", "_source", "_vault", "card")

    def __init__(self, source: Source, saved: StoredCard | None, vault: Vault) -> None:
        self._source = source
        self._saved = saved
        self._vault = vault
        self.card = core.Card() if source.customer is None else _facts(saved)

    def require(self) -> None:
        """See that there is a card that may be charged.

        Raises:
            CardNotFound: The customer has no default card.
            CardUnusable: It must not be charged.
        """
        if self._source.customer is not None:
            chargeable(self._saved, self._source.customer)

    def sealed(self) -> bytes:
        """Return what a charge is paid with."""
        if self._source.means is not None:
            return self._source.means
        none = Means(Secret("", TOKEN))  # of a charge that was paid before this ledger knew it
        return self._vault.seal(none if self._saved is None else self._saved.means())


def _facts(saved: StoredCard | None) -> core.Card:
    if saved is None:
        return core.Card(is_usable=False)
    return core.Card(saved.card.can_be_charged, expires_at(saved.card.expire))


def _store(rows: Rows, works: Iterable[_Work], now: float) -> None:
    """Store subscriptions, periods, notices and charges."""
    changed = [work for work in works if work.subscription is not work.before]
    rows.save([(work.before, work.subscription) for work in changed])
    new: list[Period] = []
    known: list[Period] = []
    for work in changed:
        for period in work.periods.values():
            (new if period.n >= work.before.next_n else known).append(period)
    rows.add_periods(new)
    rows.save_periods(known)
    rows.add_notices([message for work in changed for message in work.messages])
    for work in changed:
        for word, change in work.asked:
            rows.save_charge(change, work.payment.sealed() if word == "retry" else None)
    _submit(rows, changed, now)


def _submit(rows: Rows, works: Sequence[_Work], now: float) -> None:
    """Submit charges; one that is there already, with the same money, counts as it is."""
    pairs = [(work, work.submitted) for work in works if work.submitted is not None]
    known = {charge.id: charge for charge in rows.add_charges([pair for _, pair in pairs])}
    again: list[_Work] = []
    for work, (charge, _) in pairs:
        if charge.id in known:
            work.begin_anew(orders.same(charge, known[charge.id]))
            work.learn(now)
            work.come_to_rest(now)
            again.append(work)
    if again:
        _store(rows, again, now)


def _charge(subscription: Subscription, charge_id: str, amount: int) -> Charge:
    """Make the charge of a period; what it is made of was checked with the rule."""
    rule, now = subscription.rule, since_1970()
    # The id goes along, so that a receipt tells what it was for.
    words = f"{rule.description} ({charge_id})" if rule.description else None
    return Charge(
        id=charge_id,
        amount=amount,
        account=rule.account,
        description=words,
        due=now,
        created=now,
        changed=now,
    )


def _message(subscription: Subscription, told: Told) -> Message:
    return Message(
        subscription=subscription.id,
        n=told.n,
        kind=told.kind,
        at=subscription.changed,
        due=subscription.due(told.n),
        amount=subscription.amount(told.n),
    )


def _same(asked: Subscription, known: Subscription) -> Subscription:
    wanted, there = asked.terms[0], known.terms[0]
    members = {
        "amount": wanted.amount == there.amount,
        "every": wanted.every == there.every,
        **{
            name: getattr(asked.rule, name) == getattr(known.rule, name)
            for name in asked.rule.__struct_fields__
        },
    }
    differs = ", ".join(name for name, same in members.items() if not same)
    if differs:
        raise SubscriptionConflict(f"subscription {known.id!r} exists with another {differs}")
    return known
