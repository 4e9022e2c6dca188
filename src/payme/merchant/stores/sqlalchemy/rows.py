"""The operations on rows, in SQL.

What keeps two payments of one order apart:

* PostgreSQL: an advisory lock on a hash of the order's id, held until the transaction ends. Each
  statement after it sees what the former holder committed, because the store runs in READ COMMITTED
  whatever the engine's level is. Locks are taken before rows are written, and one for each request,
  so two requests can't wait for each other, and nothing is there to be retried.
* SQLite: the transaction begins as a writer (BEGIN IMMEDIATE), and SQLite has one writer at a time.
* MariaDB and MySQL: a row of `payme_order_lock` stands for the order, and is held until the
  transaction ends; READ COMMITTED as on PostgreSQL.
* All: the unique index on `reserves`, which lets one living transaction reserve an order of a
  cash-box.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from payme.merchant import flows
from payme.merchant.entities import Transaction
from payme.merchant.stores.rows import unharmed
from payme.merchant.stores.sqlalchemy import schema

if TYPE_CHECKING:
    from payme.merchant.limits import Limits

LIMITS: Final = "payme_limits"
"""Name of the engine's option that holds the limits of the store."""
MARIADB: Final = ("mysql", "mariadb")
"""What SQLAlchemy calls both, by the address that they were given."""

_DUPLICATE: Final = 1062
"""MariaDB's number for a key that is taken."""


class SqlRows:
    """The transactions of a cash-box on a connection of SQLAlchemy's; see `stores.rows.Rows`.

    Args:
        connection: The connection, blocking; under asyncio it is used in a greenlet of
            SQLAlchemy's, where each statement may be waited for.
        box: The cash-box.
    """

    def __init__(self, connection: sa.Connection, box: str = "") -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._box = box

    def read(self, transaction_id: str) -> Transaction | None:
        """Read a transaction."""
        return self._first(schema.BY_ID, id=transaction_id)

    def lock(self, transaction_id: str) -> Transaction | None:
        """Lock the order of a transaction, then read the transaction."""
        if self._dialect in MARIADB:
            self._execute(schema.LOCK_ROW_OF, id=transaction_id)
            return self._first(schema.LOCKED_BY_ID, id=transaction_id)
        if self._dialect != "postgresql":
            return self._first(schema.BY_ID, id=transaction_id)
        return self._lock(schema.LOCK, transaction_id)

    def perform(self, step: flows.PerformWaiting) -> Transaction | None:
        """Perform a transaction at once, on PostgreSQL."""
        if self._dialect != "postgresql":
            return None
        times = {"at": step.perform_time, "since": step.created_since}
        return self._lock(schema.PERFORM, step.transaction_id, **times)

    def lock_order(self, order_id: str) -> None:
        """Lock an order."""
        if self._dialect == "postgresql":
            self._execute(schema.LOCK_ORDER, order_id=order_id)
        elif self._dialect in MARIADB:
            self._connection.execute(schema.LOCK_ROW, {"name": self._box + order_id})

    def active(self, order_id: str) -> Transaction | None:
        """Read the transaction of a one-time order that waits or is performed."""
        return self._first(schema.ACTIVE, order_id=order_id)

    def of_order(self, order_id: str, *, any_box: bool) -> list[Transaction]:
        """Read every transaction of an order, by Payme's time, in all cash-boxes or in this."""
        if any_box:
            found = self._connection.execute(schema.OF_ORDER, {"order_id": order_id})
        else:
            found = self._execute(schema.OF_ORDER_IN_BOX, order_id=order_id)
        listed = map(schema.read, found)
        # MariaDB takes no notice of spaces at the end of a text.
        return [one for one in listed if one.order_id == order_id]

    def insert(self, new: Transaction, *, exclusive: bool) -> bool:
        """Store a new transaction; False if its id or its order is taken."""
        parameters = schema.new(new, exclusive=exclusive)
        if self._dialect in MARIADB:
            return self._insert(parameters)
        inserted = self._connection.execute(schema.INSERT[self._dialect], parameters)
        return inserted.first() is not None

    def _insert(self, parameters: dict[str, Any]) -> bool:
        try:
            self._connection.execute(schema.PLAIN_INSERT, parameters)
        except IntegrityError as error:
            # `INSERT IGNORE` would also shorten what is too long, and say no more.
            if error.orig is None or error.orig.args[0] != _DUPLICATE:
                raise
            return False
        return True

    def update(self, before: Transaction, after: Transaction) -> bool:
        """Store a change; False if the transaction is not in the state it was read in."""
        statement = schema.CHANGE if after.state in schema.LIVING else schema.END
        changed = self._connection.execute(statement, schema.changed(before, after))
        return changed.rowcount == 1

    def is_intact(self) -> bool | None:
        """Ask the driver, on PostgreSQL; other databases go on after an error, or begin anew."""
        if self._dialect != "postgresql":
            return None
        return unharmed(self._connection.connection.driver_connection)

    def created_between(
        self, from_: int, to: int, read: Callable[[Iterable[Transaction]], Any]
    ) -> Any:
        """Hand the transactions of a period to `read`, and give what it returns."""
        period = {"box": self._box, **schema.period(from_, to)}
        with self._connection.execute(schema.CREATED_BETWEEN, period) as rows:
            return read(map(schema.read, rows))

    def waiting(self, before: int, after: tuple[int, str], limit: int) -> list[Transaction]:
        """Read transactions that wait, older than `before` and after `after`, by time and id."""
        time, id_ = after
        page = {"before": before, "after_time": time, "after_id": id_, "limit": limit}
        return [schema.read(row) for row in self._execute(schema.WAITING, **page)]

    def _lock(
        self, statement: sa.Executable, transaction_id: str, **times: int
    ) -> Transaction | None:
        limits: Limits = self._connection.get_execution_options()[LIMITS]
        locked = {"its_box": self._box, "its_id": transaction_id, **schema.limiting(limits)}
        row = self._connection.execute(statement, {**locked, **times}).first()
        return None if row is None else schema.read(row)

    def _first(self, statement: sa.Executable, **parameters: Any) -> Transaction | None:
        row = self._execute(statement, **parameters).first()
        return None if row is None else schema.read(row)

    def _execute(self, statement: sa.Executable, **parameters: Any) -> "sa.CursorResult[Any]":
        return self._connection.execute(statement, {"box": self._box, **parameters})


def begin_as_writer(connection: sa.Connection) -> None:
    """Become SQLite's one writer before anything is read; PostgreSQL has the order's lock.

    sqlite3 would begin with the first write, after the reads that it rests upon.

    Args:
        connection: Whose transaction has begun for SQLAlchemy, and not yet for the database.
    """
    if connection.dialect.name != "sqlite":
        return
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        # The engine begins by an event or has autocommit=False; a first write makes it a writer.
        connection.execute(schema.TOUCH)
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
