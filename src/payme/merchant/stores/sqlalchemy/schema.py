"""The tables, and what is read from them and written to them."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from payme.merchant.entities import LONGEST_BOX, LONGEST_ORDER_ID, Receiver, Transaction
from payme.merchant.entities import TransactionState as State
from payme.merchant.limits import Limits, ms

metadata: Final = sa.MetaData()
"""Holds `payme_transaction` and `payme_order_lock`; for Alembic and `create_all`."""

LIVING: Final = (State.CREATED, State.PERFORMED)

_MARIADB: Final = ("mysql", "mariadb")

_PARTIAL: Final[Any] = ("postgresql", "sqlite")
"""Databases that can index a part of a table."""

_IS_CREATED: Final = sa.text(f"state = {int(State.CREATED)}")
"""As a literal: no database can tell by a parameter that a partial index has all that is sought."""


def _text(length: int) -> sa.String:
    """Text that is compared character by character, as PostgreSQL and SQLite do by themselves."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, *_MARIADB)


if TYPE_CHECKING:
    _Decorator = sa.types.TypeDecorator[Any]
else:
    _Decorator = sa.types.TypeDecorator


class _ExactJson(_Decorator):
    """JSON as text: the type of MySQL gives large numbers back as others, and Payme compares."""

    impl = mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:  # noqa: ARG002
        return json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        return json.loads(value)


_JSON: Final = sa.JSON().with_variant(_ExactJson(), *_MARIADB)

transactions: Final = sa.Table(
    "payme_transaction",
    metadata,
    sa.Column("id", _text(64), primary_key=True),
    # The id of the cash-box, or empty for the one of a shop that names none. It is a part of every
    # key, and each statement names it: who has the key of one cash-box reaches nothing of another.
    # The last part: a shop has few, and a database would rather sort all of one than use `time`.
    sa.Column("box", _text(LONGEST_BOX), primary_key=True, server_default=sa.text("''")),
    sa.Column("order_id", _text(LONGEST_ORDER_ID), nullable=False),
    # Times are ms since 1970 UTC and amounts are tiyin: both outgrow 32 bits.
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("account", _JSON, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("perform_time", sa.BigInteger, nullable=False),
    sa.Column("cancel_time", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.BigInteger, nullable=True),
    sa.Column("receivers", _JSON, nullable=False),
    sa.Column("fiscal", _JSON, nullable=False),
    # The order that this transaction reserves: set while it lives, unless the account is
    # cumulative. Plainly unique, since NULL equals nothing: no database needs a partial index.
    sa.Column("reserves", _text(LONGEST_ORDER_ID), nullable=True),
    sa.CheckConstraint("reserves IS NULL OR state IN (1, 2)", name="payme_transaction_living"),
    sa.Index("payme_transaction_reserves", "reserves", "box", unique=True),
    # Without the cash-box: a shop has few, so that a statement leaves few rows out.
    sa.Index("payme_transaction_statement", "time", "id"),
    sa.Index("payme_transaction_order", "order_id"),
    # What waits is little beside all that was paid, and a sweep looks for nothing else.
    sa.Index(
        "payme_transaction_waiting",
        "time",
        "id",
        postgresql_where=_IS_CREATED,
        sqlite_where=_IS_CREATED,
    ).ddl_if(dialect=_PARTIAL),
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)
"""One row for each transaction of Payme."""

order_locks: Final = sa.Table(
    "payme_order_lock",
    metadata,
    sa.Column("name", _text(LONGEST_BOX + LONGEST_ORDER_ID), primary_key=True),
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)
"""A row to lock for each order on MariaDB and MySQL; empty elsewhere, where locks have no rows."""

# The statements are built once: SQLAlchemy keeps their text, and only the parameters are new.

_KEPT: Final = [column for column in transactions.c if column.name != "reserves"]

_NAMES: Final = [column.name for column in _KEPT]

_OF_BOX: Final = transactions.c.box == sa.bindparam("box")

_BY_TIME: Final = "FORCE INDEX (payme_transaction_statement)"

_PAGE: Final = 1_000
"""Rows of a statement that are fetched at once."""

BY_ID: Final = sa.select(*_KEPT).where(_OF_BOX, transactions.c.id == sa.bindparam("id"))
"""A transaction by Payme's id."""

ACTIVE: Final = sa.select(*_KEPT).where(
    _OF_BOX, transactions.c.reserves == sa.bindparam("order_id")
)
"""The transaction of a one-time order that waits or is performed."""

OF_ORDER: Final = (
    sa.select(*_KEPT)
    .where(transactions.c.order_id == sa.bindparam("order_id"))
    .order_by(transactions.c.time, transactions.c.id)
)
"""The transactions of an order in every cash-box, or with `OF_ORDER_IN_BOX` in one."""

OF_ORDER_IN_BOX: Final = OF_ORDER.where(_OF_BOX)

CREATED_BETWEEN: Final = (
    sa.select(*_KEPT)
    .where(
        _OF_BOX,
        transactions.c.time >= sa.bindparam("from"),
        transactions.c.time <= sa.bindparam("to"),
    )
    .order_by(transactions.c.time, transactions.c.id)
    # MariaDB would rather sort the table.
    .with_hint(transactions, _BY_TIME, "mysql")
    .with_hint(transactions, _BY_TIME, "mariadb")
    .execution_options(yield_per=_PAGE)
)
"""A statement: both ends included, by Payme's time, streamed."""

_TIME, _ID = transactions.c.time, transactions.c.id

WAITING: Final = (
    sa.select(*_KEPT)
    .where(
        _OF_BOX,
        _IS_CREATED,
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

PLAIN_INSERT: Final = sa.insert(transactions)
"""The same for MariaDB and MySQL, which undo no more than this statement when a key is taken."""

_CHANGING: Final = ("perform_time", "cancel_time", "state", "reason", "fiscal")

CHANGE: Final = (
    sa.update(transactions)
    .where(
        transactions.c.box == sa.bindparam("its_box"),
        transactions.c.id == sa.bindparam("its_id"),
        transactions.c.state == sa.bindparam("state_before"),
    )
    .values({name: sa.bindparam(name) for name in _CHANGING})
)
"""A transaction that is still in the state that was decided upon."""

END: Final = CHANGE.values(reserves=sa.null())
"""The same, for one that lives no more: its order is free."""

TOUCH: Final = sa.update(transactions).where(sa.false()).values(state=transactions.c.state)
"""Change nothing, as a write."""


ADOPT: Final = (
    sa.update(transactions).where(transactions.c.box == "").values(box=sa.bindparam("its_box"))
)
"""What was kept without the name of a cash-box gets one."""


def lock_name(box: "sa.ColumnElement[str]", order_id: "sa.ColumnElement[str]") -> Any:
    """Write the name of an order's lock; two with the same only wait for each other."""
    return box + order_id


def _locked(box: "sa.ColumnElement[str]", order_id: "sa.ColumnElement[str]") -> Any:
    """Wait for the advisory lock of an order; two with the same hash wait for each other."""
    prefix: sa.ColumnElement[str] = sa.literal_column("'payme:'", sa.Text)
    name = prefix + lock_name(box, order_id)
    return sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, sa.literal_column("0")))


_THE_ORDER: Final = (sa.bindparam("box", type_=sa.Text), sa.bindparam("order_id", type_=sa.Text))

LOCK_ORDER: Final = sa.select(_locked(*_THE_ORDER))
"""Hold the order until the transaction of PostgreSQL ends."""

# Names of their own: UPDATE takes a parameter with the name of a column for a new value.
_ITS: Final = sa.and_(
    transactions.c.box == sa.bindparam("its_box"), transactions.c.id == sa.bindparam("its_id")
)

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
        _LIMITED.c.lock_timeout,
        transactions.c.id,
        _locked(transactions.c.box, transactions.c.order_id).label("locked"),
    )
    .select_from(
        _LIMITED.outerjoin(transactions, _ITS),
    )
    .cte("locking")
)

_LOCKED: Final = sa.and_(
    transactions.c.box == sa.bindparam("its_box"),
    transactions.c.id == sa.select(_LOCKING.c.id).scalar_subquery(),
)

LOCK: Final = sa.select(*_KEPT).where(_LOCKED).with_for_update(key_share=True)
"""Set the limits, hold the order of a transaction, then read the transaction.

It is the first statement of each transaction that locks, so that the limits cost no round trip of
their own. They are the left side of an outer join: they are set first, and for an unknown id too.

In one statement, whose picture of the database is older than the lock. Locking the row as well has
PostgreSQL read it anew: its newest version is what comes, whoever changed it while we waited.
Source: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""

PERFORM: Final = (
    sa.update(transactions)
    .where(_LOCKED, _IS_CREATED, transactions.c.time >= sa.bindparam("since"))
    .values(state=int(State.PERFORMED), perform_time=sa.bindparam("at"))
    .returning(*_KEPT)
)
"""The same, storing at once that a transaction that waits is performed; else no row comes back."""

_ITS_NAME: Final = sa.select(lock_name(transactions.c.box, transactions.c.order_id)).where(
    _OF_BOX, transactions.c.id == sa.bindparam("id")
)

LOCK_ROW: Final = mysql.insert(order_locks).on_duplicate_key_update(name=order_locks.c.name)
"""Hold the row of an order until the transaction of MariaDB or MySQL ends; made the first time.

In one statement: who looked for a missing row first would keep others from making it, and two of
them each other.
"""

LOCK_ROW_OF: Final = (
    mysql.insert(order_locks)
    .from_select(["name"], _ITS_NAME)
    .on_duplicate_key_update(name=order_locks.c.name)
)
"""The same for the order of a transaction; nothing happens without one."""

LOCKED_BY_ID: Final = BY_ID.with_for_update()
"""A transaction whose order is held, in its newest version."""


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
    """Make the parameters of `INSERT`; an order that is reserved can't be reserved twice."""
    return {
        **msgspec.structs.asdict(transaction),
        "state": int(transaction.state),
        "receivers": msgspec.to_builtins(list(transaction.receivers)),
        "reserves": transaction.order_id if exclusive else None,
    }


def changed(before: Transaction, after: Transaction) -> dict[str, Any]:
    """Make the parameters of `CHANGE` and `END`."""
    values = {name: getattr(after, name) for name in _CHANGING}
    return {
        **values,
        "state": int(after.state),
        "its_box": before.box,
        "its_id": before.id,
        "state_before": int(before.state),
    }


def read(row: Iterable[Any]) -> Transaction:
    """Make the transaction of a row."""
    fields = dict(zip(_NAMES, row, strict=True))
    fields["state"] = State(fields["state"])
    fields["receivers"] = tuple(Receiver(**part) for part in fields["receivers"])
    return Transaction(**fields)
