"""Many rows in one statement, in SQLAlchemy Core: SQLite and PostgreSQL.

PostgreSQL gets a page as one JSON text: a statement for each row costs it, and the driver, more
than the rows themselves. SQLite has no round trip to save; a prepared statement that is run for
each row is its quickest way.
"""

from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]

_PAGE: Final = "b_page"
_WAS: Final = "b_"
"""In front of the name of a column: what it is compared with."""


class _Page(str):
    """A page as JSON. It may hold what is paid with, and an error of the database shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Page()"


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows with the same columns; one that is there is an error of the database."""
    _execute(connection, _insert, table, rows)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows with the same columns, without those that are there."""
    _execute(connection, _insert_new, table, rows)


def update(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> int:
    """Update rows with the same columns.

    Args:
        connection: A transaction.
        table: Where.
        rows: What is set, by the names of the columns; under the same names with `b_` in front,
            which row it is set in: `b_id`, `b_version`.

    Returns:
        How many rows were updated.
    """
    return _execute(connection, _update, table, rows)


def _execute(connection: sa.Connection, make: Any, table: sa.Table, rows: Sequence[Row]) -> int:
    if not rows:
        return 0
    dialect, names = connection.dialect.name, tuple(rows[0])
    if dialect == "postgresql":
        page = _Page(msgspec.json.encode(rows, enc_hook=bytes).decode())
        return connection.execute(make(dialect, table, names), {_PAGE: page}).rowcount
    text, order = _prepared(make, table, names)
    return connection.exec_driver_sql(text, [order(row) for row in rows]).rowcount


@cache
def _prepared(make: Any, table: sa.Table, names: tuple[str, ...]) -> tuple[str, Any]:
    """Return a statement of SQLite's, and what puts a row into the order of its parameters.

    Left to SQLAlchemy, each row costs as much again as it does in SQLite.
    """
    compiled = make("sqlite", table, names).compile(dialect=sqlite.dialect(), column_keys=names)
    return str(compiled), itemgetter(*compiled.positiontup)


@cache
def _insert(dialect: str, table: sa.Table, names: tuple[str, ...]) -> Any:
    if dialect != "postgresql":
        return sa.insert(table)
    page = _unpacked(table, names)
    values = [_value(page, table, name) for name in names]
    return postgresql.insert(table).from_select(list(names), sa.select(*values))


@cache
def _insert_new(dialect: str, table: sa.Table, names: tuple[str, ...]) -> Any:
    if dialect != "postgresql":
        return sqlite.insert(table).on_conflict_do_nothing()
    return _insert(dialect, table, names).on_conflict_do_nothing()


@cache
def _update(dialect: str, table: sa.Table, names: tuple[str, ...]) -> Any:
    which = [name for name in names if name.startswith(_WAS)]
    if dialect != "postgresql":
        same = [_column(table, name) == sa.bindparam(name) for name in which]
        return sa.update(table).where(*same)
    page = _unpacked(table, names)
    values = {name: _value(page, table, name) for name in names if name not in which}
    same = [_column(table, name) == page.c[name] for name in which]
    return sa.update(table).values(values).where(*same)


def _column(table: sa.Table, name: str) -> "sa.Column[Any]":
    return table.c[name.removeprefix(_WAS)]


def _unpacked(table: sa.Table, names: tuple[str, ...]) -> sa.TableValuedAlias:
    """Return the rows of a page."""
    columns = [sa.column(name, _type(_column(table, name))) for name in names]
    page = sa.cast(sa.bindparam(_PAGE, type_=sa.Text), postgresql.JSON)
    unpacked = sa.func.json_to_recordset(page).table_valued(*columns, name="page")
    return unpacked.render_derived(name="page", with_types=True)


def _type(column: "sa.Column[Any]") -> Any:
    # JSON knows no bytes, and its texts have no length.
    is_text = isinstance(column.type, sa.String | sa.LargeBinary)
    return sa.Text() if is_text else column.type


def _value(page: sa.TableValuedAlias, table: sa.Table, name: str) -> Any:
    if isinstance(table.c[name].type, sa.LargeBinary):
        return sa.func.decode(page.c[name], "base64")
    return page.c[name]
