"""The two stores: a connection for each piece of work, in a transaction where it may write."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool, StaticPool

from payme.errors import ConfigurationError
from payme.flow import arun, run
from payme.merchant import flows
from payme.merchant.entities import Transaction, box_name
from payme.merchant.limits import (
    AsyncTurns,
    Deadline,
    Limits,
    Turns,
    checked,
)
from payme.merchant.orders import Shop
from payme.merchant.stores.rows import adopting, carry_out
from payme.merchant.stores.sqlalchemy import schema
from payme.merchant.stores.sqlalchemy.limiting import limit, set_back
from payme.merchant.stores.sqlalchemy.orders import AsyncOrders, Orders
from payme.merchant.stores.sqlalchemy.rows import LIMITS, SqlRows, begin_as_writer
from payme.merchant.stores.sqlalchemy.sessions import (
    AsyncSessionOrders,
    SessionOrders,
    on_connections,
)
from payme.merchant.stores.sqlalchemy.upgrade import create_all
from payme.merchant.stores.watch import cancelling

T = TypeVar("T")

_ISOLATION: Final = {
    "postgresql": "READ COMMITTED",
    "mysql": "READ COMMITTED",
    "mariadb": "READ COMMITTED",
    "sqlite": "SERIALIZABLE",
}
"""Set for each flow, since the engine may have another level, or none (AUTOCOMMIT)."""


class SqlAlchemyStore:
    """Keeps transactions in PostgreSQL, MariaDB, MySQL or SQLite, blocking.

    Any number of threads and processes may share the database. Each flow takes one connection from
    the engine's pool and gives it back; when the pool or the database is out of reach, Payme gets
    -32400 and repeats later.

    Args:
        engine: The merchant's own engine.
        orders: The merchant's orders, on connections or on sessions of the ORM.
        limits: How long a request may take, and how much of the pool all of them.

    Raises:
        ConfigurationError: The database is another one, `orders` is no `Orders`, or its `find`
            takes other arguments.
        InvalidArgument: `limits` is no `Limits`.

    Example:
        >>> store = SqlAlchemyStore(create_engine("postgresql+psycopg://…"), ShopOrders())
        >>> store.create_all()
        >>> merchant = Merchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(
        self, engine: sa.Engine, orders: Orders | SessionOrders, *, limits: Limits | None = None
    ) -> None:
        _expect(engine, sa.Engine, "engine")
        called = on_connections(orders)
        _expect(called, Orders, "orders")
        self._limits = checked(limits)
        self._engine = _own(engine, _isolation(engine), self._limits)
        self._single = _single(engine)
        self._autocommit = _own(engine, "AUTOCOMMIT", self._limits)
        self._shop = Shop(called, "connection")
        self._turns = Turns(_at_once(engine, self._limits))

    def create_all(self) -> None:
        """Create the tables unless they exist, and bring an older one up to date.

        With Alembic, write a migration instead; see `payme.merchant.stores.sqlalchemy.upgrade`.
        """
        with self._turns.taken(Deadline(self._limits)), self._engine.begin() as connection:
            create_all(connection)

    def adopt(self, box: str) -> int:
        """Give a cash-box the transactions that were kept before cash-boxes had names.

        A shop that goes from one cash-box to several does this once, before it serves the first
        request with their names: a paid order is known by its transaction, and only in its
        cash-box. What is named already stays as it is.

        Args:
            box: Id of the cash-box (merchant id) that they came by.

        Returns:
            How many they were.

        Raises:
            ConfigurationError: `box` can't be the name of a cash-box, or it has a transaction of
                the same id or for the same order; nothing is changed then.
        """
        values = {"its_box": box_name(box)}
        turn = self._turns.taken(Deadline(self._limits))
        with turn, adopting(box, IntegrityError), self._engine.begin() as connection:
            return connection.execute(schema.ADOPT, values).rowcount

    def transactions_of(self, order_id: str, box: str | None = None) -> list[Transaction]:
        """Read every transaction of an order.

        Args:
            order_id: Id of the order, as `find` names it.
            box: The cash-box whose transactions are read; None for all.

        Returns:
            The transactions in every state by Payme's time, the oldest first.

        Raises:
            InvalidArgument: `order_id` is no text of 1 to 255 characters.
            ConfigurationError: `box` can't be the name of a cash-box.

        Example:
            >>> paid = [one for one in store.transactions_of("7") if one.state == 2]
        """
        return self.run(flows.of_order(order_id, box))

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        deadline = Deadline(self._limits)
        return run(flow, lambda work: self._work(work, deadline))

    def _work(self, work: flows.Work, deadline: Deadline) -> Any:
        engine = self._autocommit if work.scope in self._single else self._engine
        with self._turns.taken(deadline), engine.connect() as connection:
            return _in_scope(
                work, connection, self._limits, partial(self._carry_out, work, connection, deadline)
            )

    def _carry_out(self, work: flows.Work, connection: sa.Connection, deadline: Deadline) -> Any:
        driver = connection.connection.driver_connection
        with cancelling(driver, deadline, connection.invalidate):
            rows = SqlRows(connection, work.box)
            return carry_out(work, rows, self._shop, connection, deadline=deadline)


class AsyncSqlAlchemyStore:
    """Keeps transactions in a database, under asyncio; see `SqlAlchemyStore`.

    Args:
        engine: The merchant's own engine.
        orders: The merchant's orders, on connections or on sessions of the ORM.
        limits: How long a request may take, and how much of the pool all of them.

    Raises:
        ConfigurationError: The database is another one, `orders` is no `AsyncOrders`, or its `find`
            takes other arguments.
        InvalidArgument: `limits` is no `Limits`.

    Example:
        >>> store = AsyncSqlAlchemyStore(create_async_engine("postgresql+psycopg://…"), Shop())
        >>> await store.create_all()
        >>> merchant = AsyncMerchant(store, keys=os.environ["PAYME_KEY"])
    """

    def __init__(
        self,
        engine: AsyncEngine,
        orders: AsyncOrders | AsyncSessionOrders,
        *,
        limits: Limits | None = None,
    ) -> None:
        _expect(engine, AsyncEngine, "engine")
        called = on_connections(orders)
        _expect(called, AsyncOrders, "orders")
        self._limits = checked(limits)
        blocking = engine.sync_engine
        self._engine = AsyncEngine(_own(blocking, _isolation(blocking), self._limits))
        self._single = _single(blocking)
        self._autocommit = AsyncEngine(_own(blocking, "AUTOCOMMIT", self._limits))
        self._shop = Shop(called, "connection")
        self._turns = AsyncTurns(_at_once(blocking, self._limits))

    async def create_all(self) -> None:
        """Create the tables unless they exist; see `SqlAlchemyStore.create_all`."""
        turn = self._turns.taken(Deadline(self._limits))
        async with turn, self._engine.begin() as connection:
            await connection.run_sync(create_all)

    async def adopt(self, box: str) -> int:
        """Give a cash-box the transactions without a name; see `SqlAlchemyStore.adopt`."""
        values = {"its_box": box_name(box)}
        async with self._turns.taken(Deadline(self._limits)):
            with adopting(box, IntegrityError):
                async with self._engine.begin() as connection:
                    return (await connection.execute(schema.ADOPT, values)).rowcount

    async def transactions_of(self, order_id: str, box: str | None = None) -> list[Transaction]:
        """Read every transaction of an order; see `SqlAlchemyStore.transactions_of`."""
        return await self.run(flows.of_order(order_id, box))

    async def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        deadline = Deadline(self._limits)

        async def perform(work: flows.Work) -> Any:
            return await self._work(work, deadline)

        return await arun(flow, perform)

    async def _work(self, work: flows.Work, deadline: Deadline) -> Any:
        engine = self._autocommit if work.scope in self._single else self._engine
        async with self._turns.taken(deadline):
            connection = engine.connect()
            try:
                async with deadline.interrupting() as disarm:
                    await connection.start()
                    return await connection.run_sync(
                        self._in_greenlet, work, connection, deadline, disarm
                    )
            finally:
                if connection.sync_connection is not None:
                    # Shielded: a connection that is not given back is gone from the shop's pool.
                    await asyncio.shield(connection.close())

    def _in_greenlet(
        self,
        blocking: sa.Connection,
        work: flows.Work,
        connection: AsyncConnection,
        deadline: Deadline,
        disarm: Callable[[], None],
    ) -> Any:
        """Do the work in one greenlet of SQLAlchemy's, each of which takes its time to begin."""
        adapted: Any = blocking.connection.dbapi_connection

        def wait(awaitable: Awaitable[Any]) -> Any:
            def given(_: object) -> Awaitable[Any]:
                return awaitable

            return adapted.run_async(given)

        def carried_out() -> Any:
            rows = SqlRows(blocking, work.box)
            value = carry_out(work, rows, self._shop, connection, deadline=deadline, wait=wait)
            # Before COMMIT, which has to come to an end: nobody would know which.
            disarm()
            return value

        return _in_scope(work, blocking, self._limits, carried_out)


def _in_scope(
    work: flows.Work, connection: sa.Connection, limits: Limits, carried_out: Callable[[], Any]
) -> Any:
    """Open the scope of a piece of work on a connection, and carry it out there.

    A connection that commits by itself is one whose statements stand alone.
    """
    before = limit(connection, limits)
    try:
        if connection.get_execution_options()["isolation_level"] == "AUTOCOMMIT":
            return carried_out()
        with connection.begin() as transaction:
            if work.scope in ("insert", "transaction"):
                begin_as_writer(connection)
            value = carried_out()
            _require_open(open_=transaction.is_active)
        return value
    finally:
        set_back(connection, before)


def _require_open(*, open_: bool) -> None:
    if not open_:
        raise RuntimeError("a method of Orders committed or rolled back; the store does that")


def _isolation(engine: sa.Engine) -> Any:
    level = _ISOLATION.get(engine.dialect.name)
    if level is None:
        raise ConfigurationError(
            f"engine: got {engine.dialect.name}, expected postgresql, mysql, mariadb or sqlite"
        )
    return level


def _own(engine: sa.Engine, level: Any, limits: Limits) -> sa.Engine:
    """Make an engine of the store's own, on the merchant's pool; the merchant's is as it was."""
    own = engine.execution_options(isolation_level=level, **{LIMITS: limits})
    # Accounts may be phones: they stay out of the texts of errors, and so out of the log.
    own.hide_parameters = True
    return own


def _single(engine: sa.Engine) -> frozenset[flows.Scope]:
    """Return the scopes whose statements stand alone, so that nobody says where they begin and end.

    Each sees what is committed when it starts, as in READ COMMITTED. SQLite is asked in no time:
    there one transaction is simpler.
    """
    return frozenset[flows.Scope](() if engine.dialect.name == "sqlite" else ("read", "insert"))


def _at_once(engine: sa.Engine, limits: Limits) -> int | None:
    """Return how many requests work at a time: half of the pool is left to the shop's own pages.

    All share one connection where SQLite is in memory: there flows take turns.
    """
    pool = engine.pool
    if isinstance(pool, StaticPool):
        return 1
    if limits.at_once is not None or not isinstance(pool, QueuePool):
        return limits.at_once
    # A pool tells its size, and not what it makes beyond that.
    beyond: int = getattr(pool, "_max_overflow", 0)
    without_end = beyond < 0 or pool.size() == 0
    return None if without_end else max(1, (pool.size() + beyond) // 2)


def _expect(given: object, expected: type, name: str) -> None:
    if not isinstance(given, expected):
        raise ConfigurationError(
            f"{name}: got {type(given).__name__}, expected {expected.__name__}"
        )
