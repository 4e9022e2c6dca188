"""The two stores: one database transaction for each flow."""

import asyncio
import inspect
import logging
import threading
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import StaticPool

from payme.errors import ConfigurationError
from payme.flow import arun, run
from payme.merchant import core, flows
from payme.merchant.stores.sqlalchemy import schema
from payme.merchant.stores.sqlalchemy.orders import AsyncOrders, Orders
from payme.merchant.stores.sqlalchemy.plan import (
    Begin,
    Effect,
    Execute,
    Find,
    Insert,
    Notify,
    OrderTakenError,
    Plan,
    Stream,
)

T = TypeVar("T")

_LOG = logging.getLogger("payme.merchant")

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
        ConfigurationError: The database is neither, or `orders` is no `Orders`.

    Example:
        >>> store = SqlAlchemyStore(create_engine("postgresql+psycopg://…"), ShopOrders())
        >>> store.create_all()
        >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(self, engine: sa.Engine, orders: Orders) -> None:
        _expect(engine, sa.Engine, "engine")
        _expect(orders, Orders, "orders")
        self._engine = engine.execution_options(isolation_level=_isolation(engine))
        _hide_parameters(self._engine)
        self._orders = orders
        self._alone: AbstractContextManager[Any] = (
            threading.Lock() if _is_shared(engine) else nullcontext()
        )

    def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        schema.metadata.create_all(self._engine)

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the steps of a flow in one database transaction; see `Store.run`."""
        try:
            with self._alone, self._engine.connect() as connection:
                return self._drive(connection, flow)
        except OrderTakenError:
            return cast("T", _refused())

    def _drive(self, connection: sa.Connection, flow: flows.Flow[T]) -> T:
        plan, perform = Plan(connection.dialect.name), partial(self._perform, connection)
        with connection.begin() as transaction:
            value = run(flow, lambda step: run(plan.effects_of(step), perform))
            _require_open(open_=transaction.is_active)
        return value

    def _perform(self, connection: sa.Connection, effect: Effect) -> Any:
        match effect:
            case Find(account):
                return _value(self._orders.find(connection, account))
            case Notify(event, transaction):
                hook = getattr(self._orders, event)
                _value(hook(connection, transaction))
                return not _is_inherited(hook)
            case _:
                return _perform_sql(connection, effect)


class AsyncSqlAlchemyStore:
    """Keeps transactions in PostgreSQL or SQLite, under asyncio; see `SqlAlchemyStore`.

    Args:
        engine: The merchant's own engine.
        orders: The merchant's orders.

    Raises:
        ConfigurationError: The database is neither, or `orders` is no `AsyncOrders`.

    Example:
        >>> store = AsyncSqlAlchemyStore(create_async_engine("postgresql+psycopg://…"), Shop())
        >>> await store.create_all()
        >>> merchant = AsyncMerchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(self, engine: AsyncEngine, orders: AsyncOrders) -> None:
        _expect(engine, AsyncEngine, "engine")
        _expect(orders, AsyncOrders, "orders")
        self._engine = engine.execution_options(isolation_level=_isolation(engine.sync_engine))
        _hide_parameters(self._engine.sync_engine)
        self._orders = orders
        self._alone: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if _is_shared(engine.sync_engine) else nullcontext()
        )

    async def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        async with self._engine.begin() as connection:
            await connection.run_sync(schema.metadata.create_all)

    async def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the steps of a flow in one database transaction; see `Store.run`."""
        try:
            async with self._alone, self._engine.connect() as connection:
                return await self._drive(connection, flow)
        except OrderTakenError:
            return cast("T", _refused())

    async def _drive(self, connection: AsyncConnection, flow: flows.Flow[T]) -> T:
        plan, perform = Plan(connection.dialect.name), partial(self._perform, connection)
        async with connection.begin() as transaction:
            value = await arun(flow, lambda step: arun(plan.effects_of(step), perform))
            _require_open(open_=transaction.is_active)
        return value

    async def _perform(self, connection: AsyncConnection, effect: Effect) -> Any:
        match effect:
            case Find(account):
                return await self._orders.find(connection, account)
            case Notify(event, transaction):
                hook = getattr(self._orders, event)
                await hook(connection, transaction)
                return not _is_inherited(hook)
            case _:
                return await connection.run_sync(_perform_sql, effect)


def _perform_sql(connection: sa.Connection, effect: Effect) -> Any:
    match effect:
        case Begin(writes):
            return _begin(connection) if writes else None
        case Insert(parameters):
            return _insert(connection, parameters)
        case Execute(statement, parameters):
            return connection.execute(statement, parameters)
        case Stream(statement, parameters, read):
            # Under asyncio in a greenlet of SQLAlchemy's, where each row may be waited for.
            with connection.execute(statement, parameters) as rows:
                return read(map(schema.read, rows.mappings()))
        case _:
            raise TypeError(f"a {type(effect).__name__} is no statement")


def _begin(connection: sa.Connection) -> None:
    """Become SQLite's one writer before anything is read; PostgreSQL has the order's lock.

    sqlite3 would begin with the first write, after the reads that it rests upon.
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        # The engine begins by an event or has autocommit=False; a first write makes it a writer.
        connection.execute(schema.TOUCH)
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _insert(connection: sa.Connection, parameters: dict[str, Any]) -> None:
    try:
        connection.execute(schema.INSERT, parameters)
    except IntegrityError as error:
        raise OrderTakenError from error


def _refused() -> core.Refusal:
    """Answer what Payme expects of a second attempt. Only flows with an `Answer` insert."""
    _LOG.warning("the unique index refused a transaction that the order's lock should have")
    return core.CANNOT_PERFORM


def _value(given: T) -> T:
    """Refuse a coroutine: nobody would run it, and the goods would never be handed over."""
    if inspect.iscoroutine(given):
        given.close()
        raise TypeError("Orders is blocking: a method is a coroutine; AsyncOrders takes those")
    return given


def _is_inherited(hook: object) -> bool:
    """Return whether the merchant left `released` as it is: then there is nothing to confirm."""
    return getattr(hook, "__func__", None) in (Orders.released, AsyncOrders.released)


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


def _hide_parameters(own: sa.Engine) -> None:
    """Keep accounts, which may be phones, out of the texts of errors, and so out of the log.

    The engine is the store's own, on the merchant's pool; the merchant's is as it was.
    """
    own.hide_parameters = True


def _is_shared(engine: sa.Engine) -> bool:
    """Return whether all share one connection, as in SQLite's memory: then flows take turns."""
    return isinstance(engine.pool, StaticPool)


def _expect(given: object, expected: type, name: str) -> None:
    if not isinstance(given, expected):
        raise ConfigurationError(
            f"{name}: got {type(given).__name__}, expected {expected.__name__}"
        )
