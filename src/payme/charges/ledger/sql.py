"""Charges in SQLAlchemy Core: SQLite and PostgreSQL, blocking and asyncio.

Both ledgers run the same functions on a connection; under asyncio through `run_sync`.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Final, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.event import listens_for
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from payme.charges.core import Charge, ChargeState, Event, Means, Overtaken, Save
from payme.charges.ledger import FARTHEST, Stored, bulk, rows
from payme.charges.ledger.metadata import metadata
from payme.charges.ledger.rows import LONGEST_ID
from payme.charges.ledger.sql_cards import AsyncSqlCards, CardRows, SqlCards
from payme.charges.ledger.together import AsyncTogether, Together
from payme.charges.vault import Vault
from payme.errors import ConfigurationError

T = TypeVar("T")

Changed = Callable[[sa.Connection, Charge], None]
"""The merchant's hook: runs once for each proven change, in the transaction that stores it."""

# Seconds to wait for another writer of SQLite.
_BUSY: Final = 30.0

charges = sa.Table(
    "payme_charge",
    metadata,
    sa.Column("id", sa.String(LONGEST_ID), primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("hold", sa.Boolean, nullable=False),
    sa.Column("receipt_id", sa.String(64)),
    sa.Column("receipts", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("cancels", sa.Integer, nullable=False),
    sa.Column("given_up", sa.Boolean, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("code", sa.Integer),
    sa.Column("message", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("due", sa.Float),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("changed", sa.Float, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("means", sa.LargeBinary, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("leased_until", sa.Float, nullable=False, server_default="0"),
    # What rests is not in it, so that finding what is due costs the same at any size.
    sa.Index(
        "payme_charge_due",
        "due",
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    ),
    sa.Index("payme_charge_receipt", "receipt_id"),
)

events = sa.Table(
    "payme_charge_event",
    metadata,
    sa.Column("charge_id", sa.String(LONGEST_ID), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("before", sa.String(16)),
    sa.Column("after", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("receipt_id", sa.String(64)),
)

COLUMNS: Final = [charges.c[name] for name in rows.COLUMNS]
_EVENT: Final = [events.c[name] for name in rows.EVENT_COLUMNS]

# Statements are made once: making one costs more than finding its text again.
_ID: Final = sa.bindparam("b_id", type_=charges.c.id.type)
_OWNER: Final = sa.bindparam("b_owner", type_=charges.c.owner.type)
_NOW: Final = sa.bindparam("b_now", type_=sa.Float)
_LOAD: Final = sa.select(*COLUMNS, charges.c.means).where(charges.c.id == _ID)
_SAVE: Final = sa.update(charges).where(
    charges.c.id == _ID, charges.c.version == sa.bindparam("b_version", type_=sa.Integer)
)
_HISTORY: Final = sa.select(*_EVENT).where(events.c.charge_id == _ID).order_by("version")
_LEASE: Final = (
    sa.update(charges)
    .values(owner=_OWNER, leased_until=sa.bindparam("b_until", type_=sa.Float))
    .returning(*COLUMNS, charges.c.means)
)
_DUE: Final = (
    sa.select(charges.c.id)
    .where(charges.c.due <= _NOW, charges.c.leased_until <= _NOW)
    .order_by(charges.c.due)
    .limit(sa.bindparam("b_limit", type_=sa.Integer))
)
_CLAIM: Final = _LEASE.where(
    charges.c.id.in_(_DUE.with_for_update(skip_locked=True).scalar_subquery())
)
_TAKE: Final = _LEASE.where(
    charges.c.id == _ID, sa.or_(charges.c.leased_until <= _NOW, charges.c.owner == _OWNER)
)
_RELEASE: Final = (
    sa.update(charges)
    .where(charges.c.id == _ID, charges.c.owner == _OWNER)
    .values(owner=None, leased_until=0.0)
)
# A few are enough: who asks looks again after a second anyway.
_FIRST_DUE: Final = (
    sa.select(
        sa.case(
            (charges.c.leased_until > charges.c.due, charges.c.leased_until), else_=charges.c.due
        ).label("free")
    )
    .where(charges.c.due.is_not(None))
    .order_by(charges.c.due)
    .limit(rows.PAGE)
    .subquery()
)
_NEXT_DUE: Final = sa.select(sa.func.min(_FIRST_DUE.c.free))


def _save_at_once() -> sa.Executable:
    """Make one statement of a change and its event: on a network, half the way.

    PostgreSQL alone has changes inside of statements.
    """
    values = {name: sa.bindparam(name, type_=charges.c[name].type) for name in _CHANGING}
    update = _SAVE.values(values).returning(
        charges.c.id, charges.c.version, charges.c.changed, charges.c.state, charges.c.evidence
    )
    after = update.cte("after_change").c
    of_event = [
        after.id,
        after.version,
        after.changed,
        sa.bindparam("b_before", type_=events.c.before.type),
        after.state,
        after.evidence,
        sa.bindparam("b_receipt", type_=events.c.receipt_id.type),
    ]
    names = [column.name for column in events.c]
    insert = sa.insert(events).from_select(names, sa.select(*of_event))
    # Not `rowcount`: psycopg's is -1 here.
    return insert.returning(events.c.version)


# What a charge is asked for never changes.
_FIXED: Final = frozenset({"id", "amount", "account", "description", "detail", "hold", "created"})
_CHANGING: Final = tuple(name for name in Charge.__struct_fields__ if name not in _FIXED)
_SAVE_AT_ONCE: Final = _save_at_once()


# One statement is a transaction of itself: BEGIN and COMMIT would be two more round trips.
_SINGLE: Final = {"isolation_level": "AUTOCOMMIT"}
# As many connections as SQLAlchemy opens unless told otherwise; but it would close ten of them
# again each time, and a hundred charges in flight open them all the time.
_POOL: Final[dict[str, Any]] = {"pool_size": 15, "max_overflow": 0}


class Rows(NamedTuple):
    """What both ledgers do on a connection."""

    vault: Vault
    changed: Changed | None
    cards: CardRows

    def followed_by(self, hook: Changed) -> "Rows":
        """Return rows that tell another hook, too, before the merchant's."""
        own = self.changed

        def both(connection: sa.Connection, charge: Charge) -> None:
            hook(connection, charge)
            if own is not None:
                own(connection, charge)

        return self._replace(changed=both)

    def submit(self, connection: sa.Connection, charge: Charge, means: Means) -> Charge:
        """See `Ledger.submit`."""
        row = {**rows.charge_row(charge), "means": self.vault.seal(means), "leased_until": 0.0}
        insert: Any = insert_of(connection.dialect.name)
        # Not `rowcount`: psycopg's is -1 here, whether the row is new or not.
        statement = insert(charges).on_conflict_do_nothing().returning(charges.c.id)
        if connection.execute(statement, row).first() is not None:
            connection.execute(sa.insert(events), rows.event_row(None, charge))
            return charge
        known = self.load(connection, charge.id)
        if known is None:
            raise RuntimeError(f"charge {charge.id} was there and is gone")
        return known.charge

    def submit_all(
        self, connection: sa.Connection, pairs: Sequence[tuple[Charge, bytes]]
    ) -> list[Charge]:
        """Store charges with what they are paid with, sealed; return those that are there."""
        known = self.load_all(connection, [charge.id for charge, _ in pairs])
        there = {charge.id for charge in known}
        new = [(charge, means) for charge, means in pairs if charge.id not in there]
        stored = [
            {**rows.charge_row(charge), "means": means, "leased_until": 0.0}
            for charge, means in new
        ]
        bulk.insert(connection, charges, stored)
        bulk.insert(connection, events, [rows.event_row(None, charge) for charge, _ in new])
        return known

    def load_all(self, connection: sa.Connection, charge_ids: Sequence[str]) -> list[Charge]:
        """Read the charges that there are, without what they are paid with."""
        if not charge_ids:
            return []
        query = sa.select(*COLUMNS).where(charges.c.id.in_(charge_ids))
        return [rows.read_charge(row) for row in connection.execute(query).mappings()]

    def load(self, connection: sa.Connection, charge_id: str) -> Stored | None:
        """See `Ledger.load`."""
        row = connection.execute(_LOAD, {"b_id": charge_id}).mappings().first()
        return None if row is None else self._stored(row)

    def save(self, connection: sa.Connection, change: Save, means: Means | None) -> None:
        """See `Ledger.save`."""
        self.save_sealed(connection, change, None if means is None else self.vault.seal(means))

    def save_sealed(self, connection: sa.Connection, change: Save, means: bytes | None) -> None:
        """Store a change, and another card, sealed, unless it is None."""
        after = change.after
        event = rows.event_row(change.before, after)
        values = {name: getattr(after, name) for name in _CHANGING}
        values |= {"b_id": after.id, "b_version": change.before.version, "state": after.state.value}
        if connection.dialect.name == "postgresql" and means is None:
            values |= {"b_before": event["before"], "b_receipt": event["receipt_id"]}
            if connection.execute(_SAVE_AT_ONCE, values).first() is None:
                raise Overtaken(after.id)
        else:
            if means is not None:
                values["means"] = means
            if connection.execute(_SAVE, values).rowcount != 1:
                raise Overtaken(after.id)
            connection.execute(sa.insert(events), event)
        self.cards.guard(connection, change)
        if self.changed is not None and rows.is_proven(change):
            self.changed(connection, after)

    def is_one_statement(self, change: Save, means: Means | None) -> bool:
        """Return whether PostgreSQL stores a change by one statement."""
        told = self.changed is not None and rows.is_proven(change)
        return means is None and not told and not self.cards.has_to_look(change)

    def history(self, connection: sa.Connection, charge_id: str) -> list[Event]:
        """See `Ledger.history`."""
        found = connection.execute(_HISTORY, {"b_id": charge_id}).mappings()
        return [rows.read_event(row) for row in found]

    def page(
        self, connection: sa.Connection, state: ChargeState | None, since: float, after: str
    ) -> list[Charge]:
        """See `Ledger.iterate`."""
        query = sa.select(*COLUMNS).where(charges.c.id > after, charges.c.changed >= since)
        if state is not None:
            query = query.where(charges.c.state == state.value)
        found = connection.execute(query.order_by(charges.c.id).limit(rows.PAGE)).mappings()
        return [rows.read_charge(row) for row in found]

    def claim(
        self, connection: sa.Connection, owner: str, now: float, until: float, limit: int
    ) -> list[Stored]:
        """See `Ledger.claim`."""
        lease = {"b_owner": owner, "b_now": now, "b_until": until, "b_limit": limit}
        return self._leased(connection, _CLAIM, lease)

    def due_ids(self, connection: sa.Connection, now: float, limit: int) -> list[str]:
        """See `Ledger.due_ids`."""
        which = {"b_now": now, "b_limit": limit}
        return list(connection.execute(_DUE, which).scalars())

    def take(
        self, connection: sa.Connection, owner: str, charge_id: str, now: float, until: float
    ) -> Stored | None:
        """See `Ledger.take`."""
        lease = {"b_owner": owner, "b_id": charge_id, "b_now": now, "b_until": until}
        leased = self._leased(connection, _TAKE, lease)
        return leased[0] if leased else None

    def release(self, connection: sa.Connection, owner: str, charge_id: str) -> None:
        """See `Ledger.release`."""
        connection.execute(_RELEASE, {"b_id": charge_id, "b_owner": owner})

    def next_due(self, connection: sa.Connection) -> float | None:
        """See `Ledger.next_due`."""
        free: float | None = connection.execute(_NEXT_DUE).scalar_one()
        return free

    def rewind(self, connection: sa.Connection, now: float) -> None:
        """See `Ledger.rewind`."""
        for column, value in ((charges.c.due, now), (charges.c.leased_until, 0.0)):
            ahead = (charges.c.due.is_not(None), column > now + FARTHEST)
            connection.execute(sa.update(charges).where(*ahead).values({column: value}))

    def rotate(self, connection: sa.Connection, after: str) -> str | None:
        """Seal a page of tokens anew, with the first key; return where the next page begins."""
        query = sa.select(charges.c.id, charges.c.means).where(charges.c.id > after)
        page = connection.execute(query.order_by(charges.c.id).limit(rows.PAGE)).all()
        for charge_id, sealed in page:
            # Not over another card that was stored meanwhile.
            unchanged = (charges.c.id == charge_id, charges.c.means == sealed)
            anew = self.vault.seal(self.vault.open(bytes(sealed)))
            connection.execute(sa.update(charges).where(*unchanged).values(means=anew))
        return str(page[-1][0]) if page else None

    def _leased(
        self, connection: sa.Connection, statement: sa.Executable, lease: dict[str, Any]
    ) -> list[Stored]:
        return [self._stored(row) for row in connection.execute(statement, lease).mappings()]

    def _stored(self, row: Any) -> Stored:
        return Stored(rows.read_charge(row), self.vault.open(bytes(row["means"])))


def insert_of(dialect: str) -> Any:
    """Return the `insert` of a dialect, which knows `ON CONFLICT`."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert


class SqlLedger:
    """Charges in SQLite or PostgreSQL.

    Args:
        engine: An engine, or its URL, such as `sqlite:///payme.db`. From a URL the tables are
            created unless they exist.
        keys: Fernet keys that encrypt card tokens; see `Vault`.
        changed: Called once for each proven change (held, refused, paid, failed, refunded) with
            the connection whose transaction stores it. What it raises takes the change back, and
            it is tried again.

    Raises:
        ConfigurationError: The database is neither, or a key is none.

    Example:
        >>> ledger = SqlLedger("sqlite:///payme.db", keys=[os.environ["LEDGER_KEY"]])
    """

    def __init__(
        self,
        engine: "sa.Engine | str" = "sqlite:///payme.db",
        *,
        keys: Sequence[str | bytes] = (),
        changed: Changed | None = None,
    ) -> None:
        vault = Vault(keys)
        self._rows = Rows(vault, changed, CardRows(vault))
        made = isinstance(engine, str)
        self._engine = _checked(_engine(engine) if isinstance(engine, str) else engine)
        is_sqlite = self._engine.dialect.name == "sqlite"
        self._together = Together(self._engine) if is_sqlite else None
        self._single = self._engine if is_sqlite else self._engine.execution_options(**_SINGLE)
        self.cards = SqlCards(self._do, self._read, self._rows.cards)
        """Where saved cards are kept, for `payme.wallet`."""
        if made:
            self.create_all()

    def create_all(self) -> None:
        """Create the tables unless they exist."""
        self._do(_create_tables)

    def follow(self, hook: Changed) -> None:
        """Call a hook for each proven change, before the merchant's, in the same transaction."""
        self._rows = self._rows.followed_by(hook)

    def _do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Do it in one transaction."""
        if self._together is not None:
            return self._together.do(act, *arguments)
        with self._engine.begin() as connection:
            return act(connection, *arguments)

    def _write(self, act: Callable[..., T], *arguments: Any) -> T:
        """Do what is one statement, and so a transaction of itself."""
        if self._together is not None:
            return self._together.do(act, *arguments)
        return self._read(act, *arguments)

    def _read(self, act: Callable[..., T], *arguments: Any) -> T:
        with self._single.connect() as connection:
            return act(connection, *arguments)

    def submit(self, charge: Charge, means: Means, connection: Any = None) -> Charge:
        """Store a charge unless its id is known."""
        if connection is not None:
            return self._rows.submit(connection, charge, means)
        return self._do(self._rows.submit, charge, means)

    def load(self, charge_id: str) -> Stored | None:
        """Read a charge."""
        return self._read(self._rows.load, charge_id)

    def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change."""
        act = self._write if self._rows.is_one_statement(change, means) else self._do
        act(self._rows.save, change, means)

    def history(self, charge_id: str) -> list[Event]:
        """Read the events of a charge."""
        return self._read(self._rows.history, charge_id)

    def iterate(self, state: ChargeState | None, since: float) -> Iterator[Charge]:
        """Read charges page by page."""
        after = ""
        while page := self._read(self._rows.page, state, since, after):
            yield from page
            after = page[-1].id

    def claim(self, owner: str, now: float, until: float, limit: int) -> list[Stored]:
        """Lease what is due."""
        return self._do(self._rows.claim, owner, now, until, limit)

    def take(self, owner: str, charge_id: str, now: float, until: float) -> Stored | None:
        """Lease one charge."""
        return self._do(self._rows.take, owner, charge_id, now, until)

    def release(self, owner: str, charge_id: str) -> None:
        """Give a lease back."""
        self._write(self._rows.release, owner, charge_id)

    def due_ids(self, now: float, limit: int) -> list[str]:
        """Read the ids of what is due."""
        return self._read(self._rows.due_ids, now, limit)

    def next_due(self) -> float | None:
        """Return when something can be claimed next."""
        return self._read(self._rows.next_due)

    def rewind(self, now: float) -> None:
        """Make due what a clock that was ahead has put off."""
        self._do(self._rows.rewind, now)

    def rotate(self) -> None:
        """Encrypt every token with the first key, so that the others can be thrown away."""
        for rotate in (self._rows.rotate, self._rows.cards.rotate):
            after: str | None = ""
            while after is not None:
                after = self._do(rotate, after)

    def close(self) -> None:
        """Close the engine's connections."""
        self._engine.dispose()


class AsyncSqlLedger:
    """Charges in SQLite or PostgreSQL, under asyncio; arguments as for `SqlLedger`.

    The hook gets a blocking connection of SQLAlchemy's, as `AsyncConnection.run_sync` does; it may
    not await.

    Example:
        >>> ledger = AsyncSqlLedger("postgresql+psycopg://shop@db/shop")
        >>> await ledger.create_all()
    """

    def __init__(
        self,
        engine: "AsyncEngine | str",
        *,
        keys: Sequence[str | bytes] = (),
        changed: Changed | None = None,
    ) -> None:
        vault = Vault(keys)
        self._rows = Rows(vault, changed, CardRows(vault))
        self._engine = _async_engine(engine) if isinstance(engine, str) else engine
        is_sqlite = _checked(self._engine.sync_engine).dialect.name == "sqlite"
        self._together = AsyncTogether(self._engine) if is_sqlite else None
        self._single = self._engine if is_sqlite else self._engine.execution_options(**_SINGLE)
        self.cards = AsyncSqlCards(self._do, self._read, self._rows.cards)
        """Where saved cards are kept, for `payme.wallet`."""

    async def create_all(self) -> None:
        """Create the tables unless they exist."""
        await self._do(_create_tables)

    def follow(self, hook: Changed) -> None:
        """See `SqlLedger.follow`."""
        self._rows = self._rows.followed_by(hook)

    async def _do(self, act: Callable[..., T], *arguments: Any) -> T:
        if self._together is not None:
            return await self._together.do(act, *arguments)
        async with self._engine.begin() as connection:
            return await connection.run_sync(act, *arguments)

    async def _write(self, act: Callable[..., T], *arguments: Any) -> T:
        if self._together is not None:
            return await self._together.do(act, *arguments)
        return await self._read(act, *arguments)

    async def _read(self, act: Callable[..., T], *arguments: Any) -> T:
        async with self._single.connect() as connection:
            return await connection.run_sync(act, *arguments)

    async def submit(self, charge: Charge, means: Means, connection: Any = None) -> Charge:
        """Store a charge unless its id is known."""
        if connection is not None:
            own = cast("AsyncConnection", connection)
            return await own.run_sync(self._rows.submit, charge, means)
        return await self._do(self._rows.submit, charge, means)

    async def load(self, charge_id: str) -> Stored | None:
        """Read a charge."""
        return await self._read(self._rows.load, charge_id)

    async def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change."""
        act = self._write if self._rows.is_one_statement(change, means) else self._do
        await act(self._rows.save, change, means)

    async def history(self, charge_id: str) -> list[Event]:
        """Read the events of a charge."""
        return await self._read(self._rows.history, charge_id)

    async def iterate(self, state: ChargeState | None, since: float) -> AsyncIterator[Charge]:
        """Read charges page by page."""
        after = ""
        while page := await self._read(self._rows.page, state, since, after):
            for charge in page:
                yield charge
            after = page[-1].id

    async def claim(self, owner: str, now: float, until: float, limit: int) -> list[Stored]:
        """Lease what is due."""
        return await self._do(self._rows.claim, owner, now, until, limit)

    async def take(self, owner: str, charge_id: str, now: float, until: float) -> Stored | None:
        """Lease one charge."""
        return await self._do(self._rows.take, owner, charge_id, now, until)

    async def release(self, owner: str, charge_id: str) -> None:
        """Give a lease back."""
        await self._write(self._rows.release, owner, charge_id)

    async def due_ids(self, now: float, limit: int) -> list[str]:
        """Read the ids of what is due."""
        return await self._read(self._rows.due_ids, now, limit)

    async def next_due(self) -> float | None:
        """Return when something can be claimed next."""
        return await self._read(self._rows.next_due)

    async def rewind(self, now: float) -> None:
        """See `SqlLedger.rewind`."""
        await self._do(self._rows.rewind, now)

    async def rotate(self) -> None:
        """See `SqlLedger.rotate`."""
        for rotate in (self._rows.rotate, self._rows.cards.rotate):
            after: str | None = ""
            while after is not None:
                after = await self._do(rotate, after)

    async def close(self) -> None:
        """Close the engine's connections."""
        await self._engine.dispose()


# Several workers that start at once on an empty database would all find no table, and create it.
_ONE_AT_A_TIME: Final = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(7021816253)",
}


def _create_tables(connection: sa.Connection) -> None:
    create_tables(connection, metadata)


def create_tables(connection: sa.Connection, tables: sa.MetaData) -> None:
    """Create tables unless they exist; several processes may do so at once."""
    with suppress(OperationalError):  # of SQLite, in a transaction that the engine has begun
        connection.exec_driver_sql(_ONE_AT_A_TIME[connection.dialect.name])
    tables.create_all(connection)


def _checked(engine: sa.Engine) -> sa.Engine:
    _check_database(engine.dialect.name)
    return engine


def _check_database(name: str) -> None:
    if name not in _ONE_AT_A_TIME:
        raise ConfigurationError(f"engine: got {name}, expected sqlite or postgresql")


def _engine(url: str) -> sa.Engine:
    engine = sa.create_engine(_normal(url), hide_parameters=True, **_POOL)
    _prepare(engine)
    return engine


def _async_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(_normal(url, "sqlite+aiosqlite"), hide_parameters=True, **_POOL)
    _prepare(engine.sync_engine)
    return engine


def _normal(url: str, sqlite: str = "sqlite") -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "engine: expected a URL such as sqlite:///payme.db or postgresql://user@host/database"
        ) from None
    plain = {"sqlite": sqlite, **dict.fromkeys(("postgres", "postgresql"), "postgresql+psycopg")}
    # Checked before the driver is looked for, which need not be there.
    parsed = parsed.set(drivername=plain.get(parsed.drivername, parsed.drivername))
    _check_database(parsed.get_backend_name())
    if parsed.get_backend_name() == "sqlite" and _is_in_memory(parsed):
        # Each thread would have a database of its own, and a crash would end them all.
        raise ConfigurationError(
            "engine: got sqlite in memory, expected a file: sqlite:///payme.db"
        )
    return parsed


def _is_in_memory(url: sa.URL) -> bool:
    name = url.database
    return not name or ":memory:" in name or url.query.get("mode") == "memory"


def _prepare(engine: sa.Engine) -> None:
    """Let readers and one writer of SQLite work side by side, and writers wait for each other."""
    if engine.dialect.name != "sqlite":
        return

    @listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=30000")
        # Of a write-ahead log some builds of SQLite wait for the disk at checkpoints only. Then a
        # power cut could forget that a payment was about to leave.
        cursor.execute("PRAGMA synchronous=FULL")
        _write_ahead(cursor)
        cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch the file to write-ahead logging; SQLite itself does not wait for that.

    Of workers that start at once on a new file, one switches and the others find it switched.
    """
    until = monotonic() + _BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() >= until:
                raise
            sleep(0.02)
        else:
            return
