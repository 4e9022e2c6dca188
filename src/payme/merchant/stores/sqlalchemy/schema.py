"""The table, and what is read from it and written to it."""

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from payme.merchant.entities import Receiver, Transaction, TransactionState
from payme.merchant.limits import Limits, ms

metadata: Final = sa.MetaData()
"""Holds `payme_transaction`; for Alembic and `create_all`."""

LIVING: Final = (TransactionState.CREATED, TransactionState.PERFORMED)

transactions: Final = sa.Table(
    "payme_transaction",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("order_id", sa.String(255), nullable=False),
    # Times are ms since 1970 UTC and amounts are tiyin: both outgrow 32 bits.
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("account", sa.JSON, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("perform_time", sa.BigInteger, nullable=False),
    sa.Column("cancel_time", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.BigInteger, nullable=True),
    sa.Column("receivers", sa.JSON, nullable=False),
    sa.Column("fiscal", sa.JSON, nullable=False),
    # The order that this transaction holds: set while it lives, unless the account is cumulative.
    # Plainly unique, since NULL equals nothing: no database needs a partial index for it.
    sa.Column("holds", sa.String(255), nullable=True),
    sa.CheckConstraint("holds IS NULL OR state IN (1, 2)", name="payme_transaction_living"),
    sa.Index("payme_transaction_holds", "holds", unique=True),
    sa.Index("payme_transaction_statement", "time", "id"),
)
"""One row for each transaction of Payme."""

# The statements are built once: SQLAlchemy keeps their text, and only the parameters are new.

_KEPT: Final = [column for column in transactions.c if column.name != "holds"]

_PAGE: Final = 1_000
"""Rows of a statement that are fetched at once."""

BY_ID: Final = sa.select(*_KEPT).where(transactions.c.id == sa.bindparam("id"))
"""A transaction by Payme's id."""

ACTIVE: Final = sa.select(*_KEPT).where(transactions.c.holds == sa.bindparam("order_id"))
"""The transaction of a one-time order that waits or is performed."""

CREATED_BETWEEN: Final = (
    sa.select(*_KEPT)
    .where(transactions.c.time >= sa.bindparam("from"), transactions.c.time <= sa.bindparam("to"))
    .order_by(transactions.c.time, transactions.c.id)
    .execution_options(yield_per=_PAGE)
)
"""A statement: both ends included, by Payme's time, streamed."""

_TIME, _ID = transactions.c.time, transactions.c.id

WAITING: Final = (
    sa.select(*_KEPT)
    .where(
        transactions.c.state == int(TransactionState.CREATED),
        sa.bindparam("before") > _TIME,
        sa.bindparam("after_time") <= _TIME,
        sa.or_(sa.bindparam("after_time") < _TIME, sa.bindparam("after_id") < _ID),
    )
    .order_by(_TIME, _ID)
    .limit(sa.bindparam("limit"))
)
"""Transactions that wait and are older than a moment, page by page."""

INSERT: Final = {
    "postgresql": postgresql.insert(transactions)
    .on_conflict_do_nothing()
    .returning(transactions.c.id),
    "sqlite": sqlite.insert(transactions).on_conflict_do_nothing().returning(transactions.c.id),
}
"""A new transaction; no row comes back if its id or its order is taken. By dialect."""

_CHANGING: Final = ("perform_time", "cancel_time", "state", "reason", "fiscal")

CHANGE: Final = (
    sa.update(transactions)
    .where(
        transactions.c.id == sa.bindparam("its_id"),
        transactions.c.state == sa.bindparam("state_before"),
    )
    .values({name: sa.bindparam(name) for name in _CHANGING})
)
"""A transaction that is still in the state that was decided upon."""

END: Final = CHANGE.values(holds=sa.null())
"""The same, for one that lives no more: its order is free."""

TOUCH: Final = sa.update(transactions).where(sa.false()).values(state=transactions.c.state)
"""Change nothing, as a write."""


def _locked(order_id: "sa.ColumnElement[str]") -> "sa.ColumnElement[Any]":
    """Wait for the advisory lock of an order; two with the same hash wait for each other."""
    name: sa.ColumnElement[str] = sa.literal_column("'payme:'", sa.Text) + order_id
    return sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, sa.literal_column("0")))


LOCK_ORDER: Final = sa.select(_locked(sa.bindparam("order_id", type_=sa.Text)))
"""Hold the order until the transaction of PostgreSQL ends."""

_SETTINGS: Final = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")

_LIMITED: Final = sa.select(
    *(
        sa.func.set_config(name, sa.bindparam(name, type_=sa.Text), sa.true()).label(name)
        for name in _SETTINGS
    )
).cte("limited")
"""Set the limits of the transaction. Volatile functions keep PostgreSQL from leaving it out."""

_LOCKING: Final = (
    sa.select(
        _LIMITED.c.lock_timeout, transactions.c.id, _locked(transactions.c.order_id).label("locked")
    )
    .select_from(
        _LIMITED.outerjoin(transactions, transactions.c.id == sa.bindparam("id")),
    )
    .cte("locking")
)

LOCK: Final = (
    sa.select(*_KEPT)
    .where(transactions.c.id == sa.select(_LOCKING.c.id).scalar_subquery())
    .with_for_update(key_share=True)
)
"""Set the limits, hold the order of a transaction, then read the transaction.

It is the first statement of each transaction that locks, so that the limits cost no round trip of
their own. They are the left side of an outer join: they are set first, and for an unknown id too.

In one statement, whose picture of the database is older than the lock. Locking the row as well has
PostgreSQL read it anew: its newest version is what comes, whoever changed it while we waited.
Source: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""


def limiting(limits: Limits) -> dict[str, str]:
    """Make the parameters of `LOCK` that are limits.

    When the merchant's code does not return, PostgreSQL ends the transaction at the time at which
    the request has to be over, and whoever waits for a lock of it goes on.
    """
    seconds = (limits.lock_timeout, limits.statement_timeout, limits.request_timeout)
    return {name: str(ms(one)) for name, one in zip(_SETTINGS, seconds, strict=True)}


_BIGGEST: Final = 2**63 - 1


def period(from_: int, to: int) -> dict[str, Any]:
    """Make the parameters of `CREATED_BETWEEN`; Payme's numbers may be any."""
    return {"from": max(from_, -_BIGGEST), "to": min(to, _BIGGEST)}


def new(transaction: Transaction, *, exclusive: bool) -> dict[str, Any]:
    """Make the parameters of `INSERT`; an order that is held can't be held twice."""
    return {
        **msgspec.structs.asdict(transaction),
        "state": int(transaction.state),
        "receivers": msgspec.to_builtins(list(transaction.receivers)),
        "holds": transaction.order_id if exclusive else None,
    }


def changed(before: Transaction, after: Transaction) -> dict[str, Any]:
    """Make the parameters of `CHANGE` and `END`."""
    values = {name: getattr(after, name) for name in _CHANGING}
    return {
        **values,
        "state": int(after.state),
        "its_id": before.id,
        "state_before": int(before.state),
    }


def read(row: sa.RowMapping) -> Transaction:
    """Make the transaction of a row."""
    fields: dict[str, Any] = dict(row)
    fields["state"] = TransactionState(fields["state"])
    fields["receivers"] = tuple(Receiver(**part) for part in fields["receivers"])
    return Transaction(**fields)
