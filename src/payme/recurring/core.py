"""A subscription as states and facts: what is opened, tried again, told and ended, and when.

Everything here is a function from what is stored and a moment to a `Change`, which the ledger
stores in one transaction. Five rules keep it from taking money that nobody owes:

1. A period is a row with a number that is never given twice; its money is the charge
   `{subscription}:{n}`. Two schedulers that open the same period write the same row.
2. No period opens while an older one is unresolved: at most one is a debt.
3. An unknown outcome is no refusal. It belongs to the charge; here nothing is counted or planned
   until the charge has proven an end.
4. What a period costs is frozen when it opens.
5. Everything is planned from the rule and the moment of a fact, so a tick that comes late or twice
   plans the same.
"""

from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from payme import redact
from payme.charges.core import Charge, ChargeState
from payme.errors import InvalidArgument, PaymeError
from payme.errors.catalogue import lookup
from payme.recurring.calendar import Every, Terms, Wall
from payme.recurring.rule import LONG_NOTICE, MOST_ATTEMPTS, SubscriptionRule, is_long

DAY: Final = 86_400.0
# Two attempts of a period are at least this far apart, unless a person asks for one.
APART: Final = 20 * 3600.0
_WINDOW: Final = 30 * DAY
# More missed periods than this are collected by nobody's decision but a person's.
MOST_MISSED: Final = 3
# A charge under way is looked at this often, should its driver not have told of its end.
LOOK: Final = 3600.0


class SubscriptionState(StrEnum):
    """State of a subscription; `ABOUT` says what each means."""

    TRIAL = "trial"
    ACTIVE = "active"
    RETRYING = "retrying"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDING = "ending"
    PARKED = "parked"
    ENDED = "ended"


class PeriodState(StrEnum):
    """State of a period."""

    OPEN = "open"
    REFUSED = "refused"
    UNPAID = "unpaid"
    PAID = "paid"
    SKIPPED = "skipped"
    GIVEN_UP = "given_up"
    REFUNDED = "refunded"


class Fact(StrEnum):
    """What happened to a subscription."""

    OPENED = "opened"
    PAID = "paid"
    REFUSED = "refused"
    HARD = "hard refusal"
    EXHAUSTED = "retries exhausted"
    GIVEN_UP = "given up"
    TOO_MANY = "too many missed"
    STOPPED = "stopped by the rule"
    OVER = "over"


class Notice(StrEnum):
    """What a payer, or for `PAID_AFTER_CANCEL` the merchant, is told."""

    UPCOMING = "upcoming"
    CHARGED = "charged"
    REFUSED = "refused"
    PAST_DUE = "past_due"
    CARD_EXPIRING = "card_expiring"
    SKIPPED = "skipped"
    PAUSED = "paused"
    ENDED = "ended"
    PAID_AFTER_CANCEL = "paid_after_cancel"


S, P, F = SubscriptionState, PeriodState, Fact

ABOUT: Final[dict[SubscriptionState, str]] = {
    S.TRIAL: "nothing is due yet",
    S.ACTIVE: "its periods are paid, or being paid",
    S.RETRYING: "a period was refused and is tried again by the schedule",
    S.PAST_DUE: "a period is unpaid; another card or a person's retry is waited for",
    S.PAUSED: "periods are skipped until it is resumed",
    S.ENDING: "it was cancelled and runs to the end of its period",
    S.PARKED: "more periods were missed than are collected without a person's word",
    S.ENDED: "nothing more is due",
}

# Where a fact leads. What is not here leaves the state alone: a paused subscription whose charge
# ends stays paused, one that was cancelled is never revived by a payment, and what was proven
# before is proven again without effect.
NEXT: Final[dict[tuple[SubscriptionState, Fact], SubscriptionState]] = {
    (S.TRIAL, F.OPENED): S.ACTIVE,
    (S.ACTIVE, F.REFUSED): S.RETRYING,
    (S.ACTIVE, F.HARD): S.PAST_DUE,
    (S.ACTIVE, F.EXHAUSTED): S.PAST_DUE,
    (S.RETRYING, F.PAID): S.ACTIVE,
    (S.RETRYING, F.GIVEN_UP): S.ACTIVE,
    (S.RETRYING, F.HARD): S.PAST_DUE,
    (S.RETRYING, F.EXHAUSTED): S.PAST_DUE,
    (S.PAST_DUE, F.PAID): S.ACTIVE,
    (S.PAST_DUE, F.GIVEN_UP): S.ACTIVE,
    (S.PAST_DUE, F.REFUSED): S.RETRYING,
    (S.ACTIVE, F.TOO_MANY): S.PARKED,
    (S.TRIAL, F.TOO_MANY): S.PARKED,
    **{(state, F.STOPPED): S.ENDED for state in S},
    (S.TRIAL, F.OVER): S.ENDED,
    (S.ACTIVE, F.OVER): S.ENDED,
    (S.PAUSED, F.OVER): S.ENDED,
    (S.ENDING, F.OVER): S.ENDED,
}

# In which states a merchant may say what. `_COMMANDS` says what comes of it.
ALLOWED: Final[dict[str, frozenset[SubscriptionState]]] = {
    "pause": frozenset({S.TRIAL, S.ACTIVE}),
    "resume": frozenset({S.PAUSED, S.ENDING, S.PARKED}),
    "cancel": frozenset(S) - {S.ENDED},
    "retry": frozenset({S.RETRYING, S.PAST_DUE, S.ENDING, S.PARKED}),
    "change": frozenset(S) - {S.ENDING, S.ENDED},
    "use_card": frozenset(S) - {S.ENDED},
}

# An unresolved period is a debt; the others are done with.
DEBTS: Final = frozenset({P.OPEN, P.REFUSED, P.UNPAID})
# A debt whose charge rests: only then can another attempt be begun.
REFUSALS: Final = frozenset({P.REFUSED, P.UNPAID})

# Refusals that another card mends and time does not. The rest (funds, limits, a processing that is
# busy, a billing that is down, and what nobody knows) is tried again by the schedule.
HARD_KINDS: Final = frozenset(
    {"CardBlocked", "CardExpired", "SmsNotConnected", "InvalidCard", "CardNotServiced"}
)
# The card was removed (OBSERVED).
_NO_CARD: Final = -31400
_PAY: Final = "receipts.pay"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is stored, without its card.

    Attributes:
        id: The id that the merchant chose.
        state: What it is in.
        rule: How it goes.
        terms: Amount and dates, each from a period on; the last ones may begin later.
        next_n: The first period that was not opened or skipped.
        debt: The period that is unresolved; None while there is none.
        told: The last period whose payment was announced; -1 for none.
        openings: When periods were opened on the last day on which one was.
        other_card: Another card was given while an attempt with the one before was under way.
        approved: Missed periods before this one may be collected, however many they are.
        ends_at: When it ends, in seconds since 1970; None while that is not known.
        wakes: When there is something to do next, in seconds since 1970; None for never.
        created: When it was created, in seconds since 1970.
        changed: When it changed last.
        version: Counts its changes.
        customer: Whose default card pays; None if it was given a card of its own.
    """

    id: str
    state: SubscriptionState
    rule: SubscriptionRule
    terms: tuple[Terms, ...]
    next_n: int
    debt: int | None = None
    told: int = -1
    openings: tuple[float, ...] = ()
    other_card: bool = False
    approved: int = 0
    ends_at: float | None = None
    wakes: float | None = None
    created: float = 0.0
    changed: float = 0.0
    version: int = 0
    customer: str | None = None

    @property
    def is_over(self) -> bool:
        """It has ended."""
        return self.state is SubscriptionState.ENDED

    def terms_of(self, n: int) -> Terms:
        """Return what holds for period n."""
        if self.terms[-1].first <= n:
            return self.terms[-1]
        return next(terms for terms in reversed(self.terms) if terms.first <= n)

    def due(self, n: int) -> float:
        """Return when period n is due, in seconds since 1970; there the one before ends."""
        return self.rule.wall.moment(self.terms_of(n).day(n))

    def amount(self, n: int) -> int:
        """Return what period n costs, in tiyin."""
        return self.terms_of(n).amount

    def notice_days(self, n: int) -> int:
        """Return how many days before it is due the payment of period n is announced."""
        follows_trial = n == self.terms[0].first and self.rule.trial_until is not None
        rises = n > self.terms[0].first and self.amount(n) > self.amount(n - 1)
        is_special = follows_trial or rises or is_long(self.terms_of(n).every)
        return max(self.rule.notice_days, LONG_NOTICE if is_special else 0)

    def is_last(self, n: int) -> bool:
        """Return whether period n begins after the subscription's end."""
        ends = self.rule.ends
        return ends is not None and self.terms_of(n).day(n) >= ends

    def __repr__(self) -> str:
        names = ("id", "state", "next_n", "debt", "wakes")
        shown = ", ".join(f"{name}={member!r}" for name, member in redact.members(names, self))
        return f"Subscription({shown})"


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A period of a subscription: frozen when it was opened, but for what became of its money.

    Attributes:
        subscription: Id of the subscription.
        n: Its number.
        start: When it begins and is due, in seconds since 1970.
        end: When it ends.
        amount: Amount in tiyin.
        state: What became of it.
        opened: When it was opened or skipped.
        retry_at: When it is tried again, or given up if it waits for a card; None for never.
        refusals: When it was refused.
        code: Code of the last refusal.
        message: Payme's text of it.
    """

    subscription: str
    n: int
    start: float
    end: float
    amount: int
    state: PeriodState
    opened: float
    retry_at: float | None = None
    refusals: tuple[float, ...] = ()
    code: int | None = None
    message: str | None = None

    @property
    def charge_id(self) -> str:
        """Id of its charge."""
        return f"{self.subscription}:{self.n}"

    @property
    def due(self) -> float:
        """When it is due: where it begins, since it is paid ahead."""
        return self.start

    @property
    def is_debt(self) -> bool:
        """It is unresolved."""
        return self.state in DEBTS


class Told(NamedTuple):
    """A notice for the outbox; the same (subscription, n, kind) is stored once."""

    n: int
    kind: Notice


class Change(NamedTuple):
    """What is stored in one transaction.

    Attributes:
        before: The subscription as it was read; None for its beginning.
        after: The subscription as it is stored.
        periods: Periods that are new or changed.
        submit: The period whose charge is submitted.
        ask: What is asked of the debt's charge: `retry` or `cancel`.
        told: Notices.
    """

    before: Subscription | None
    after: Subscription
    periods: tuple[Period, ...] = ()
    submit: Period | None = None
    ask: str | None = None
    told: tuple[Told, ...] = ()


class Card(NamedTuple):
    """What is known of the card that pays a subscription now.

    Attributes:
        is_usable: A payment with it may be begun.
        expires: When it expires, in seconds since 1970; None if that is not known.
    """

    is_usable: bool = True
    expires: float | None = None

    def can_pay(self, at: float) -> bool:
        """Return whether a payment then may be expected to go through."""
        return self.is_usable and (self.expires is None or at < self.expires)


class SubscriptionConflict(PaymeError):
    """The subscription's state does not allow what is asked, or its id has another rule."""


class SubscriptionNotFound(PaymeError, LookupError):
    """No subscription has this id."""


def is_entitled(subscription: Subscription, last: Period | None, now: float) -> bool:
    """Return whether the payer may use what the subscription grants.

    Args:
        subscription: The subscription.
        last: Its last period that was opened or skipped; None if there is none.
        now: Seconds since 1970.
    """
    # A subscription that waits for a person keeps what it had: it was running.
    if subscription.state in (S.TRIAL, S.ACTIVE, S.PARKED):
        return True
    if subscription.state is S.RETRYING and last is not None:
        return now < last.start + subscription.rule.grace_days * DAY
    if subscription.state is S.ENDING:
        paid = last is None or last.state in (P.PAID, P.OPEN)
        return paid and now < (subscription.ends_at or now)
    return False


# Beginning and time.


def create(
    subscription_id: str,
    rule: SubscriptionRule,
    terms: Terms,
    now: float,
    customer: str | None = None,
) -> Change:
    """Begin a subscription. Periods that were due before it are none of it.

    Args:
        subscription_id: Its id.
        rule: How it goes.
        terms: What its periods cost, and when they are due.
        now: Seconds since 1970.
        customer: Whose default card pays; None if it has a card of its own.
    """
    # What is due today and a few hours ago is the first period, not a missed one.
    first = terms.first_after(rule.wall.day(now - rule.late_after))
    while rule.wall.moment(terms.day(first)) + rule.late_after < now:
        first += 1
    after = Subscription(
        id=subscription_id,
        state=S.ACTIVE if rule.trial_until is None else S.TRIAL,
        rule=rule,
        terms=(msgspec.structs.replace(terms, offset=terms.steps(first)),),
        next_n=0,
        created=now,
        changed=now,
        customer=customer,
    )
    return Change(None, msgspec.structs.replace(after, wakes=_wakes(after, None, now)))


def tick(
    subscription: Subscription, debt: Period | None, charge: Charge | None, now: float
) -> Change | None:
    """Do one thing that has become due.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period, if it has one.
        charge: The charge of that period.
        now: Seconds since 1970.

    Returns:
        The change; None if nothing is due. There may be more to do after it.
    """
    if subscription.wakes is None or subscription.wakes > now:
        return None
    if debt is not None and charge is not None:
        # Who drove the charge may not have told of its end.
        change = learn(subscription, debt, charge, now)
        if change is not None:
            return change
    if subscription.state is S.ENDING and now >= (subscription.ends_at or now):
        change = _end(subscription, debt, now)
        if change is not None:
            return change
    if debt is not None:
        return _tick_debt(subscription, debt, now)
    if subscription.state is S.ENDING:
        return _changed(subscription, now)
    return _tick_next(subscription, now)


def _tick_debt(subscription: Subscription, debt: Period, now: float) -> Change:
    if debt.retry_at is None or debt.retry_at > now:
        return _changed(subscription, now, debt=debt)
    if debt.state is P.REFUSED:
        return _attempt(subscription, debt, now)
    return _exhausted(subscription, debt, now)


def _tick_next(subscription: Subscription, now: float) -> Change:
    """Announce, skip or open what comes next, or end."""
    n = subscription.next_n
    if subscription.due(n) > now:
        return _announce(subscription, n, now)
    if subscription.is_last(n):
        return _changed(subscription, now, F.OVER, told=(Told(n, Notice.ENDED),))
    if subscription.state is S.PAUSED:
        return _skip(subscription, n + 1, now)
    return _open(subscription, now)


def _announce(subscription: Subscription, n: int, now: float) -> Change:
    notice_at = _notice_at(subscription, n)
    if notice_at is None or now < notice_at:
        return _changed(subscription, now)
    return _changed(subscription, now, told=(Told(n, Notice.UPCOMING),), members={"told": n})


def _open(subscription: Subscription, now: float) -> Change:
    """Skip, or open the oldest due period that the rule lets be opened."""
    rule, first = subscription.rule, subscription.next_n
    over = first_due_after(subscription, now)
    missed = sum(subscription.due(n) + rule.late_after < now for n in range(first, over))
    if rule.missed == "all" and missed > MOST_MISSED and first >= subscription.approved:
        return _changed(subscription, now, F.TOO_MANY)
    # The first period that each policy collects; those before it are skipped.
    collected = {"skip": first + missed, "latest": over - 1, "all": first}[rule.missed]
    if collected > first:
        return _skip(subscription, collected, now)
    today = _opened_today(subscription, now)
    if len(today) >= rule.max_catch_up:
        return _changed(subscription, now)
    period = _period(subscription, first, P.OPEN, now)
    # What no tick announced in time is announced with the charge, not after it.
    late = _notice_at(subscription, first) is not None
    return _changed(
        subscription,
        now,
        F.OPENED,
        debt=period,
        periods=(period,),
        submit=period,
        told=(Told(first, Notice.UPCOMING),) if late else (),
        members={
            "next_n": first + 1,
            "debt": first,
            "told": first,
            "openings": (*today, now),
        },
    )


def first_due_after(subscription: Subscription, now: float) -> int:
    """Return the first unopened period that is not due yet, or that never begins."""
    n = subscription.next_n
    while subscription.due(n) <= now and not subscription.is_last(n):
        n += 1
    return n


def upcoming(subscription: Subscription, until: float) -> Iterator[int]:
    """Return the periods that are due by a moment, if nothing else happens.

    Args:
        subscription: As it is stored.
        until: Seconds since 1970.

    Yields:
        Their numbers.
    """
    n, ends_at = subscription.next_n, subscription.ends_at
    while subscription.state is not S.ENDED and ends_at is None and subscription.due(n) <= until:
        if subscription.is_last(n):
            return
        yield n
        n += 1


def _skip(subscription: Subscription, until: int, now: float, **members: Any) -> Change:
    """Write the periods before `until` as skipped."""
    numbers = range(subscription.next_n, until)
    return _changed(
        subscription,
        now,
        periods=tuple(_period(subscription, n, P.SKIPPED, now) for n in numbers),
        told=tuple(Told(n, Notice.SKIPPED) for n in numbers),
        members={"next_n": max(until, subscription.next_n), **members},
    )


def _period(subscription: Subscription, n: int, state: PeriodState, now: float) -> Period:
    return Period(
        subscription=subscription.id,
        n=n,
        start=subscription.due(n),
        end=subscription.due(n + 1),
        amount=subscription.amount(n),
        state=state,
        opened=now,
    )


def _end(subscription: Subscription, debt: Period | None, now: float) -> Change | None:
    """End a cancelled subscription, unless its last period is still being collected."""
    ended = (Told(subscription.next_n, Notice.ENDED),)
    if debt is None:
        return _changed(subscription, now, F.OVER, told=ended)
    if debt.state is P.UNPAID:
        return _give_up(subscription, debt, now, F.OVER, ended)
    return None


# What the charge of a period has proven.


def learn(subscription: Subscription, period: Period, charge: Charge, now: float) -> Change | None:
    """Take in what the charge of a period has proven.

    Args:
        subscription: As it is stored.
        period: As it is stored.
        charge: The charge; while it does not rest, its outcome is unknown and nothing follows.
        now: Seconds since 1970.

    Returns:
        The change; None if nothing follows.
    """
    act = _LEARNED.get((period.state, charge.state))
    return None if act is None else act(subscription, period, charge, now)


def is_hard(charge: Charge) -> bool:
    """Return whether another card is needed, or a person.

    A charge that failed although it had a receipt was taken back by somebody: nobody is charged
    again for that without a person's word.
    """
    if charge.state is ChargeState.FAILED and charge.receipts:
        return True
    entry = None if charge.code is None else lookup(charge.code, _PAY, charge.message or "")
    return charge.code == _NO_CARD or (entry is not None and entry.kind in HARD_KINDS)


def next_attempt(subscription: Subscription, period: Period, now: float) -> float | None:
    """Return when the schedule tries a refused period again; None if it does not any more."""
    latest = max(period.refusals, default=now - APART)
    for planned in _schedule(subscription, period):
        at = max(planned, latest + APART)
        if planned > now and _may_attempt(period, at):
            return at
    return None


def _schedule(subscription: Subscription, period: Period) -> list[float]:
    """Return when a period is tried again: days from due, or from its opening if that was late."""
    rule, every = subscription.rule, subscription.terms_of(period.n).every
    late = period.opened > period.start + rule.late_after
    day = rule.wall.day(period.opened if late else period.start)
    inside = (days for days in rule.retries if days < every.least_days)
    return [rule.wall.moment(day + timedelta(days=days)) for days in inside]


def _may_attempt(period: Period, at: float) -> bool:
    """Return whether an attempt then stays within what card networks allow in 30 days."""
    return sum(moment > at - _WINDOW for moment in period.refusals) < MOST_ATTEMPTS


def _paid(subscription: Subscription, period: Period, _charge: Charge, now: float) -> Change:
    paid = msgspec.structs.replace(period, state=P.PAID, retry_at=None)
    told = (Told(period.n, Notice.CHARGED),)
    members = {"debt": None, "other_card": False}
    return _changed(subscription, now, F.PAID, periods=(paid,), told=told, members=members)


def _refused(subscription: Subscription, period: Period, charge: Charge, now: float) -> Change:
    """Plan what follows a refusal."""
    period = msgspec.structs.replace(
        period, refusals=(*period.refusals, now), code=charge.code, message=charge.message
    )
    told = (Told(period.n, Notice.REFUSED),)
    hard = is_hard(charge)
    if subscription.state is S.PAUSED:
        return _wait_for_a_person(subscription, period, now, F.HARD, told)
    if subscription.other_card and _may_attempt(period, now):
        at: float | None = now
    elif not hard:
        at = next_attempt(subscription, period, now)
    elif subscription.rule.after_retries == "cancel":
        return _wait_for_a_card(subscription, period, now, told)
    else:
        # Not even the next period is tried with a card that can't pay.
        return _wait_for_a_person(subscription, period, now, F.HARD, told)
    if at is None:
        return _exhausted(subscription, period, now, told)
    refused = msgspec.structs.replace(period, state=P.REFUSED, retry_at=at)
    return _changed(
        subscription,
        now,
        F.REFUSED,
        debt=refused,
        periods=(refused,),
        told=told,
        members={"other_card": False},
    )


def _failed(
    subscription: Subscription, period: Period, charge: Charge, now: float
) -> Change | None:
    """Take in a charge that can take no money any more."""
    if charge.given_up:
        # By a person, on the charge itself.
        return _give_up(subscription, period, now, F.GIVEN_UP)
    return _refused(subscription, period, charge, now) if period.state is P.OPEN else None


def _wait_for_a_person(
    subscription: Subscription, period: Period, now: float, fact: Fact, told: tuple[Told, ...]
) -> Change:
    unpaid = msgspec.structs.replace(period, state=P.UNPAID, retry_at=None)
    told += (Told(period.n, Notice.PAST_DUE),)
    return _changed(subscription, now, fact, debt=unpaid, periods=(unpaid,), told=told)


def _wait_for_a_card(
    subscription: Subscription, period: Period, now: float, told: tuple[Told, ...]
) -> Change:
    """Wait for another card as long as retries would have gone on."""
    last = max(_schedule(subscription, period), default=now)
    if last <= now:
        return _exhausted(subscription, period, now, told)
    waiting = _wait_for_a_person(subscription, period, now, F.HARD, told)
    unpaid = msgspec.structs.replace(waiting.periods[0], retry_at=last)
    after = msgspec.structs.replace(waiting.after, wakes=_wakes(waiting.after, unpaid, now))
    return waiting._replace(after=after, periods=(unpaid,))


def _exhausted(
    subscription: Subscription, period: Period, now: float, told: tuple[Told, ...] = ()
) -> Change:
    """Do what the rule says when no attempt is left."""
    if subscription.rule.after_retries == "past_due":
        return _wait_for_a_person(subscription, period, now, F.EXHAUSTED, told)
    if subscription.rule.after_retries == "skip":
        return _give_up(subscription, period, now, F.GIVEN_UP, told)
    told += (Told(subscription.next_n, Notice.ENDED),)
    return _give_up(subscription, period, now, F.STOPPED, told)


def _give_up(
    subscription: Subscription,
    period: Period,
    now: float,
    fact: Fact | None,
    told: tuple[Told, ...] = (),
    **members: Any,
) -> Change:
    """Collect a period no more; its charge is cancelled in the same transaction."""
    given_up = msgspec.structs.replace(period, state=P.GIVEN_UP, retry_at=None)
    members = {"debt": None, "other_card": False, **members}
    return _changed(
        subscription, now, fact, periods=(given_up,), ask="cancel", told=told, members=members
    )


def _attempt(subscription: Subscription, debt: Period, now: float, **members: Any) -> Change:
    """Begin another attempt, with the card that the subscription has now."""
    again = msgspec.structs.replace(debt, state=P.OPEN, retry_at=None)
    members = {"other_card": False, **members}
    return _changed(subscription, now, debt=again, periods=(again,), ask="retry", members=members)


def _paid_after_cancel(
    subscription: Subscription, period: Period, _charge: Charge, now: float
) -> Change:
    return _noted(subscription, period, P.PAID, now, Told(period.n, Notice.PAID_AFTER_CANCEL))


def _refunded(subscription: Subscription, period: Period, _charge: Charge, now: float) -> Change:
    return _noted(subscription, period, P.REFUNDED, now)


_Learn = Callable[[Subscription, Period, Charge, float], Change | None]

# What a proven end of a charge means for its period. One that was given up learns only that money
# came after all, and one that is paid only that it went back; told again, nothing follows.
_LEARNED: Final[dict[tuple[PeriodState, ChargeState], _Learn]] = {
    **{(state, ChargeState.PAID): _paid for state in DEBTS},
    **{(state, ChargeState.FAILED): _failed for state in DEBTS},
    (P.OPEN, ChargeState.REFUSED): _refused,
    (P.GIVEN_UP, ChargeState.PAID): _paid_after_cancel,
    (P.PAID, ChargeState.REFUNDED): _refunded,
}


# A period whose receipt the ledger had lost may lie this far ahead of what it knows.
MOST_LOST: Final = 400
_ADOPTED: Final = {ChargeState.PAID: P.PAID, ChargeState.REFUNDED: P.REFUNDED}


def adopt(
    subscription: Subscription,
    debt: Period | None,
    period: Period | None,
    charge: Charge,
    n: int,
    now: float,
) -> Change | None:
    """Take in the charge of a period that a restored backup had lost.

    Periods before it that have no receipt were resolved without money: no period is opened while
    an older one is a debt. What the payer was told then is not told again.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period.
        period: The period of the charge; None if the ledger knows of none.
        charge: The charge, with the receipt that Payme shows.
        n: Number of the period.
        now: Seconds since 1970.

    Raises:
        SubscriptionConflict: It can't be the next period.
    """
    state = _ADOPTED.get(charge.state, P.OPEN)
    if period is not None:
        change = learn(subscription, period, charge, now)
        if change is None and state is not P.OPEN and state is not period.state:
            return _noted(subscription, period, state, now)
        return change
    first = subscription.next_n
    is_debt = state is P.OPEN
    if not first <= n < first + MOST_LOST or (is_debt and debt is not None):
        text = f"period {n} of {subscription.id!r} can't follow period {first - 1}"
        raise SubscriptionConflict(text)
    skipped = tuple(_period(subscription, one, P.SKIPPED, now) for one in range(first, n))
    adopted = msgspec.structs.replace(_period(subscription, n, state, now), amount=charge.amount)
    return _changed(
        subscription,
        now,
        F.OPENED,
        debt=adopted if is_debt else debt,
        periods=(*skipped, adopted),
        members={
            "next_n": n + 1,
            "told": max(subscription.told, n),
            **({"debt": n} if is_debt else {}),
        },
    )


# What the card can't do.


def paid_with(change: Change, card: Card, now: float) -> Change:
    """Say what becomes of a change with the card that there is.

    An attempt without a card that may be charged is none, and none is planned: that goes the way of
    a hard refusal, and counts as none of the attempts of the period. Where a payment is announced,
    and where one was made, the payer is told if the card can't make the next.

    Args:
        change: Made without a look at the card.
        card: The card.
        now: Seconds since 1970.
    """
    after = change.after
    told = tuple(
        Told(n, Notice.CARD_EXPIRING)
        for n in _looked_at(change)
        if not card.can_pay(max(after.due(n), now))
    )
    change = change._replace(told=(*change.told, *told))
    plans = bool(change.periods) and change.periods[-1].state is P.REFUSED
    if card.is_usable or not (change.submit or change.ask == "retry" or plans):
        return change
    period = change.periods[-1]
    if after.rule.after_retries == "cancel":
        waits = _wait_for_a_card(after, period, now, ())
    else:
        waits = _wait_for_a_person(after, period, now, F.HARD, ())
    return waits._replace(
        before=change.before,
        periods=(*change.periods[:-1], *waits.periods),
        told=(*change.told, *waits.told),
    )


def _looked_at(change: Change) -> list[int]:
    """Return the periods for which a change makes one look at the card."""
    after = change.after
    kinds = {one.kind: one.n for one in change.told}
    looked = [kinds[Notice.UPCOMING]] if Notice.UPCOMING in kinds else []
    n = after.next_n
    goes_on = after.state not in (S.ENDING, S.ENDED, S.PAUSED) and not after.is_last(n)
    return [*looked, n] if Notice.CHARGED in kinds and goes_on else looked


# What a merchant asks.


def allow(subscription: Subscription, word: str) -> None:
    """Check that a state allows what is asked.

    Raises:
        SubscriptionConflict: It does not.
    """
    if subscription.state not in ALLOWED[word]:
        text = f"subscription {subscription.id!r} is {subscription.state}: can't {word} it"
        raise SubscriptionConflict(text)


def pause(subscription: Subscription, debt: Period | None, now: float) -> Change:
    """Skip what becomes due until it is resumed."""
    allow(subscription, "pause")
    told = (Told(subscription.next_n, Notice.PAUSED),)
    return _changed(subscription, now, debt=debt, told=told, members={"state": S.PAUSED})


def resume(
    subscription: Subscription, debt: Period | None, now: float, *, restart: bool = False
) -> Change:
    """Go on; what was due in a pause, or missed before it was parked, is skipped.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period.
        now: Seconds since 1970.
        restart: Begin a period today, instead of waiting for the next date of the anchor.
    """
    allow(subscription, "resume")
    if restart and subscription.state is S.ENDING:
        raise InvalidArgument("restart", restart, "False: it is paid to the end of its period")
    until = subscription.next_n
    if subscription.state is not S.ENDING:
        until = first_due_after(subscription, now)
    members: dict[str, Any] = {"ends_at": None}
    if restart:
        members["terms"] = _anchored(subscription, until, subscription.rule.wall.day(now))
    state = _STATE_OF_DEBT.get(debt.state, S.ACTIVE) if debt else S.ACTIVE
    is_trial = subscription.rule.trial_until is not None and until == 0
    members["state"] = S.TRIAL if is_trial else state
    change = _skip(subscription, until, now, **members)
    return change._replace(
        after=msgspec.structs.replace(change.after, wakes=_wakes(change.after, debt, now))
    )


_STATE_OF_DEBT: Final = {P.REFUSED: S.RETRYING, P.UNPAID: S.PAST_DUE}


def cancel(
    subscription: Subscription,
    debt: Period | None,
    now: float,
    *,
    at_period_end: bool = True,
    collect_open: bool = False,
) -> Change | None:
    """End a subscription; None if it has ended.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period.
        now: Seconds since 1970.
        at_period_end: Let it run to the end of its period.
        collect_open: Go on collecting the unresolved period, instead of giving it up.
    """
    if subscription.state is S.ENDED:
        return None
    collects = debt is not None and collect_open
    ends_at = max(subscription.due(subscription.next_n), now) if at_period_end else now
    stays = collects or ends_at > now
    members: dict[str, Any] = {"state": S.ENDING if stays else S.ENDED, "ends_at": ends_at}
    told = () if stays else (Told(subscription.next_n, Notice.ENDED),)
    if debt is not None and not collects:
        return _give_up(subscription, debt, now, None, told, **members)
    return _changed(subscription, now, debt=debt, told=told, members=members)


def retry(subscription: Subscription, debt: Period | None, now: float) -> Change | None:
    """Try the unresolved period again, or collect what was missed; None if that is under way."""
    allow(subscription, "retry")
    if subscription.state is S.PARKED:
        approved = first_due_after(subscription, now)
        return _changed(subscription, now, members={"state": S.ACTIVE, "approved": approved})
    if debt is None or debt.state not in REFUSALS:
        return None
    if not _may_attempt(debt, now):
        text = f"charge {debt.charge_id!r} was tried {MOST_ATTEMPTS} times in 30 days: wait"
        raise SubscriptionConflict(text)
    return _attempt(subscription, debt, now)


def use_card(
    subscription: Subscription, debt: Period | None, now: float, *, customer: str | None = None
) -> Change:
    """Take another card, and try the unresolved period with it at once.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period.
        now: Seconds since 1970.
        customer: Whose default card pays from now on; None for a card of its own.
    """
    allow(subscription, "use_card")
    members: dict[str, Any] = {"customer": customer}
    if debt is None or subscription.state is S.PAUSED:
        return _changed(subscription, now, debt=debt, members=members)
    if debt.state is P.OPEN or not _may_attempt(debt, now):
        # The attempt under way has the card before; should that be refused, this one is tried.
        return _changed(subscription, now, debt=debt, members={**members, "other_card": True})
    return _attempt(subscription, debt, now, **members)


def change(
    subscription: Subscription,
    debt: Period | None,
    now: float,
    *,
    amount: int | None = None,
    every: Every | None = None,
    anchor: date | None = None,
) -> Change:
    """Change what periods cost, how long they are, or when they begin.

    It holds from the first period that was neither opened nor announced, and whose announcement
    can still be made in time. Changes that were to hold from then on are replaced.

    Args:
        subscription: As it is stored.
        debt: Its unresolved period; its amount stays.
        now: Seconds since 1970.
        amount: Amount in tiyin.
        every: Length of a period.
        anchor: Date from which is counted; the first one that is not before the old date holds.
    """
    allow(subscription, "change")
    n = max(subscription.next_n, subscription.told + 1)
    while True:
        changed = _with_terms(subscription, n, amount, every, anchor)
        if changed.due(n) - changed.notice_days(n) * DAY >= now:
            return _changed(subscription, now, debt=debt, members={"terms": changed.terms})
        n += 1


def _with_terms(
    subscription: Subscription, n: int, amount: int | None, every: Every | None, anchor: date | None
) -> Subscription:
    terms = subscription.terms_of(n)
    new = terms.from_period(n, amount or terms.amount, every or terms.every)
    if anchor is not None:
        new = _aligned(new, anchor, terms.day(n))
    kept = tuple(one for one in subscription.terms if one.first < n)
    return msgspec.structs.replace(subscription, terms=(*kept, new))


def _aligned(terms: Terms, anchor: date, day: date) -> Terms:
    """Count from another anchor; its first date that is not before a day is the first period."""
    counted = Terms(first=0, amount=terms.amount, every=terms.every, anchor=anchor)
    offset = counted.steps(counted.first_after(day))
    return msgspec.structs.replace(terms, anchor=anchor, offset=offset)


def _anchored(subscription: Subscription, n: int, anchor: date) -> tuple[Terms, ...]:
    """Begin period n on a day; changes that hold later go on from there."""
    terms = subscription.terms_of(n)
    new = [Terms(first=n, amount=terms.amount, every=terms.every, anchor=anchor)]
    for later in subscription.terms:
        if later.first > n:
            new.append(new[-1].from_period(later.first, later.amount, later.every))
    return (*(one for one in subscription.terms if one.first < n), *new)


# Storing.


def _changed(
    subscription: Subscription,
    now: float,
    fact: Fact | None = None,
    *,
    debt: Period | None = None,
    periods: tuple[Period, ...] = (),
    submit: Period | None = None,
    ask: str | None = None,
    told: tuple[Told, ...] = (),
    members: dict[str, Any] | None = None,
) -> Change:
    """Make a change; `debt` is the period that is unresolved after it."""
    state = subscription.state if fact is None else NEXT.get((subscription.state, fact), None)
    after = msgspec.structs.replace(
        subscription,
        **{
            "state": state or subscription.state,
            "changed": now,
            "version": subscription.version + 1,
            **(members or {}),
        },
    )
    after = msgspec.structs.replace(after, wakes=_wakes(after, debt, now))
    return Change(subscription, after, periods, submit, ask, told)


def _noted(
    subscription: Subscription, period: Period, state: PeriodState, now: float, *told: Told
) -> Change:
    """Note what became of a period that is no debt; the subscription goes on as it did."""
    version = subscription.version + 1
    after = msgspec.structs.replace(subscription, version=version, changed=now)
    return Change(subscription, after, (msgspec.structs.replace(period, state=state),), told=told)


def _wakes(subscription: Subscription, debt: Period | None, now: float) -> float | None:
    """Return when there is something to do next."""
    if subscription.state in (S.ENDED, S.PARKED):
        return None
    moments: list[float] = []
    if debt is not None:
        moments += [now + LOOK] if debt.state is P.OPEN else []
        moments += [] if debt.retry_at is None else [debt.retry_at]
    elif subscription.state is not S.ENDING:
        moments.append(_next_at(subscription, now))
    is_collected = debt is not None and debt.state is not P.UNPAID
    ends_at = subscription.ends_at
    if (
        subscription.state is S.ENDING
        and ends_at is not None
        and not (is_collected and ends_at <= now)
    ):
        moments.append(ends_at)
    return min(moments, default=None)


def _next_at(subscription: Subscription, now: float) -> float:
    """Return when the next period is announced or opened."""
    due = subscription.due(subscription.next_n)
    if subscription.state is S.PAUSED:
        return due
    today = _opened_today(subscription, now)
    if due <= now and len(today) >= subscription.rule.max_catch_up:
        wall = subscription.rule.wall
        return Wall(time(0), wall.timezone).moment(wall.day(now) + timedelta(days=1))
    notice_at = _notice_at(subscription, subscription.next_n)
    return due if notice_at is None else min(due, notice_at)


def _notice_at(subscription: Subscription, n: int) -> float | None:
    """Return when the payment of period n is announced; None if it was, or needs not be.

    Who signs up and pays at once, or so soon that no announcement comes in time, has just been
    told.
    """
    if n <= subscription.told or subscription.is_last(n) or subscription.state is S.PAUSED:
        return None
    at = subscription.due(n) - subscription.notice_days(n) * DAY
    is_first = n == 0 and subscription.rule.trial_until is None
    return None if is_first and at < subscription.created else at


def _opened_today(subscription: Subscription, now: float) -> tuple[float, ...]:
    wall = subscription.rule.wall
    today = wall.day(now)
    return tuple(moment for moment in subscription.openings if wall.day(moment) == today)
