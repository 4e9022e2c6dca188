"""The contract of `payme.merchant.orders`, with the connection of the store's database."""

from abc import ABC, abstractmethod
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from payme.merchant.entities import Order, Transaction
from payme.merchant.orders import does_nothing


class Orders(ABC):
    """The merchant's orders, blocking.

    Every method gets the connection of the running database transaction. Work on that connection
    alone, and neither commit nor roll back: the store does, once, after the last method returned.
    Whatever is raised takes everything back, and Payme repeats the request later. What can't be
    taken back, such as an e-mail, is best written down here and sent afterwards.

    Example:
        >>> class ShopOrders(Orders):
        ...     def find(self, connection, account):
        ...         row = connection.execute(order_by_id(account.get("order_id"))).first()
        ...         return None if row is None else Order(id=str(row.id), amount=row.amount)
    """

    @abstractmethod
    def find(self, connection: sa.Connection, account: dict[str, Any]) -> Order | None:
        """Find the order that an account names; asked again once the order is locked.

        With a third parameter `method` it is told which request asks, as in
        `def find(self, connection, account, method: Method = "CheckPerformTransaction")`.

        Args:
            connection: Of the running database transaction.
            account: As Payme sent it.

        Returns:
            The order in its present state, or None if there is none.

        Raises:
            AccountError: The account can't be paid; the payer sees why.
        """

    @abstractmethod
    def paid(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Hand the goods over: mark the order as paid. Called exactly once for a payment.

        Args:
            connection: Of the running database transaction.
            transaction: As it is stored, performed.

        Raises:
            Refuse: The goods can't be handed over; Payme gets -31008 and gives the money back.
        """

    @abstractmethod
    def cancelled(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Take a paid order back: the money went back. Called at most once, after `paid`.

        Args:
            connection: Of the running database transaction.
            transaction: As it is stored, refunded.

        Raises:
            Refuse: The goods can't be taken back; Payme gets -31007, and the order stays paid.
        """

    @does_nothing  # noqa: B027
    def created(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Reserve the goods: an attempt to pay is being stored, and no card is debited yet.

        Called once for each attempt. With this method a free order is taken under its lock, in
        a few more statements. A reservation ends in `paid` or in `released`.

        Args:
            connection: Of the running database transaction.
            transaction: As it is stored, created.

        Raises:
            Refuse: The goods are gone; Payme gets -31008, and nothing is stored.
        """

    # Optional: most orders stay as they are when an attempt to pay them fails.
    @does_nothing  # noqa: B027
    def released(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Learn that an attempt failed or timed out: nothing was paid or handed over.

        Args:
            connection: Of the running database transaction.
            transaction: As it is stored, cancelled.
        """


class AsyncOrders(ABC):
    """The merchant's orders under asyncio; methods as for `Orders`."""

    @abstractmethod
    async def find(self, connection: AsyncConnection, account: dict[str, Any]) -> Order | None:
        """Find the order that an account names; see `Orders.find`."""

    @abstractmethod
    async def paid(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Hand the goods over; see `Orders.paid`."""

    @abstractmethod
    async def cancelled(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Take a paid order back; see `Orders.cancelled`."""

    @does_nothing  # noqa: B027
    async def created(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Reserve the goods; see `Orders.created`."""

    @does_nothing  # noqa: B027
    async def released(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Learn that an attempt failed or timed out; see `Orders.released`."""
