"""Stores on SQLAlchemy 2 Core, blocking and asyncio: `pip install "payme-uz[sqlalchemy]"`.

Proved on PostgreSQL, MariaDB and SQLite. The merchant subclasses `Orders` (or `AsyncOrders`): how
an order is found, and what to do when it is paid or taken back. All of it happens on one
connection, in one database transaction and under the order's lock, so the goods and the payment are
stored together or not at all.

`metadata` holds the tables: `payme_transaction`, and `payme_order_lock`, which only MariaDB and
MySQL use. Give it to Alembic next to your own
(`target_metadata = [Base.metadata, payme.merchant.stores.sqlalchemy.metadata]`), or call
`create_all()` of a store. `upgrade` brings a table of an earlier version up to date.

Example:
    >>> class ShopOrders(Orders):
    ...     def find(self, connection, account):
    ...         asked = orders.c.number == str(account.get("order_id"))
    ...         row = connection.execute(select(orders).where(asked)).first()
    ...         return row and Order(id=row.number, amount=row.amount, state=row.state)
    ...
    ...     def paid(self, connection, transaction):
    ...         paid = orders.c.number == transaction.order_id
    ...         connection.execute(update(orders).where(paid).values(state="paid"))
    ...
    ...     def cancelled(self, connection, transaction):
    ...         refunded = orders.c.number == transaction.order_id
    ...         connection.execute(update(orders).where(refunded).values(state="closed"))
    >>> merchant = Merchant(SqlAlchemyStore(engine, ShopOrders()), keys=os.environ["PAYME_KEY"])
"""

try:
    import sqlalchemy as _sqlalchemy
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'payme.merchant.stores.sqlalchemy needs SQLAlchemy: pip install "payme-uz[sqlalchemy]"',
        name=error.name,
    ) from error

from payme.merchant.stores.sqlalchemy.orders import AsyncOrders, Orders
from payme.merchant.stores.sqlalchemy.outbox import AsyncSqlAlchemyOutbox, SqlAlchemyOutbox
from payme.merchant.stores.sqlalchemy.schema import metadata, transactions
from payme.merchant.stores.sqlalchemy.sessions import AsyncSessionOrders, SessionOrders
from payme.merchant.stores.sqlalchemy.store import AsyncSqlAlchemyStore, SqlAlchemyStore
from payme.merchant.stores.sqlalchemy.upgrade import upgrade

del _sqlalchemy

__all__ = [
    "AsyncOrders",
    "AsyncSessionOrders",
    "AsyncSqlAlchemyOutbox",
    "AsyncSqlAlchemyStore",
    "Orders",
    "SessionOrders",
    "SqlAlchemyOutbox",
    "SqlAlchemyStore",
    "metadata",
    "transactions",
    "upgrade",
]
