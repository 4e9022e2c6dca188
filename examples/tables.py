"""The tables of the two shops on SQLAlchemy, and what both do with them."""

import sqlalchemy as sa

from examples.saved_cards import CUSTOMER, Card, SavedCards, order_id
from payme.charges import Charge, ChargeState
from payme.merchant import Transaction

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

saved_cards = sa.Table(
    "shop_saved_card",
    metadata,
    sa.Column("customer", sa.String(64), primary_key=True),
    sa.Column("number", sa.String(32), nullable=False),  # masked
    sa.Column("token", sa.LargeBinary, nullable=False),  # encrypted
)


def number(text: object) -> int | None:
    """Read an order's number as Payme sends it: a string or an integer, or not a number at all."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def change(transaction: Transaction, before: str, after: str, counter: sa.Column[int]) -> sa.Update:
    """Make the statement that moves an order on, if it is still where it is thought to be."""
    return _move(int(transaction.order_id), before, after, counter)


def waits(number: int | None) -> sa.Update:
    """Make the statement that gives a waiting order and keeps it from changing until the commit."""
    order = sa.update(orders).where(orders.c.id == number, orders.c.state == "waiting")
    return order.values(state=orders.c.state).returning(orders.c.id, orders.c.amount)


def changed(connection: sa.Connection, charge: Charge) -> None:
    """Note at the order what its charge has proven, in the transaction that stores the proof.

    Payme tells this shop of one payment twice: by PerformTransaction, as of any payment of an
    order, and by the answer of `receipts.pay`. Whoever comes first moves the order on, the other
    finds it moved, and the goods go out once. It is the same payment: Payme asks CreateTransaction
    before it debits a card, and while one transaction holds an order, or was performed for it,
    another is refused.
    """
    if charge.is_paid:
        connection.execute(_move(order_id(charge), "waiting", "paid", orders.c.paid_events))
    elif charge.state is ChargeState.REFUNDED:
        connection.execute(_move(order_id(charge), "paid", "closed", orders.c.cancelled_events))


def _move(its_id: int, before: str, after: str, counter: sa.Column[int]) -> sa.Update:
    order = sa.update(orders).where(orders.c.id == its_id, orders.c.state == before)
    return order.values({orders.c.state: after, counter: counter + 1})


def save_card(connection: sa.Connection, cards: SavedCards) -> None:
    """Save the card of the demo's customer, in place of the one before."""
    if cards.card is not None:
        connection.execute(sa.delete(saved_cards).where(saved_cards.c.customer == CUSTOMER))
        row = {"number": cards.card.number, "token": cards.seal(cards.card)}
        connection.execute(sa.insert(saved_cards), {"customer": CUSTOMER, **row})


def find_card(connection: sa.Connection, cards: SavedCards) -> Card | None:
    """Find the card of the demo's customer."""
    which = sa.select(saved_cards).where(saved_cards.c.customer == CUSTOMER)
    row = connection.execute(which).one_or_none()
    return row and cards.open(row.token, row.number)
