"""The operations on rows, in SQL: what Payme waits for needs no objects of the ORM.

What keeps two payments of one order apart: the order's lock, after which everything is read, and
beneath it the unique constraint on `reserves`. How an order is locked:

* PostgreSQL: an advisory lock on a hash of the order's id, until the transaction ends.
* SQLite: the transaction begins as a writer, and SQLite has one writer at a time.
* elsewhere: a row of `OrderLock` stands for the order.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from django.db import IntegrityError, connections, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL

from payme.merchant import flows
from payme.merchant.django import models
from payme.merchant.entities import Receiver, Transaction, TransactionState
from payme.merchant.limits import Limits, ms
from payme.merchant.stores.rows import unharmed

_COLUMNS: Final = Transaction.__struct_fields__
_FIELDS: Final = tuple("payme_id" if name == "id" else name for name in _COLUMNS)
"""The same, as the model calls them."""

_JSON: Final = ("account", "receivers", "fiscal")
_CHANGING: Final = ("perform_time", "cancel_time", "state", "reason", "fiscal")
_LIVING: Final = (TransactionState.CREATED, TransactionState.PERFORMED)

_CHUNK: Final = 2000
"""Rows of a statement that the database hands over at once."""

_LARGEST: Final = 2**63 - 1

_CREATED: Final = RawSQL(str(int(TransactionState.CREATED)), ())  # noqa: S611 - a number
"""A literal: no database can tell by a parameter that a partial index has all that is sought."""


class Statements(NamedTuple):
    """The statements, with names quoted as a database wants them."""

    read: str
    lock: str
    perform: str
    active: str
    of_order: str
    of_order_in_box: str
    insert: str
    update: str
    end: str


class DjangoRows:
    """The transactions of a cash-box, in a database of the project; see `stores.rows.Rows`.

    Args:
        alias: Of the database.
        limits: How long it may be waited for.
        box: The cash-box.
    """

    def __init__(self, alias: str, limits: Limits, box: str = "") -> None:
        self._alias = alias
        self._box = box
        self._limits = limits
        self._connection = connections[alias]
        self._sql = statements(alias, self._connection.vendor)

    def read(self, transaction_id: str) -> Transaction | None:
        """Read a transaction."""
        return self._first(self._sql.read, [self._box, transaction_id])

    def lock(self, transaction_id: str) -> Transaction | None:
        """Lock the order of a transaction, then read the transaction."""
        match self._connection.vendor:
            case "sqlite":
                return self._first(self._sql.lock, [self._box, transaction_id])
            case "postgresql":
                return self._first(self._sql.lock, [*self._limiting(), self._box, transaction_id])
            case _:
                pass
        known = self.read(transaction_id)
        if known is None:
            return None
        lock_row(self._alias, self._box + known.order_id)
        return self._first(self._sql.lock, [self._box, transaction_id])

    def perform(self, step: flows.PerformWaiting) -> Transaction | None:
        """Perform a transaction at once, on PostgreSQL."""
        if self._connection.vendor != "postgresql":
            return None
        locked = [*self._limiting(), self._box, step.transaction_id]
        return self._first(self._sql.perform, [*locked, step.perform_time, step.created_since])

    def _limiting(self) -> list[str]:
        limits = self._limits
        seconds = (limits.lock_timeout, limits.statement_timeout, limits.request_timeout)
        return [str(ms(one)) for one in seconds]

    def lock_order(self, order_id: str) -> None:
        """Lock an order."""
        match self._connection.vendor:
            case "sqlite":
                return  # The whole database is ours since `begin`.
            case "postgresql":
                self._execute(f"SELECT {_ADVISORY.format('%s')}", [self._box + order_id])
            case _:
                lock_row(self._alias, self._box + order_id)

    def active(self, order_id: str) -> Transaction | None:
        """Read the transaction of a one-time order that waits or is performed."""
        return self._first(self._sql.active, [self._box, order_id])

    def of_order(self, order_id: str, *, any_box: bool) -> list[Transaction]:
        """Read every transaction of an order, by Payme's time, in all cash-boxes or in this."""
        if any_box:
            found = self._all(self._sql.of_order, [order_id])
        else:
            found = self._all(self._sql.of_order_in_box, [self._box, order_id])
        # MariaDB takes no notice of case, nor of spaces at the end of a text.
        return [one for one in found if one.order_id == order_id]

    def insert(self, new: Transaction, *, exclusive: bool) -> bool:
        """Store a new transaction; False if its id or its order is taken."""
        values = [*_values(new, _COLUMNS), new.order_id if exclusive else None]
        if self._connection.vendor in ("postgresql", "sqlite"):
            return self._execute(self._sql.insert, values) == 1
        try:
            with transaction.atomic(using=self._alias):
                return self._execute(self._sql.insert, values) == 1
        except IntegrityError:
            return False

    def update(self, before: Transaction, after: Transaction) -> bool:
        """Store a change; False if the transaction is not in the state it was read in."""
        statement = self._sql.update if after.state in _LIVING else self._sql.end
        values = [*_values(after, _CHANGING), self._box, before.id, int(before.state)]
        return self._execute(statement, values) == 1

    def is_intact(self) -> bool | None:
        """Ask the driver, on PostgreSQL; other databases go on after an error, or begin anew."""
        if self._connection.vendor != "postgresql":
            return None
        if self._connection.needs_rollback:
            return False
        return unharmed(self._connection.connection)

    def created_between(
        self, from_: int, to: int, read: Callable[[Iterable[Transaction]], Any]
    ) -> Any:
        """Hand the transactions of a period to `read`, and give what it returns."""
        # Django 4.2 hands whole numbers of any size to the driver.
        period = {"time__gte": max(from_, -_LARGEST), "time__lte": min(to, _LARGEST)}
        rows = models.Transaction.objects.using(self._alias).filter(box=self._box, **period)
        found = rows.order_by("time", "payme_id").values_list(*_FIELDS).iterator(_CHUNK)
        return read(map(_made, found))

    def waiting(self, before: int, after: tuple[int, str], limit: int) -> list[Transaction]:
        """Read transactions that wait, older than `before` and after `after`, by time and id."""
        time, id_ = after
        rows = models.Transaction.objects.using(self._alias).filter(
            Q(time__gt=time) | Q(payme_id__gt=id_),
            box=self._box,
            state=_CREATED,
            time__lt=before,
            time__gte=time,
        )
        return list(map(_made, rows.order_by("time", "payme_id").values_list(*_FIELDS)[:limit]))

    def _first(self, statement: str, values: list[Any]) -> Transaction | None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone()
        return None if row is None else _read(row)

    def _all(self, statement: str, values: list[Any]) -> list[Transaction]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return [_read(row) for row in cursor.fetchall()]

    def _execute(self, statement: str, values: list[Any]) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            changed: int = cursor.rowcount
        return changed


def _read(row: Iterable[Any]) -> Transaction:
    fields = dict(zip(_COLUMNS, row, strict=True))
    return _made(json.loads(fields[name]) if name in _JSON else fields[name] for name in _COLUMNS)


_ADVISORY: Final = "pg_advisory_xact_lock(hashtextextended('payme:' || {}, 0))"
"""Two orders with the same hash wait for each other, and that is all."""


@lru_cache
def statements(alias: str, vendor: str) -> Statements:
    """Write the statements for a database.

    Args:
        alias: Of the database.
        vendor: Its kind.
    """
    quoted = connections[alias].ops.quote_name
    table = quoted(models.Transaction._meta.db_table)
    columns = ", ".join(quoted(name) for name in _COLUMNS)
    select = f"SELECT {columns} FROM {table} WHERE"  # noqa: S608 - names of our own
    id_, reserves, state = quoted("id"), quoted("reserves"), quoted("state")
    order, time, box = quoted("order_id"), quoted("time"), quoted("box")
    in_box = f"{box} = %s AND"
    of_order = f"{order} = %s ORDER BY {time}, {id_}"
    changes = ", ".join(f"{quoted(name)} = %s" for name in _CHANGING)
    marks = ", ".join(["%s"] * (len(_COLUMNS) + 1))
    ignoring = " ON CONFLICT DO NOTHING" if vendor in ("postgresql", "sqlite") else ""
    unchanged = f"WHERE {in_box} {id_} = %s AND {state} = %s"
    return Statements(
        read=f"{select} {in_box} {id_} = %s",
        lock=_lock(vendor, select, table, id_, in_box),
        perform=_perform(table, columns),
        active=f"{select} {in_box} {reserves} = %s",
        of_order=f"{select} {of_order}",
        of_order_in_box=f"{select} {in_box} {of_order}",
        insert=f"INSERT INTO {table} ({columns}, {reserves}) VALUES ({marks}){ignoring}",  # noqa: S608
        update=f"UPDATE {table} SET {changes} {unchanged}",  # noqa: S608
        end=f"UPDATE {table} SET {changes}, {reserves} = NULL {unchanged}",  # noqa: S608
    )


def _lock(vendor: str, select: str, table: str, id_: str, in_box: str) -> str:
    """Write how the order of a transaction is locked before the transaction is read.

    On PostgreSQL the limits are set by the same statement, so that they cost no round trip: they
    are the left side of an outer join, and so come first, and for an unknown id too. When the
    shop's code does not return, PostgreSQL ends the transaction when the request has to be over.

    On PostgreSQL in one statement, whose picture of the database is older than the lock. Locking
    the row as well has PostgreSQL read it anew: its newest version is what comes, whoever changed
    it while we waited.

    Source: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
    """
    if vendor != "postgresql":
        return f"{select} {in_box} {id_} = %s" + ("" if vendor == "sqlite" else " FOR UPDATE")
    return f"{_locking(table)} {select} {_LOCKED} FOR NO KEY UPDATE"


# `number` is the key of the row, whatever its cash-box is.
_LOCKED: Final = "number = (SELECT number FROM locking)"


def _locking(table: str) -> str:
    advisory = _ADVISORY.format("box || order_id")
    settings = ", ".join(f"set_config('{name}', %s, true) AS {name}" for name in _SETTINGS)
    return (
        f"WITH limited AS (SELECT {settings}), locking AS ("  # noqa: S608
        f"SELECT lock_timeout, number, {advisory} "
        f"FROM limited LEFT JOIN {table} ON box = %s AND id = %s)"
    )


def _perform(table: str, columns: str) -> str:
    """Write how a transaction that waits is performed, for PostgreSQL, with its order locked."""
    created, performed = int(TransactionState.CREATED), int(TransactionState.PERFORMED)
    return (
        f"{_locking(table)} UPDATE {table} SET state = {performed}, perform_time = %s "  # noqa: S608
        f"WHERE {_LOCKED} AND state = {created} AND time >= %s RETURNING {columns}"
    )


_SETTINGS: Final = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")


def begin(alias: str) -> None:
    """Begin a database transaction in which orders are locked.

    PostgreSQL has to show each statement what is committed when it starts, whatever the project's
    level is: in REPEATABLE READ who waited for a lock does not see what was done under it.

    SQLite has one lock, for writing, and gives it to nobody who has read before: two requests that
    both read and then wrote would fail each other. Its first statement is therefore a write.

    Args:
        alias: Of the database, in whose transaction nothing was done yet.
    """
    match connections[alias].vendor:
        case "sqlite":
            models.OrderLock.objects.using(alias).filter(pk="").update(order_id="")
        case "postgresql" if not _is_read_committed(alias):
            with connections[alias].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        case _:
            pass


_read_committed: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def _is_read_committed(alias: str) -> bool:
    """Return whether transactions of a connection are in READ COMMITTED by themselves.

    Each connection is asked once, by a statement after which the level may still be set.
    """
    connection = connections[alias]
    known = _read_committed.get(connection.connection)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            known = cursor.fetchone() == ("read committed",)
        _read_committed[connection.connection] = known
    return known


def lock_row(alias: str, name: str) -> None:
    """Lock the row that stands for an order, and make it if it is the first time.

    In one statement: who looked for a missing row first would keep others from making it, and two
    of them each other.
    """
    connection = connections[alias]
    quoted = connection.ops.quote_name
    table, column = quoted(models.OrderLock._meta.db_table), quoted("order_id")
    made = f"INSERT INTO {table} ({column}) VALUES (%s)"  # noqa: S608 - names of our own
    changed = f"{column} = {table}.{column}"
    if connection.vendor == "mysql":
        upsert = f"{made} ON DUPLICATE KEY UPDATE {changed}"
    else:
        upsert = f"{made} ON CONFLICT ({column}) DO UPDATE SET {changed}"
    with connection.cursor() as cursor:
        cursor.execute(upsert, [name])


def _values(one: Transaction, names: Iterable[str]) -> Iterator[Any]:
    fields = msgspec.structs.asdict(one)
    fields["state"] = int(one.state)
    fields["receivers"] = msgspec.to_builtins(list(one.receivers))
    for name in names:
        yield json.dumps(fields[name], ensure_ascii=False) if name in _JSON else fields[name]


def _made(row: Iterable[Any]) -> Transaction:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["state"] = TransactionState(fields["state"])
    fields["receivers"] = tuple(Receiver(**part) for part in fields["receivers"])
    return Transaction(**fields)
