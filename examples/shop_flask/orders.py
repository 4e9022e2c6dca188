"""The few things Payme needs to know about the shop's orders."""

from typing import Any

import sqlalchemy as sa

from examples.tables import change, number, orders
from payme.merchant import Order, Transaction
from payme.merchant.stores.sqlalchemy import Orders


class ShopOrders(Orders):
    """What Payme may ask about an order, and what it may change."""

    def find(self, connection: sa.Connection, account: dict[str, Any]) -> Order | None:
        """Find the order that `order_id` names."""
        wanted = sa.select(orders).where(orders.c.id == number(account.get("order_id")))
        row = connection.execute(wanted).one_or_none()
        return row and Order(id=str(row.id), amount=row.amount, state=row.state)

    def paid(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Hand the goods over."""
        paid = change(transaction, "waiting", "paid", orders.c.paid_events)
        if connection.execute(paid).rowcount != 1:
            # Closed since `find` was asked. Nothing is stored, and Payme asks again.
            raise RuntimeError(f"order {transaction.order_id} does not wait any more")

    def cancelled(self, connection: sa.Connection, transaction: Transaction) -> None:
        """Take the goods back: the order is closed."""
        connection.execute(change(transaction, "paid", "closed", orders.c.cancelled_events))
