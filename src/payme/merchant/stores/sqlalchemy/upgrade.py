"""How a table of an earlier version becomes one of this, and how tables come to be at all."""

from collections.abc import Generator, Set
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from payme.errors import ConfigurationError
from payme.merchant.entities import LONGEST_BOX
from payme.merchant.stores.sqlalchemy import schema
from payme.merchant.stores.sqlalchemy.rows import MARIADB

_NAME: Final = schema.transactions.name

_OLD_INDEXES: Final = ("payme_transaction_holds", "payme_transaction_statement")

_INDEXES: Final = {str(index.name): index for index in schema.transactions.indexes}

# Several workers that start at once would all find no table, and create it.
_LOCK: Final = 7_021_816_254
_PATIENCE_S: Final = 60

_HELD: Final = sa.text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND pid = pg_backend_pid() AND (classid::bigint << 32 | objid::bigint) = :lock"
).bindparams(sa.bindparam("lock", _LOCK, sa.BigInteger))

_SQLITE_MASTER: Final = ("type", "name", "tbl_name", "sql")


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
        connection: In whose transaction it happens; nothing of it is kept when anything fails. The
            table is looked for where its `schema_translate_map` says.

    Returns:
        True if there was anything to do.

    Raises:
        ConfigurationError: The connection commits each statement by itself (AUTOCOMMIT), so that a
            failure would leave half of it; or on SQLite, which has to write the table anew, there
            is something of the shop's own on the table that would be lost.

    Example:
        >>> def upgrade():  # in a migration of Alembic's
        ...     payme.merchant.stores.sqlalchemy.upgrade(op.get_bind())
        ...     payme.merchant.stores.sqlalchemy.metadata.create_all(op.get_bind())
    """
    with _one_at_a_time(connection):
        return _upgrade(connection)


def _upgrade(connection: sa.Connection) -> bool:
    place = connection.schema_for_object(schema.transactions)
    found = sa.inspect(connection)
    if not found.has_table(_NAME, place):
        return False
    # By its index: a table of Django's has the same name, and migrations of its own.
    names = {index["name"] for index in found.get_indexes(_NAME, place)}
    if "payme_transaction_reserves" in names:
        return _index_waiting(connection, names)
    if _OLD_INDEXES[0] not in names:
        return False
    if connection.dialect.name == "sqlite":
        _require_nothing_else(connection, found, place)
        _rebuild(connection, place)
    else:
        _require_lock(connection)
        _alter(connection, place, found.get_pk_constraint(_NAME, place)["name"])
    return True


def _index_waiting(connection: sa.Connection, names: Set[str | None]) -> bool:
    name = "payme_transaction_waiting"
    if name in names or connection.dialect.name in MARIADB:
        return False
    _INDEXES[name].create(connection)
    return True


def _require_nothing_else(
    connection: sa.Connection, found: sa.Inspector, place: str | None
) -> None:
    """Refuse what goes with the old table: DROP TABLE also deletes the rows that refer to it."""
    known = {column.name for column in schema.transactions.c} | {"holds", *_OLD_INDEXES}
    own = [
        f"column {column['name']}"
        for column in found.get_columns(_NAME, place)
        if column["name"] not in known
    ]
    master = sa.table("sqlite_master", *map(sa.column, _SQLITE_MASTER), schema=place).c
    made = sa.select(master.type, master.name).where(
        master.tbl_name == _NAME,
        master.type.in_(["index", "trigger"]),
        master.name.not_in(known),
        master.sql.is_not(None),
    )
    own += (f"{kind} {name}" for kind, name in connection.execute(made))
    own += (
        f"foreign key of {table}"
        for table in found.get_table_names(place)
        if any(key["referred_table"] == _NAME for key in found.get_foreign_keys(table, place))
    )
    if own:
        raise ConfigurationError(
            f"{_NAME}: found {', '.join(own)}, which SQLite would lose when the table is written "
            "anew; drop that first (a column: move it to a table of your own), and make it again "
            "afterwards, where the key is (id, box)"
        )


def _rebuild(connection: sa.Connection, place: str | None) -> None:
    """Write the table anew: SQLite can't change a key."""
    prefix = _prefix(connection, place)
    for index in _OLD_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {prefix}{index}")
    new = schema.transactions.to_metadata(sa.MetaData(), name=f"{_NAME}_new")
    new.create(connection)
    kept = [column.name for column in new.c if column.name not in ("box", "reserves")]
    old = sa.table(_NAME, *map(sa.column, kept), sa.column("holds"), schema=place)
    empty: sa.ColumnElement[str] = sa.literal_column("''")
    values: list[sa.ColumnElement[Any]] = [old.c[name] for name in (*kept, "holds")]
    copied = sa.select(empty, *values)
    connection.execute(sa.insert(new).from_select(["box", *kept, "reserves"], copied))
    connection.exec_driver_sql(f"DROP TABLE {prefix}{_NAME}")
    connection.exec_driver_sql(f"ALTER TABLE {prefix}{new.name} RENAME TO {_NAME}")


def _require_lock(connection: sa.Connection) -> None:
    """Refuse AUTOCOMMIT, where the lock of the transaction is gone with the statement."""
    if connection.dialect.name == "postgresql" and not connection.scalar(_HELD):
        raise ConfigurationError(
            "connection: it commits each statement by itself (AUTOCOMMIT), expected one in a "
            "transaction, so that nothing is kept when the upgrade fails"
        )


def _alter(connection: sa.Connection, place: str | None, key: Any) -> None:
    quoted = connection.dialect.identifier_preparer.quote(key)
    prefix = _prefix(connection, place)
    table = f"{prefix}{_NAME}"
    for statement in (
        f"ALTER TABLE {table} ADD COLUMN box VARCHAR({LONGEST_BOX}) DEFAULT '' NOT NULL",
        f"ALTER TABLE {table} RENAME COLUMN holds TO reserves",
        f"ALTER TABLE {table} DROP CONSTRAINT {quoted}, ADD PRIMARY KEY (id, box)",
        f"DROP INDEX {prefix}{_OLD_INDEXES[0]}",
    ):
        connection.exec_driver_sql(statement)
    for name, index in _INDEXES.items():
        if name not in _OLD_INDEXES:
            index.create(connection)


def _prefix(connection: sa.Connection, place: str | None) -> str:
    """Write what stands before a name in a schema."""
    return "" if place is None else f"{connection.dialect.identifier_preparer.quote(place)}."


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
            got = connection.exec_driver_sql(f"SELECT GET_LOCK('payme {_LOCK}', {_PATIENCE_S})")
            if not got.scalar():
                raise TimeoutError(
                    f"another upgrade has gone on for {_PATIENCE_S} s; nothing was changed"
                )
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT RELEASE_LOCK('payme {_LOCK}')")
            return
        case _:
            pass
    yield
