"""The contract of `orders`, with a session of SQLAlchemy's ORM instead of a connection.

A session is made for each call, on the connection and in the transaction of the store. What the
hook left in it is flushed before the store asks whether all is well.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Query, Session

from payme.merchant.entities import Event, Method, Order, Transaction
from payme.merchant.orders import OPTIONAL, Shop, does_nothing
from payme.merchant.stores.sqlalchemy.orders import AsyncOrders, Orders

# `commit` of such a session only flushes; `rollback` ends the store's transaction, which it sees.
_JOINED: Final[Any] = {"join_transaction_mode": "rollback_only", "expire_on_commit": False}


class SessionOrders(ABC):
    """The merchant's orders, blocking, on the ORM; see `Orders`.

    Every method gets a `Session` in the running database transaction. Neither commit nor roll back:
    the store does, once, after the last method returned. What `find` changes is not kept.

    Attributes:
        registry: A `scoped_session` that gives the same session while a method runs, such as
            `db.session` of Flask-SQLAlchemy: then `Order.query` and functions that use `db.session`
            work in the transaction of the payment. None if nobody else needs the session.

    Example:
        >>> class ShopOrders(SessionOrders):
        ...     registry = db.session  # with Flask-SQLAlchemy
        ...
        ...     def find(self, session, account):
        ...         row = session.get(models.Order, str(account.get("order_id")))
        ...         return row and Order(id=row.number, amount=row.amount, state=row.state)
        ...
        ...     def paid(self, session, transaction):
        ...         session.get(models.Order, transaction.order_id).state = "paid"
        ...
        ...     def cancelled(self, session, transaction):
        ...         session.get(models.Order, transaction.order_id).state = "closed"
    """

    registry: ClassVar[Any] = None

    @abstractmethod
    def find(self, session: Session, account: dict[str, Any]) -> Order | None:
        """Find the order that an account names; see `Orders.find`.

        Args:
            session: In the running database transaction.
            account: As Payme sent it.

        Returns:
            The order in its present state, or None if there is none.

        Raises:
            AccountError: The account can't be paid; the payer sees why.
        """

    @abstractmethod
    def paid(self, session: Session, transaction: Transaction) -> None:
        """Hand the goods over: mark the order as paid; see `Orders.paid`."""

    @abstractmethod
    def cancelled(self, session: Session, transaction: Transaction) -> None:
        """Take a paid order back: the money went back; see `Orders.cancelled`."""

    @does_nothing  # noqa: B027
    def created(self, session: Session, transaction: Transaction) -> None:
        """Reserve the goods; see `Orders.created`."""

    @does_nothing  # noqa: B027
    def released(self, session: Session, transaction: Transaction) -> None:
        """Learn that an attempt failed or timed out; see `Orders.released`."""


class AsyncSessionOrders(ABC):
    """The merchant's orders under asyncio, on the ORM; see `SessionOrders`.

    Every method gets an `AsyncSession`. `registry` is an `async_scoped_session`, or None.
    """

    registry: ClassVar[Any] = None

    @abstractmethod
    async def find(self, session: AsyncSession, account: dict[str, Any]) -> Order | None:
        """Find the order that an account names; see `Orders.find`."""

    @abstractmethod
    async def paid(self, session: AsyncSession, transaction: Transaction) -> None:
        """Hand the goods over; see `Orders.paid`."""

    @abstractmethod
    async def cancelled(self, session: AsyncSession, transaction: Transaction) -> None:
        """Take a paid order back; see `Orders.cancelled`."""

    @does_nothing  # noqa: B027
    async def created(self, session: AsyncSession, transaction: Transaction) -> None:
        """Reserve the goods; see `Orders.created`."""

    @does_nothing  # noqa: B027
    async def released(self, session: AsyncSession, transaction: Transaction) -> None:
        """Learn that an attempt failed or timed out; see `Orders.released`."""


def on_connections(orders: object) -> object:
    """Make `Orders` of `SessionOrders`; anything else is returned as it is."""
    if isinstance(orders, SessionOrders):
        return _OnConnections(orders)
    if isinstance(orders, AsyncSessionOrders):
        return _AsyncOnConnections(orders)
    return orders


@contextmanager
def _registered(registry: Any, session: Session | AsyncSession) -> Generator[None]:
    """Let a `scoped_session` give this session."""
    if registry is None:
        yield
        return
    own = registry.registry
    before = own() if own.has() else None
    own.set(session)
    try:
        yield
    finally:
        own.clear() if before is None else own.set(before)


def _without_missing_hooks(wrapper: object, orders: object) -> None:
    """Have no hook where the merchant has none: then nothing is called or read back."""
    for event in OPTIONAL:
        if getattr(getattr(orders, event), "does_nothing", False):
            setattr(wrapper, event, getattr(orders, event))


class _OnConnections(Orders):
    def __init__(self, orders: SessionOrders) -> None:
        self._orders = orders
        self._shop = Shop(orders, "session")
        _without_missing_hooks(self, orders)

    def find(
        self,
        connection: sa.Connection,
        account: dict[str, Any],
        method: Method = "CheckPerformTransaction",
    ) -> Order | None:
        with self._session(connection, autoflush=False) as session:
            found: Order | None = self._shop.find(session, account, method=method)
            return found

    def paid(self, connection: sa.Connection, transaction: Transaction) -> None:
        return self._notify("paid", connection, transaction)

    def cancelled(self, connection: sa.Connection, transaction: Transaction) -> None:
        return self._notify("cancelled", connection, transaction)

    def created(self, connection: sa.Connection, transaction: Transaction) -> None:
        return self._notify("created", connection, transaction)

    def released(self, connection: sa.Connection, transaction: Transaction) -> None:
        return self._notify("released", connection, transaction)

    def _notify(self, event: Event, connection: sa.Connection, transaction: Transaction) -> None:
        with self._session(connection) as session:
            # A coroutine goes up, and is refused as that of any hook.
            returned: None = getattr(self._orders, event)(session, transaction)
            session.flush()
            return returned

    @contextmanager
    def _session(self, connection: sa.Connection, **options: Any) -> Generator[Session]:
        factory = getattr(self._orders.registry, "session_factory", None)
        query = getattr(factory, "kw", {}).get("query_cls", Query)
        with (
            Session(connection, query_cls=query, **_JOINED, **options) as session,
            _registered(self._orders.registry, session),
        ):
            yield session


class _AsyncOnConnections(AsyncOrders):
    def __init__(self, orders: AsyncSessionOrders) -> None:
        self._orders = orders
        self._shop = Shop(orders, "session")
        _without_missing_hooks(self, orders)

    async def find(
        self,
        connection: AsyncConnection,
        account: dict[str, Any],
        method: Method = "CheckPerformTransaction",
    ) -> Order | None:
        async with self._session(connection, autoflush=False) as session:
            found: Order | None = await self._shop.find(session, account, method=method)
            return found

    async def paid(self, connection: AsyncConnection, transaction: Transaction) -> None:
        await self._notify("paid", connection, transaction)

    async def cancelled(self, connection: AsyncConnection, transaction: Transaction) -> None:
        await self._notify("cancelled", connection, transaction)

    async def created(self, connection: AsyncConnection, transaction: Transaction) -> None:
        await self._notify("created", connection, transaction)

    async def released(self, connection: AsyncConnection, transaction: Transaction) -> None:
        await self._notify("released", connection, transaction)

    async def _notify(
        self, event: Event, connection: AsyncConnection, transaction: Transaction
    ) -> None:
        async with self._session(connection) as session:
            await getattr(self._orders, event)(session, transaction)
            await session.flush()

    @asynccontextmanager
    async def _session(
        self, connection: AsyncConnection, **options: Any
    ) -> AsyncGenerator[AsyncSession]:
        async with AsyncSession(connection, **_JOINED, **options) as session:
            with _registered(self._orders.registry, session):
                yield session
