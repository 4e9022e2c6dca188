"""The orders of the two shops on SQLAlchemy: a table, and how an order is named and moved on."""

import sqlalchemy as sa

from payme.merchant.core import Transaction

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
