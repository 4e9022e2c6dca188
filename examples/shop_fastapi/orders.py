"""The shop's orders: a table, and the few things Payme needs to know about it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from payme.merchant.core import Order, Transaction
from payme.merchant.stores.sqlalchemy import AsyncOrders

metadata = sa.MetaData()

orders = sa.Table(
    "shop_order",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, server_default="waiting"),
    # A real shop sends an e-mail or a parcel here; this one counts, so that a test can look.
    sa.Column("paid_events", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancelled_events", sa.Integer, nullable=False, server_default="0"),
)


def number(text: object) -> int | None:
    """Read an order's number as Payme sends it: a string or an integer, or not a number at all."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def change(transaction: Transaction, before: str, after: str, counter: sa.Column[int]) -> sa.Update:
    """Make the statement that moves an order on, if it is still where it is thought to be."""
    order = sa.update(orders).where(
        orders.c.id == int(transaction.order_id), orders.c.state == before
    )
    return order.values({orders.c.state: after, counter: counter + 1})


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
