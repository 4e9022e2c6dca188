"""The two stores: a connection for each piece of work, in a transaction where it may write."""

import asyncio
import threading
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import StaticPool

from payme.errors import ConfigurationError
from payme.flow import arun, run
from payme.merchant import flows
from payme.merchant.orders import Shop
from payme.merchant.stores.rows import acarry_out, carry_out, operate
from payme.merchant.stores.sqlalchemy import schema
from payme.merchant.stores.sqlalchemy.orders import AsyncOrders, Orders
from payme.merchant.stores.sqlalchemy.rows import SqlRows, begin_as_writer

T = TypeVar("T")

_ISOLATION: Final = {"postgresql": "READ COMMITTED", "sqlite": "SERIALIZABLE"}
"""Set for each flow, since the engine may have another level, or none (AUTOCOMMIT)."""


class SqlAlchemyStore:
    """Keeps transactions in PostgreSQL or SQLite, blocking.

    Any number of threads and processes may share the database. Each flow takes one connection from
    the engine's pool and gives it back; when the pool or the database is out of reach, Payme gets
    -32400 and repeats later.

    Args:
        engine: The merchant's own engine.
        orders: The merchant's orders.

    Raises:
        ConfigurationError: The database is neither, `orders` is no `Orders`, or its `find`
            takes other arguments.

    Example:
        >>> store = SqlAlchemyStore(create_engine("postgresql+psycopg://…"), ShopOrders())
        >>> store.create_all()
        >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(self, engine: sa.Engine, orders: Orders) -> None:
        _expect(engine, sa.Engine, "engine")
        _expect(orders, Orders, "orders")
        self._engine = _own(engine, _isolation(engine))
        self._single = _single(engine)
        self._autocommit = _own(engine, "AUTOCOMMIT")
        self._shop = Shop(orders, "connection")
        self._alone: AbstractContextManager[Any] = (
            threading.Lock() if _is_shared(engine) else nullcontext()
        )

    def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        schema.metadata.create_all(self._engine)

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        return run(flow, self._work)

    def _work(self, work: flows.Work) -> Any:
        if work.scope in self._single:
            with self._alone, self._autocommit.connect() as connection:
                return self._carry_out(work, connection)
        with self._alone, self._engine.connect() as connection:
            with connection.begin() as transaction:
                if work.scope in ("insert", "transaction"):
                    begin_as_writer(connection)
                value = self._carry_out(work, connection)
                _require_open(open_=transaction.is_active)
            return value

    def _carry_out(self, work: flows.Work, connection: sa.Connection) -> Any:
        return carry_out(work, SqlRows(connection), self._shop, connection)


class AsyncSqlAlchemyStore:
    """Keeps transactions in PostgreSQL or SQLite, under asyncio; see `SqlAlchemyStore`.

    Args:
        engine: The merchant's own engine.
        orders: The merchant's orders.

    Raises:
        ConfigurationError: The database is neither, `orders` is no `AsyncOrders`, or its `find`
            takes other arguments.

    Example:
        >>> store = AsyncSqlAlchemyStore(create_async_engine("postgresql+psycopg://…"), Shop())
        >>> await store.create_all()
        >>> merchant = AsyncMerchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(self, engine: AsyncEngine, orders: AsyncOrders) -> None:
        _expect(engine, AsyncEngine, "engine")
        _expect(orders, AsyncOrders, "orders")
        self._engine = AsyncEngine(_own(engine.sync_engine, _isolation(engine.sync_engine)))
        self._single = _single(engine.sync_engine)
        self._autocommit = AsyncEngine(_own(engine.sync_engine, "AUTOCOMMIT"))
        self._shop = Shop(orders, "connection")
        self._alone: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if _is_shared(engine.sync_engine) else nullcontext()
        )

    async def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        async with self._engine.begin() as connection:
            await connection.run_sync(schema.metadata.create_all)

    async def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        return await arun(flow, self._work)

    async def _work(self, work: flows.Work) -> Any:
        if work.scope in self._single:
            async with self._alone, self._autocommit.connect() as connection:
                return await self._carry_out(work, connection)
        async with self._alone, self._engine.connect() as connection:
            async with connection.begin() as transaction:
                if work.scope in ("insert", "transaction"):
                    await connection.run_sync(begin_as_writer)
                value = await self._carry_out(work, connection)
                _require_open(open_=transaction.is_active)
            return value

    async def _carry_out(self, work: flows.Work, connection: AsyncConnection) -> Any:
        async def on_rows(step: flows.Step) -> Any:
            return await connection.run_sync(_operate, step)

        return await acarry_out(work, on_rows, self._shop, connection)


def _operate(connection: sa.Connection, step: flows.Step) -> Any:
    return operate(SqlRows(connection), step)


def _require_open(*, open_: bool) -> None:
    if not open_:
        raise RuntimeError("a method of Orders committed or rolled back; the store does that")


def _isolation(engine: sa.Engine) -> Any:
    level = _ISOLATION.get(engine.dialect.name)
    if level is None:
        raise ConfigurationError(
            f"engine: got {engine.dialect.name}, expected postgresql or sqlite"
        )
    return level


def _own(engine: sa.Engine, level: Any) -> sa.Engine:
    """Make an engine of the store's own, on the merchant's pool; the merchant's is as it was."""
    own = engine.execution_options(isolation_level=level)
    # Accounts may be phones: they stay out of the texts of errors, and so out of the log.
    own.hide_parameters = True
    return own


def _single(engine: sa.Engine) -> frozenset[flows.Scope]:
    """Return the scopes whose statements stand alone, so that nobody says where they begin and end.

    Each sees what is committed when it starts, as in READ COMMITTED. SQLite is asked in no time:
    there one transaction is simpler.
    """
    alone = engine.dialect.name == "postgresql"
    return frozenset[flows.Scope](("read", "insert") if alone else ())


def _is_shared(engine: sa.Engine) -> bool:
    """Return whether all share one connection, as in SQLite's memory: then flows take turns."""
    return isinstance(engine.pool, StaticPool)


def _expect(given: object, expected: type, name: str) -> None:
    if not isinstance(given, expected):
        raise ConfigurationError(
            f"{name}: got {type(given).__name__}, expected {expected.__name__}"
        )
