"""What is done to subscriptions in a transaction, whatever database they lie in.

Every function here works on rows and asks nothing of Payme, so that a subscription, its period, its
charge and what the payer is told are one transaction. What asks Payme is the charge.

A page of subscriptions is read by a few statements, moved by the core in memory until nothing of it
is due, and stored by a few statements.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from payme.charges import orders
from payme.charges.core import RESTS, Charge, ChargeState, Save
from payme.charges.pace import since_1970
from payme.recurring import core
from payme.recurring.core import (
    Change,
    Period,
    Subscription,
    SubscriptionConflict,
    SubscriptionNotFound,
    Told,
)
from payme.recurring.rows import Message, Rows, Stored

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


def create(rows: Rows, change: Change, means: bytes | None) -> Subscription:
    """Store a subscription unless its id is known, and open what is due at once.

    Args:
        rows: A transaction.
        change: What the core made.
        means: Its card, sealed.

    Raises:
        SubscriptionConflict: The id belongs to one with another rule.
    """
    after = change.after
    if not rows.add(after, means):
        return _same(after, get(rows, after.id))
    work = _Work(Stored(after, means))
    work.come_to_rest(after.created)
    _store(rows, [work], after.created)
    return work.subscription


def command(
    rows: Rows, known: Subscription, act: Act, means: bytes | None, now: float
) -> Subscription:
    """Do what a merchant asks, and what is due then.

    Args:
        rows: A transaction.
        known: The subscription as it was read before, in a transaction of its own.
        act: What is asked.
        means: Another card, sealed.
        now: Seconds since 1970.
    """
    # In the order in which who drives the charge locks them, so that neither waits for ever.
    rows.lock_charge(f"{known.id}:{known.debt}")
    rows.lock(known.id)
    (work,) = _works(rows, [load(rows, known.id)])
    work.learn(now)
    if means is not None:
        rows.save_means(known.id, means)
        work.means = means
    work.take(act(work.subscription, work.debt, now))
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
    work = _Work(found[0], of_charge[0], charge)
    work.learn(now)
    _store(rows, [work], now)


def tick_page(rows: Rows, now: float, limit: int, without: Collection[str]) -> list[str]:
    """Do what is due for some subscriptions, in one transaction; gives their ids."""
    page = rows.due(now, limit, without)
    _advance(rows, page, now)
    return [stored.subscription.id for stored in page]


def due_ids(rows: Rows, now: float, limit: int, without: Collection[str]) -> list[str]:
    """Read the ids of what is due and nobody ticks."""
    return [stored.subscription.id for stored in rows.due(now, limit, without)]


def tick_one(rows: Rows, now: float, subscription_id: str) -> None:
    """Do what is due for one subscription."""
    rows.lock(subscription_id)
    _advance(rows, [load(rows, subscription_id)], now)


def _advance(rows: Rows, page: Sequence[Stored], now: float) -> None:
    """Do all that is due for subscriptions that are locked."""
    works = _works(rows, page)
    for work in works:
        work.come_to_rest(now)
    _store(rows, works, now)


class _Work:
    """A subscription with its debt and the charge of that, and what is to be stored of them."""

    __slots__ = (
        "asked", "before", "charge", "debt", "means", "messages", "periods", "submitted",
        "subscription",
    )  # fmt: skip

    def __init__(
        self, stored: Stored, debt: Period | None = None, charge: Charge | None = None
    ) -> None:
        self.subscription, self.means = stored
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
            self.take(core.tick(self.subscription, self.debt, self.charge, now))
        raise RuntimeError(f"subscription {self.subscription.id} never comes to rest")

    def learn(self, now: float) -> None:
        """Take in what the charge has proven."""
        if self.debt is not None and self.charge is not None:
            self.take(core.learn(self.subscription, self.debt, self.charge, now))

    def take(self, change: Change | None) -> None:
        """Take a change over; it is stored by `_store`."""
        if change is None:
            return
        self.subscription = after = change.after
        self.periods.update((period.n, period) for period in change.periods)
        self.messages += [_message(after, told) for told in change.told]
        if change.submit is not None:
            assert self.means is not None  # noqa: S101 - a subscription has a card
            self.charge = _charge(after, change.submit)
            self.submitted = (self.charge, self.means)
        if change.ask is not None:
            self._ask(change.ask)
        if after.debt is None:
            self.debt = self.charge = None
        else:
            self.debt = self.periods.get(after.debt, self.debt)

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
    for stored in page:
        debt = debts.get(stored.subscription.id)
        works.append(_Work(stored, debt, None if debt is None else charges.get(debt.charge_id)))
    return works


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
            rows.save_charge(change, work.means if word == "retry" else None)
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


def _charge(subscription: Subscription, period: Period) -> Charge:
    """Make the charge of a period; what it is made of was checked with the rule."""
    rule, now = subscription.rule, since_1970()
    # The id goes along, so that a receipt tells what it was for.
    words = f"{rule.description} ({period.charge_id})" if rule.description else None
    return Charge(
        id=period.charge_id,
        amount=period.amount,
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
