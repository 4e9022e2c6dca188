"""The few things Payme needs to know about the shop's orders."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.tables import change, number, orders
from payme.merchant import Order, Transaction
from payme.merchant.stores.sqlalchemy import AsyncOrders


class ShopOrders(AsyncOrders):
    """What Payme may ask about an order, and what it may change."""

    async def find(self, connection: AsyncConnection, account: dict[str, Any]) -> Order | None:
        """Find the order that `order_id` names."""
        found = await connection.execute(
            sa.select(orders).where(orders.c.id == number(account.get("order_id")))
        )
        row = found.one_or_none()
        return row and Order(id=str(row.id), amount=row.amount, state=row.state)

    async def paid(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Hand the goods over."""
        paid = change(transaction, "waiting", "paid", orders.c.paid_events)
        if (await connection.execute(paid)).rowcount != 1:
            # Closed since `find` was asked. Nothing is stored, and Payme asks again.
            raise RuntimeError(f"order {transaction.order_id} does not wait any more")

    async def cancelled(self, connection: AsyncConnection, transaction: Transaction) -> None:
        """Take the goods back: the order is closed."""
        await connection.execute(change(transaction, "paid", "closed", orders.c.cancelled_events))
