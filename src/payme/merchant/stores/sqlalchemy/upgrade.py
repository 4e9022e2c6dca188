"""How a table of an earlier version becomes one of this, and how tables come to be at all."""

from collections.abc import Generator, Set
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from payme.merchant.entities import LONGEST_BOX
from payme.merchant.stores.sqlalchemy import schema
from payme.merchant.stores.sqlalchemy.rows import MARIADB

_NAME: Final = schema.transactions.name

_OLD_INDEXES: Final = ("payme_transaction_holds", "payme_transaction_statement")

_INDEXES: Final = {str(index.name): index for index in schema.transactions.indexes}

# Several workers that start at once would all find no table, and create it.
_LOCK: Final = 7_021_816_254
_PATIENCE_S: Final = 60


def create_all(connection: sa.Connection) -> None:
    """Create the tables unless they exist, and bring an older one up to date.

    Args:
        connection: In whose transaction it happens; on MariaDB and MySQL each step is final.
    """
    with _one_at_a_time(connection):
        _upgrade(connection)
        schema.metadata.create_all(connection)


def upgrade(connection: sa.Connection) -> bool:
    """Bring a table of an earlier version up to date, for those who write migrations themselves.

    The table from before cash-boxes had names gets the column `box`, which is empty in every row:
    that is the name of the one cash-box of a shop that names none, so that a shop which changes
    nothing finds all that it had. `holds` becomes `reserves`, and the cash-box is a part of every
    key. A table that has no index of what waits gets one, unless on MariaDB and MySQL.

    Args:
        connection: In whose transaction it happens; nothing of it is kept when anything fails.

    Returns:
        True if there was anything to do.

    Example:
        >>> def upgrade():  # in a migration of Alembic's
        ...     payme.merchant.stores.sqlalchemy.upgrade(op.get_bind())
        ...     payme.merchant.stores.sqlalchemy.metadata.create_all(op.get_bind())
    """
    with _one_at_a_time(connection):
        return _upgrade(connection)


def _upgrade(connection: sa.Connection) -> bool:
    found = sa.inspect(connection)
    if not found.has_table(_NAME):
        return False
    # By its index: a table of Django's has the same name, and migrations of its own.
    names = {index["name"] for index in found.get_indexes(_NAME)}
    if "payme_transaction_reserves" in names:
        return _index_waiting(connection, names)
    if _OLD_INDEXES[0] not in names:
        return False
    if connection.dialect.name == "sqlite":
        _rebuild(connection)
    else:
        _alter(connection, found.get_pk_constraint(_NAME)["name"])
    return True


def _index_waiting(connection: sa.Connection, names: Set[str | None]) -> bool:
    name = "payme_transaction_waiting"
    if name in names or connection.dialect.name in MARIADB:
        return False
    _INDEXES[name].create(connection)
    return True


def _rebuild(connection: sa.Connection) -> None:
    """Write the table anew: SQLite can't change a key."""
    for index in _OLD_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {index}")
    new = schema.transactions.to_metadata(sa.MetaData(), name=f"{_NAME}_new")
    new.create(connection)
    kept = [column.name for column in new.c if column.name not in ("box", "reserves")]
    old = sa.table(_NAME, *map(sa.column, kept), sa.column("holds"))
    empty: sa.ColumnElement[str] = sa.literal_column("''")
    values: list[sa.ColumnElement[Any]] = [old.c[name] for name in (*kept, "holds")]
    copied = sa.select(empty, *values)
    connection.execute(sa.insert(new).from_select(["box", *kept, "reserves"], copied))
    connection.exec_driver_sql(f"DROP TABLE {_NAME}")
    connection.exec_driver_sql(f"ALTER TABLE {new.name} RENAME TO {_NAME}")


def _alter(connection: sa.Connection, key: Any) -> None:
    quoted = connection.dialect.identifier_preparer.quote(key)
    length = LONGEST_BOX
    for statement in (
        f"ALTER TABLE {_NAME} ADD COLUMN box VARCHAR({length}) DEFAULT '' NOT NULL",
        f"ALTER TABLE {_NAME} RENAME COLUMN holds TO reserves",
        f"ALTER TABLE {_NAME} DROP CONSTRAINT {quoted}, ADD PRIMARY KEY (id, box)",
        f"DROP INDEX {_OLD_INDEXES[0]}",
    ):
        connection.exec_driver_sql(statement)
    for name, index in _INDEXES.items():
        if name not in _OLD_INDEXES:
            index.create(connection)


@contextmanager
def _one_at_a_time(connection: sa.Connection) -> Generator[None]:
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        case "sqlite":
            driver: Any = connection.connection.driver_connection
            # Else the engine, or Alembic, has begun by itself.
            if not driver.in_transaction:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
        case name if name in MARIADB:
            # A statement that makes a table ends the transaction: this lock is the connection's.
            connection.exec_driver_sql(f"SELECT GET_LOCK('payme {_LOCK}', {_PATIENCE_S})")
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT RELEASE_LOCK('payme {_LOCK}')")
            return
        case _:
            pass
    yield
