"""Subscriptions in SQLAlchemy Core, beside their charges: SQLite and PostgreSQL.

Every function here works on a connection and asks nothing of Payme, so that a subscription, its
period, its charge and what the payer is told are one transaction. What asks Payme is the charge.
"""

from collections.abc import Callable, Collection
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa

from payme.charges import orders
from payme.charges.core import RESTS, Charge, ChargeState, Means
from payme.charges.ledger.sql import Rows as ChargeRows
from payme.charges.ledger.sql import charges, insert_of
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
from payme.recurring.rule import LONGEST_ID

_LONGEST_WORD: Final = 24
# No subscription has this much to do at once; one that seems to is a mistake of ours.
_MOST_STEPS: Final = 1000

metadata = sa.MetaData()

subscriptions = sa.Table(
    "payme_subscription",
    metadata,
    sa.Column("id", sa.String(LONGEST_ID), primary_key=True),
    sa.Column("state", sa.String(_LONGEST_WORD), nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("terms", sa.Text, nullable=False),
    sa.Column("next_n", sa.Integer, nullable=False),
    sa.Column("debt", sa.Integer),
    sa.Column("told", sa.Integer, nullable=False),
    sa.Column("openings", sa.Text, nullable=False),
    sa.Column("other_card", sa.Boolean, nullable=False),
    sa.Column("approved", sa.Integer, nullable=False),
    sa.Column("ends_at", sa.Float),
    sa.Column("wakes", sa.Float),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("means", sa.LargeBinary, nullable=False),
    # What waits for nothing is not in it, so that a tick costs what is due, at any size.
    sa.Index(
        "payme_subscription_wakes",
        "wakes",
        sqlite_where=sa.text("wakes IS NOT NULL"),
        postgresql_where=sa.text("wakes IS NOT NULL"),
    ),
)

# The primary key is the rule: no period is opened twice.
periods = sa.Table(
    "payme_period",
    metadata,
    sa.Column("subscription", sa.String(LONGEST_ID), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start", sa.Float, nullable=False),
    sa.Column("end", sa.Float, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(_LONGEST_WORD), nullable=False),
    sa.Column("opened", sa.Float, nullable=False),
    sa.Column("retry_at", sa.Float),
    sa.Column("refusals", sa.Text, nullable=False),
    sa.Column("code", sa.Integer),
    sa.Column("message", sa.Text),
)

notices = sa.Table(
    "payme_notice",
    metadata,
    sa.Column("subscription", sa.String(LONGEST_ID), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(_LONGEST_WORD), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("sent", sa.Float),
    sa.Index(
        "payme_notice_unsent",
        "at",
        sqlite_where=sa.text("sent IS NULL"),
        postgresql_where=sa.text("sent IS NULL"),
    ),
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in the outbox.

    Attributes:
        subscription: Id of the subscription.
        n: Number of the period that it is about.
        kind: See `Notice`.
        at: When it was written, in seconds since 1970.
        due: When the period is due, in seconds since 1970.
        amount: What the period costs, in tiyin.
    """

    subscription: str
    n: int
    kind: core.Notice
    at: float
    due: float
    amount: int


_SUBSCRIPTION: Final = [subscriptions.c[name] for name in Subscription.__struct_fields__]
_PERIOD: Final = [periods.c[name] for name in Period.__struct_fields__]
_MESSAGE: Final = [notices.c[name] for name in Message.__struct_fields__]
_JSON: Final = frozenset({"rule", "terms", "openings", "refusals"})

_LOAD: Final = sa.select(*_SUBSCRIPTION, subscriptions.c.means).where(
    subscriptions.c.id == sa.bindparam("b_id")
)
_LOAD_PERIOD: Final = sa.select(*_PERIOD).where(
    periods.c.subscription == sa.bindparam("b_id"), periods.c.n == sa.bindparam("b_n")
)
_SAVE: Final = sa.update(subscriptions).where(
    subscriptions.c.id == sa.bindparam("b_id"), subscriptions.c.version == sa.bindparam("b_version")
)
_SAVE_PERIOD: Final = sa.update(periods).where(
    periods.c.subscription == sa.bindparam("b_id"), periods.c.n == sa.bindparam("b_n")
)

Act = Callable[[Subscription, Period | None, float], Change | None]
"""What is asked of a subscription: a function of the core's."""


class Overtaken(Exception):
    """Somebody else has changed the subscription; what is stored counts."""


class Stored(NamedTuple):
    """A subscription with its card, sealed."""

    subscription: Subscription
    means: Any


class Rows(NamedTuple):
    """What is done on a connection.

    Attributes:
        charges: The charges in the same database.
        now: Seconds since 1970.
    """

    charges: ChargeRows
    now: Callable[[], float]

    # Reading.

    def load(self, connection: sa.Connection, subscription_id: str) -> Stored:
        """Read a subscription.

        Raises:
            SubscriptionNotFound: There is none.
        """
        row = connection.execute(_LOAD, {"b_id": subscription_id}).mappings().first()
        if row is None:
            raise SubscriptionNotFound(f"no subscription has the id {subscription_id!r}")
        return Stored(_read(row, Subscription), row["means"])

    def get(self, connection: sa.Connection, subscription_id: str) -> Subscription:
        """Read a subscription without its card."""
        return self.load(connection, subscription_id).subscription

    def period(self, connection: sa.Connection, subscription_id: str, n: int) -> Period | None:
        """Read a period."""
        which = {"b_id": subscription_id, "b_n": n}
        row = connection.execute(_LOAD_PERIOD, which).mappings().first()
        return None if row is None else _read(row, Period)

    def periods(self, connection: sa.Connection, subscription_id: str) -> list[Period]:
        """Read the periods of a subscription, in their order."""
        self.load(connection, subscription_id)
        query = sa.select(*_PERIOD).where(periods.c.subscription == subscription_id)
        return [_read(row, Period) for row in connection.execute(query.order_by("n")).mappings()]

    def is_entitled(self, connection: sa.Connection, subscription_id: str) -> bool:
        """Return whether a payer may use what the subscription grants now."""
        subscription = self.load(connection, subscription_id).subscription
        last = self.period(connection, subscription.id, subscription.next_n - 1)
        return core.is_entitled(subscription, last, self.now())

    def outbox(self, connection: sa.Connection, limit: int) -> list[Message]:
        """Read what has not been sent, the oldest first."""
        query = sa.select(*_MESSAGE).where(notices.c.sent.is_(None))
        query = query.order_by(notices.c.at).limit(limit)
        return [_read(row, Message) for row in connection.execute(query).mappings()]

    def sent(self, connection: sa.Connection, message: Message) -> None:
        """Note that a notice was sent."""
        which = (
            notices.c.subscription == message.subscription,
            notices.c.n == message.n,
            notices.c.kind == message.kind.value,
            notices.c.sent.is_(None),
        )
        connection.execute(sa.update(notices).where(*which).values(sent=self.now()))

    # Changing.

    def create(self, connection: sa.Connection, change: Change, means: Means) -> Subscription:
        """Store a subscription unless its id is known, and open what is due at once.

        Raises:
            SubscriptionConflict: The id belongs to one with another rule.
        """
        after = change.after
        row = {**_row(after), "means": self.charges.vault.seal(means)}
        insert = insert_of(connection.dialect.name)(subscriptions).on_conflict_do_nothing()
        if connection.execute(insert.returning(subscriptions.c.id), row).first() is None:
            return _same(after, self.get(connection, after.id))
        return self._advance(connection, after.id, after.created)

    def command(
        self, connection: sa.Connection, known: Subscription, act: Act, means: Means | None
    ) -> Subscription:
        """Do what a merchant asks, and what is due then.

        Args:
            connection: A transaction.
            known: The subscription as it was read before, in a transaction of its own.
            act: What is asked.
            means: Another card.
        """
        now, subscription_id = self.now(), known.id
        # In the order in which who drives the charge locks them, so that neither waits for ever.
        _lock_charge(connection, f"{known.id}:{known.debt}")
        _lock(connection, subscription_id)
        self._learn_of_debt(connection, subscription_id, now)
        stored = self.load(connection, subscription_id)
        if means is not None:
            sealed = self.charges.vault.seal(means)
            ours = subscriptions.c.id == subscription_id
            connection.execute(sa.update(subscriptions).where(ours).values(means=sealed))
            stored = stored._replace(means=sealed)
        change = act(stored.subscription, self._debt(connection, stored.subscription), now)
        if change is not None:
            self._store(connection, change, stored.means)
        return self._advance(connection, subscription_id, now)

    def learn(self, connection: sa.Connection, charge: Charge) -> None:
        """Take in a proven change of a charge: the hook, in the transaction that stores it."""
        subscription_id, _, number = charge.id.rpartition(":")
        if not subscription_id or not number.isascii() or not number.isdecimal():
            return
        _lock(connection, subscription_id)
        try:
            stored = self.load(connection, subscription_id)
        except SubscriptionNotFound:
            return
        period = self.period(connection, subscription_id, int(number))
        if period is None or period.charge_id != charge.id:
            return
        change = core.learn(stored.subscription, period, charge, self.now())
        if change is not None:
            self._store(connection, change, stored.means)

    def due(
        self, connection: sa.Connection, now: float, limit: int, without: Collection[str]
    ) -> list[str]:
        """Read and lock the ids of what is due and nobody else ticks."""
        which = [subscriptions.c.wakes <= now]
        if without:
            which.append(subscriptions.c.id.not_in(without))
        query = sa.select(subscriptions.c.id).where(*which).order_by(subscriptions.c.wakes)
        return list(connection.scalars(query.limit(limit).with_for_update(skip_locked=True)))

    def tick_page(
        self, connection: sa.Connection, now: float, limit: int, without: Collection[str]
    ) -> list[str]:
        """Do what is due for some subscriptions, in one transaction; gives their ids."""
        _begin_to_write(connection)
        ids = self.due(connection, now, limit, without)
        for subscription_id in ids:
            self._advance(connection, subscription_id, now)
        return ids

    def tick_one(self, connection: sa.Connection, now: float, subscription_id: str) -> None:
        """Do what is due for one subscription."""
        _lock(connection, subscription_id)
        self._advance(connection, subscription_id, now)

    def waking(self, connection: sa.Connection, until: float) -> list[Subscription]:
        """Read the subscriptions that have something due by then, in that order."""
        query = sa.select(*_SUBSCRIPTION).where(subscriptions.c.wakes <= until)
        rows = connection.execute(query.order_by(subscriptions.c.wakes)).mappings()
        return [_read(row, Subscription) for row in rows]

    def _advance(self, connection: sa.Connection, subscription_id: str, now: float) -> Subscription:
        """Do all that is due for a subscription, whose row is locked."""
        subscription, sealed = self.load(connection, subscription_id)
        for _ in range(_MOST_STEPS):
            if subscription.wakes is None or subscription.wakes > now:
                return subscription
            debt = self._debt(connection, subscription)
            charge = None if debt is None else self._charge(connection, debt)
            change = core.tick(subscription, debt, charge, now)
            if change is not None:
                self._store(connection, change, sealed)
                subscription = change.after
        raise RuntimeError(f"subscription {subscription_id} never comes to rest")

    def _learn_of_debt(self, connection: sa.Connection, subscription_id: str, now: float) -> None:
        """Take in the end of a charge that its driver has not told of."""
        stored = self.load(connection, subscription_id)
        debt = self._debt(connection, stored.subscription)
        charge = None if debt is None else self._charge(connection, debt)
        if debt is not None and charge is not None:
            change = core.learn(stored.subscription, debt, charge, now)
            if change is not None:
                self._store(connection, change, stored.means)

    def _debt(self, connection: sa.Connection, subscription: Subscription) -> Period | None:
        n = subscription.debt
        return None if n is None else self.period(connection, subscription.id, n)

    def _charge(self, connection: sa.Connection, period: Period) -> Charge | None:
        stored = self.charges.load(connection, period.charge_id)
        return None if stored is None else stored.charge

    def _store(self, connection: sa.Connection, change: Change, sealed: Any) -> None:
        """Store a change: subscription, periods, notices and charge."""
        before, after = change.before, change.after
        version = -1 if before is None else before.version
        which = {"b_id": after.id, "b_version": version}
        if connection.execute(_SAVE, {**_row(after), **which}).rowcount != 1:
            raise Overtaken(after.id)
        first_new = after.next_n if before is None else before.next_n
        for period in change.periods:
            self._store_period(connection, period, is_new=period.n >= first_new)
        if change.told:
            insert = insert_of(connection.dialect.name)(notices).on_conflict_do_nothing()
            connection.execute(insert, [_notice(after, told) for told in change.told])
        if change.submit is not None:
            self._submit(connection, after, change.submit, sealed)
        if change.ask is not None:
            self._ask(connection, change.ask, change.periods[-1], sealed)

    def _store_period(self, connection: sa.Connection, period: Period, *, is_new: bool) -> None:
        row = _row(period)
        if is_new:
            connection.execute(sa.insert(periods), row)
            return
        which = {"b_id": period.subscription, "b_n": period.n}
        connection.execute(_SAVE_PERIOD, {**row, **which})

    def _submit(
        self, connection: sa.Connection, subscription: Subscription, period: Period, sealed: Any
    ) -> None:
        rule = subscription.rule
        # The id goes along, so that `audit` can tell what a receipt was for.
        words = f"{rule.description} ({period.charge_id})" if rule.description else None
        means = self._means(sealed)
        asked = orders.order(
            since_1970(), period.charge_id, period.amount, rule.account, means.token.open(),
            description=words, detail=None, payer=means.payer, hold=False,
        )  # fmt: skip
        charge, means = asked.accepted()
        orders.same(charge, self.charges.submit(connection, charge, means))

    def _ask(self, connection: sa.Connection, word: str, period: Period, sealed: Any) -> None:
        """Ask something of a charge: another attempt, or to give it up."""
        charge = self._charge(connection, period)
        if charge is None or charge.state not in _TAKES[word]:
            # Somebody has asked the charge itself, and what comes of it is told.
            return
        change = orders.command(charge, word, since_1970())
        if change is not None:
            means = self._means(sealed) if word == "retry" else None
            self.charges.save(connection, change, means)

    def _means(self, sealed: Any) -> Means:
        # Here a wallet's default card would come in.
        return self.charges.vault.open(bytes(sealed))


# In which states a charge is asked what. One that is paid has been learned of before, and one that
# failed can take no money already.
_TAKES: Final = {
    "retry": frozenset({ChargeState.REFUSED, ChargeState.FAILED}),
    "cancel": (frozenset(ChargeState) - RESTS) | {ChargeState.REFUSED},
}


def _lock_charge(connection: sa.Connection, charge_id: str) -> None:
    _begin_to_write(connection)
    locked = sa.select(charges.c.id).where(charges.c.id == charge_id)
    connection.execute(locked.with_for_update())


def _lock(connection: sa.Connection, subscription_id: str) -> None:
    _begin_to_write(connection)
    ours = subscriptions.c.id == subscription_id
    connection.execute(sa.select(subscriptions.c.id).where(ours).with_for_update())


def _begin_to_write(connection: sa.Connection) -> None:
    """Become the one writer of SQLite before anything is read, so that what is read holds."""
    if connection.dialect.name == "sqlite":
        nothing = sa.update(subscriptions).where(sa.false()).values(version=0)
        connection.execute(nothing)


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


def _row(stored: Subscription | Period) -> dict[str, Any]:
    row = msgspec.structs.asdict(stored)
    for name in _JSON & row.keys():
        row[name] = msgspec.json.encode(row[name]).decode()
    return {**row, "state": stored.state.value}


def _notice(subscription: Subscription, told: Told) -> dict[str, Any]:
    return {
        "subscription": subscription.id,
        "n": told.n,
        "kind": told.kind.value,
        "at": subscription.changed,
        "due": subscription.due(told.n),
        "amount": subscription.amount(told.n),
    }


def _read(row: Any, kind: Any) -> Any:
    members = {name: row[name] for name in kind.__struct_fields__}
    for name in _JSON & members.keys():
        members[name] = msgspec.json.decode(members[name])
    return msgspec.convert(members, kind)
