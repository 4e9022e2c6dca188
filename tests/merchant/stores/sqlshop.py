"""A shop on SQLAlchemy, blocking and asyncio, that writes its orders and a diary of its events."""

import asyncio
import os
from contextlib import contextmanager

import sqlalchemy as sa
from scenarios import KEY, Requests, order_of
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from payme.merchant.service import AsyncMerchant, Merchant
from payme.merchant.stores.sqlalchemy import (
    AsyncOrders,
    AsyncSqlAlchemyStore,
    Orders,
    SqlAlchemyStore,
    transactions,
)
from payme.merchant.stores.sqlalchemy import metadata as payme_metadata

shop_metadata = sa.MetaData()

orders = sa.Table(
    "shop_order",
    shop_metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
)
events = sa.Table(
    "shop_event",
    shop_metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("event", sa.String(16), nullable=False),
    sa.Column("order_id", sa.String(64), nullable=False),
)


def state_of(name):
    return sa.select(orders.c.state).where(orders.c.id == name)


def note(name, what):
    """The statements that write down an event of an order."""
    yield sa.insert(events).values(event=what, order_id=name)
    after = {"paid": "paid", "cancelled": "closed"}.get(what)
    if after is not None:
        yield sa.update(orders).where(orders.c.id == name).values(state=after)


class ShopOrders(Orders):
    """`fails` is raised by a hook after it has done its work; `between` is called before that."""

    fails = None

    def between(self, connection):
        pass

    def find(self, connection, account):
        name = str(account.get("order_id"))
        return order_of(name, connection.scalar(state_of(name)))

    def paid(self, connection, transaction):
        self.note(connection, transaction.order_id, "paid")

    def cancelled(self, connection, transaction):
        self.note(connection, transaction.order_id, "cancelled")

    def released(self, connection, transaction):
        self.note(connection, transaction.order_id, "released")

    def note(self, connection, name, what):
        for statement in note(name, what):
            connection.execute(statement)
        self.between(connection)
        if self.fails is not None:
            raise self.fails


class AsyncShopOrders(AsyncOrders):
    fails = None

    async def between(self, connection):
        pass

    async def find(self, connection, account):
        name = str(account.get("order_id"))
        return order_of(name, await connection.scalar(state_of(name)))

    async def paid(self, connection, transaction):
        await self.note(connection, transaction.order_id, "paid")

    async def cancelled(self, connection, transaction):
        await self.note(connection, transaction.order_id, "cancelled")

    async def released(self, connection, transaction):
        await self.note(connection, transaction.order_id, "released")

    async def note(self, connection, name, what):
        for statement in note(name, what):
            await connection.execute(statement)
        await self.between(connection)
        if self.fails is not None:
            raise self.fails


class Database(Requests):
    """What a test looks at; `engine` is blocking, also beside the asyncio store."""

    orders: ShopOrders | AsyncShopOrders

    def __init__(self, url, **options):
        self.engine = sa.create_engine(blocking_url(url), **patient(url, options))
        hasten(self.engine)
        self.store = None

    def fill(self, *names):
        """Make the tables and some orders."""
        for metadata in (payme_metadata, shop_metadata):
            metadata.create_all(self.engine)
        return self.refill(*names)

    def fill_beside(self, *names):
        """Make the shop's own tables and some orders; Payme's are there."""
        shop_metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            rows = [{"id": name, "state": "waiting"} for name in (*names, "gone")]
            connection.execute(sa.insert(orders), rows)

    def refill(self, *names):
        """Forget everything, and take some orders."""
        rows = [{"id": name, "state": "waiting"} for name in names]
        with self.engine.begin() as connection:
            for table in (transactions, orders, events):
                connection.execute(sa.delete(table))
            connection.execute(sa.insert(orders), [*rows, {"id": "gone", "state": "closed"}])
        return self

    @property
    def fails(self):
        return self.orders.fails

    @fails.setter
    def fails(self, failure):
        self.orders.fails = failure

    def forget(self, name):
        """Have the shop think that an order waits."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(orders).where(orders.c.id == name).values(state="waiting"))

    def rows(self, statement):
        with self.engine.connect() as connection:
            return connection.execute(statement).all()

    def events(self):
        columns = (events.c.event, events.c.order_id)
        return [tuple(row) for row in self.rows(sa.select(*columns).order_by(events.c.number))]

    def state(self, name):
        ((state,),) = self.rows(state_of(name))
        return state

    def close(self):
        self.engine.dispose()


class BlockingShop(Database):
    def __init__(self, url, **options):
        super().__init__(url, **options)
        self.orders = ShopOrders()
        self.store = SqlAlchemyStore(self.engine, self.orders)
        self.merchant = Merchant(self.store, KEY, clock=lambda: self.now)

    def answer(self, incoming):
        return self.merchant.answer(incoming)


class AsyncShop(Database):
    """Its store lives on a loop of its own, so that the scenarios are the same."""

    def __init__(self, url, **options):
        super().__init__(url)
        self.runner = asyncio.Runner()
        self.runner.get_loop()
        self.async_engine = create_async_engine(asyncio_url(url), **patient(url, options))
        hasten(self.async_engine.sync_engine)
        self.orders = AsyncShopOrders()
        self.store = AsyncSqlAlchemyStore(self.async_engine, self.orders)
        self.merchant = AsyncMerchant(self.store, KEY, clock=lambda: self.now)

    def answer(self, incoming):
        return self.runner.run(self.merchant.answer(incoming))

    def close(self):
        self.runner.run(self.async_engine.dispose())
        self.runner.close()
        super().close()


def patient(url, options):
    """SQLite's writers wait longer for each other than on a machine that has nothing else to do."""
    return {"connect_args": {"timeout": 60}, **options} if url.startswith("sqlite") else options


def hasten(engine):
    """Let SQLite's commits not wait for the disk: no test takes the power away."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _without_sync)


def _without_sync(connection, record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()


# Stands for PostgreSQL with the drivers that most shops have, for the whole suite or for one test.
OTHER_DRIVERS = "postgresql+other://"
_POSTGRESQL = OTHER_DRIVERS if os.environ.get("PAYME_TEST_DRIVERS") == "other" else "postgresql://"


def _driven(url, drivers):
    for plain, driven in drivers.items():
        url = url.replace(plain, driven)
    return url


def blocking_url(url):
    url = url.replace("postgresql://", _POSTGRESQL)
    return _driven(
        url, {"postgresql://": "postgresql+psycopg://", OTHER_DRIVERS: "postgresql+psycopg2://"}
    )


def asyncio_url(url):
    url = url.replace("postgresql://", _POSTGRESQL)
    return _driven(
        url,
        {
            "postgresql://": "postgresql+psycopg://",
            OTHER_DRIVERS: "postgresql+asyncpg://",
            "sqlite://": "sqlite+aiosqlite://",
            "mysql+pymysql://": "mysql+asyncmy://",
            "&ssl_disabled=1": "",
        },
    )


@contextmanager
def opened(kind, url, *names, **options):
    """Open a shop with orders that wait for payment."""
    shop = kind(url, **options)
    try:
        yield shop.fill(*names) if names else shop
    finally:
        shop.close()


@contextmanager
def statements(engine):
    """Collect the SQL that an engine sends."""
    seen = []

    def note_statement(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note_statement)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note_statement)
