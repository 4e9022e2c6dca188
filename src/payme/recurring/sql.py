"""Subscriptions in SQLAlchemy Core, beside their charges: SQLite and PostgreSQL."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import sqlalchemy as sa

from payme.charges.core import Charge, Save
from payme.charges.ledger import bulk
from payme.charges.ledger.sql import (
    AsyncSqlLedger,
    SqlLedger,
    charges,
    create_tables,
    events,
    insert_of,
)
from payme.charges.ledger.sql import Rows as ChargeRows
from payme.charges.saved import StoredCard
from payme.charges.vault import Sealed, Vault
from payme.recurring import rows
from payme.recurring.core import Period, Subscription
from payme.recurring.rows import Message, Overtaken, Rows, Stored
from payme.recurring.rule import LONGEST_ID

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

_LONGEST_WORD: Final = 24
_LONGEST_CUSTOMER: Final = 128

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
    sa.Column("customer", sa.String(_LONGEST_CUSTOMER)),
    # NULL where a customer's default card pays.
    sa.Column("means", sa.LargeBinary),
    # What waits for nothing is not in it, so that a tick costs what is due, at any size.
    sa.Index(
        "payme_subscription_wakes",
        "wakes",
        sqlite_where=sa.text("wakes IS NOT NULL"),
        postgresql_where=sa.text("wakes IS NOT NULL"),
    ),
    sa.Index(
        "payme_subscription_customer",
        "customer",
        sqlite_where=sa.text("customer IS NOT NULL"),
        postgresql_where=sa.text("customer IS NOT NULL"),
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

# One row: up to when nothing that Payme took was missing here; see `payme.recurring.behind`.
marks = sa.Table(
    "payme_mark",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Float, nullable=False),
)
_MARK: Final = 1

_COLUMNS: Final = [subscriptions.c[name] for name in rows.COLUMNS]
_PERIOD: Final = [periods.c[name] for name in rows.PERIOD_COLUMNS]
_MESSAGE: Final = [notices.c[name] for name in rows.MESSAGE_COLUMNS]
_STORED: Final = sa.select(*_COLUMNS, subscriptions.c.means)
_WAKING: Final = sa.select(*_COLUMNS).order_by(subscriptions.c.wakes)


class SqlRows(NamedTuple):
    """`Rows` on a connection."""

    connection: sa.Connection
    of_charges: ChargeRows

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        return self.of_charges.vault

    def lock(self, subscription_id: str) -> None:
        """Lock a subscription."""
        self._begin_to_write()
        ours = subscriptions.c.id == subscription_id
        self.connection.execute(sa.select(subscriptions.c.id).where(ours).with_for_update())

    def lock_charge(self, charge_id: str) -> None:
        """Lock a charge."""
        self._begin_to_write()
        ours = charges.c.id == charge_id
        self.connection.execute(sa.select(charges.c.id).where(ours).with_for_update())

    def due(self, now: float, limit: int, without: Collection[str]) -> list[Stored]:
        """Lock and read what is due."""
        self._begin_to_write()
        query = _STORED.where(subscriptions.c.wakes <= now).order_by(subscriptions.c.wakes)
        if without:
            query = query.where(subscriptions.c.id.not_in(without))
        return self._stored(query.limit(limit).with_for_update(skip_locked=True))

    def load(self, subscription_ids: Sequence[str]) -> list[Stored]:
        """Read subscriptions."""
        return self._stored(_STORED.where(subscriptions.c.id.in_(subscription_ids)))

    def load_periods(self, which: Sequence[tuple[str, int]]) -> list[Period]:
        """Read periods."""
        key = sa.tuple_(periods.c.subscription, periods.c.n)
        return self._periods(sa.select(*_PERIOD).where(key.in_(which)))

    def load_charges(self, charge_ids: Sequence[str]) -> list[Charge]:
        """Read charges."""
        return self.of_charges.load_all(self.connection, charge_ids)

    def load_receipts(self, charge_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Read the receipts that charges ever had."""
        query = sa.select(events.c.charge_id, events.c.receipt_id).distinct()
        theirs = (events.c.charge_id.in_(charge_ids), events.c.receipt_id.is_not(None))
        return [(row[0], row[1]) for row in self.connection.execute(query.where(*theirs)).all()]

    def load_cards(self, customers: Sequence[str]) -> list[StoredCard]:
        """Read the default cards of customers."""
        return self.of_charges.cards.defaults(self.connection, customers)

    def periods(self, subscription_id: str) -> list[Period]:
        """Read the periods of a subscription."""
        query = sa.select(*_PERIOD).where(periods.c.subscription == subscription_id)
        return self._periods(query.order_by(periods.c.n))

    def of_customer(self, customer: str) -> list[str]:
        """Read the ids of a customer's subscriptions."""
        query = sa.select(subscriptions.c.id).where(subscriptions.c.customer == customer)
        return list(self.connection.scalars(query.order_by(subscriptions.c.id)))

    def oldest(self) -> float | None:
        """Read when the oldest subscription was created."""
        found: float | None = self.connection.scalar(
            sa.select(sa.func.min(subscriptions.c.created))
        )
        return found

    def mark(self) -> float | None:
        """Read the mark."""
        return self.connection.scalar(sa.select(marks.c.at).where(marks.c.id == _MARK))

    def waking(self, until: float) -> list[Subscription]:
        """Read what has something due."""
        found = self.connection.execute(_WAKING.where(subscriptions.c.wakes <= until))
        return [rows.read_subscription(row) for row in found]

    def outbox(self, limit: int) -> list[Message]:
        """Read the notices that were not sent."""
        query = sa.select(*_MESSAGE).where(notices.c.sent.is_(None))
        found = self.connection.execute(query.order_by(notices.c.at).limit(limit))
        return [rows.read_message(row) for row in found]

    def add(self, subscription: Subscription, means: bytes | None) -> bool:
        """Store a subscription."""
        row = {**rows.subscription_row(subscription), "means": means}
        insert = insert_of(self.connection.dialect.name)(subscriptions).on_conflict_do_nothing()
        stored = self.connection.execute(insert.returning(subscriptions.c.id), row)
        return stored.first() is not None

    def save(self, changes: Sequence[tuple[Subscription, Subscription]]) -> None:
        """Store subscriptions that nobody else has changed."""
        saved = [
            {**rows.changing_row(after), "b_id": before.id, "b_version": before.version}
            for before, after in changes
        ]
        if bulk.update(self.connection, subscriptions, saved) != len(saved):
            raise Overtaken

    def save_means(self, subscription_id: str, means: bytes | None) -> None:
        """Store another card."""
        ours = subscriptions.c.id == subscription_id
        self.connection.execute(sa.update(subscriptions).where(ours).values(means=means))

    def add_periods(self, new: Sequence[Period]) -> None:
        """Store new periods."""
        bulk.insert(self.connection, periods, [rows.period_row(period) for period in new])

    def save_periods(self, known: Sequence[Period]) -> None:
        """Store periods that are there."""
        saved = [
            {**rows.period_row(period), "b_subscription": period.subscription, "b_n": period.n}
            for period in known
        ]
        bulk.update(self.connection, periods, saved)

    def add_notices(self, messages: Sequence[Message]) -> None:
        """Store notices once."""
        told = [rows.message_row(message) for message in messages]
        bulk.insert_new(self.connection, notices, told)

    def save_mark(self, at: float) -> None:
        """Store the mark."""
        insert = insert_of(self.connection.dialect.name)(marks).values(id=_MARK, at=at)
        stored = insert.on_conflict_do_update(index_elements=[marks.c.id], set_={"at": at})
        self.connection.execute(stored)

    def mark_sent(self, message: Message, now: float) -> None:
        """Note that a notice was sent."""
        which = (
            notices.c.subscription == message.subscription,
            notices.c.n == message.n,
            notices.c.kind == message.kind.value,
            notices.c.sent.is_(None),
        )
        self.connection.execute(sa.update(notices).where(*which).values(sent=now))

    def add_charges(self, pairs: Sequence[tuple[Charge, bytes]]) -> list[Charge]:
        """Store charges."""
        return self.of_charges.submit_all(self.connection, pairs)

    def save_charge(self, change: Save, means: bytes | None) -> None:
        """Store a change of a charge."""
        self.of_charges.save_sealed(self.connection, change, means)

    def _begin_to_write(self) -> None:
        """Become the one writer of SQLite before anything is read, so that what is read holds."""
        if self.connection.dialect.name == "sqlite":
            nothing = sa.update(subscriptions).where(sa.false()).values(version=0)
            self.connection.execute(nothing)

    def _stored(self, query: "sa.Select[Any]") -> list[Stored]:
        found = self.connection.execute(query).all()
        return [Stored(rows.read_subscription(row[:-1]), _sealed(row[-1])) for row in found]

    def _periods(self, query: "sa.Select[Any]") -> list[Period]:
        return [rows.read_period(row) for row in self.connection.execute(query).all()]


def _sealed(means: bytes | None) -> Sealed | None:
    return None if means is None else Sealed(means)


class SqlKeeper:
    """Keeps subscriptions beside the charges of a `SqlLedger`."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self._of_charges = ledger._rows  # pyright: ignore[reportPrivateUsage]

    @property
    def vault(self) -> Vault:
        """Seals what charges are paid with."""
        return self._of_charges.vault

    def create_all(self) -> None:
        """Create the tables unless they exist."""
        self._ledger._do(create_tables, metadata)  # pyright: ignore[reportPrivateUsage]

    def follow(self, hook: Callable[[Rows, Charge], None]) -> None:
        """Call a hook for each proven change of a charge."""
        self._ledger.follow(lambda connection, charge: hook(self._rows(connection), charge))

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in one transaction."""
        done: T = self._ledger._do(self.inside, act, *arguments)  # pyright: ignore[reportPrivateUsage]
        return done

    def read(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out what only reads."""
        done: T = self._ledger._read(self.inside, act, *arguments)  # pyright: ignore[reportPrivateUsage]
        return done

    def inside(self, connection: sa.Connection, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in the caller's transaction."""
        return act(self._rows(connection), *arguments)

    def _rows(self, connection: sa.Connection) -> SqlRows:
        return SqlRows(connection, self._of_charges)


class AsyncSqlKeeper:
    """Keeps subscriptions beside the charges of an `AsyncSqlLedger`."""

    def __init__(self, ledger: AsyncSqlLedger) -> None:
        self._ledger = ledger
        self._of_charges = ledger._rows  # pyright: ignore[reportPrivateUsage]

    @property
    def vault(self) -> Vault:
        """Seals what charges are paid with."""
        return self._of_charges.vault

    async def create_all(self) -> None:
        """Create the tables unless they exist."""
        await self._ledger._do(create_tables, metadata)  # pyright: ignore[reportPrivateUsage]

    def follow(self, hook: Callable[[Rows, Charge], None]) -> None:
        """Call a hook for each proven change of a charge."""
        self._ledger.follow(lambda connection, charge: hook(self._rows(connection), charge))

    async def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in one transaction."""
        done: T = await self._ledger._do(self._inside, act, *arguments)  # pyright: ignore[reportPrivateUsage]
        return done

    async def read(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out what only reads."""
        return await self._ledger._read(self._inside, act, *arguments)  # pyright: ignore[reportPrivateUsage]

    async def inside(self, connection: Any, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in the caller's transaction."""
        own = cast("AsyncConnection", connection)
        return await own.run_sync(self._inside, act, *arguments)

    def _inside(self, connection: sa.Connection, act: Callable[..., T], *arguments: Any) -> T:
        return act(self._rows(connection), *arguments)

    def _rows(self, connection: sa.Connection) -> SqlRows:
        return SqlRows(connection, self._of_charges)
