"""Limits of a database that are settings of a connection: set for a transaction, and set back.

The connection is the shop's too. PostgreSQL's settings end with the transaction (`schema.LOCK`).
"""

import math
from typing import Any, Final

import sqlalchemy as sa

from payme.merchant.limits import Limits, ms

_MARIADB: Final = {"innodb_lock_wait_timeout": "lock", "max_statement_time": "statement"}


def limit(connection: sa.Connection, limits: Limits) -> str | None:
    """Set the limits of SQLite, MariaDB or MySQL.

    Args:
        connection: In whose transaction nothing was done yet.
        limits: The limits.

    Returns:
        The statement that sets them back, for `set_back`; None if there is nothing to set back.
    """
    dialect = connection.dialect
    if dialect.name == "sqlite":
        return _limit_sqlite(connection, ms(limits.lock_timeout))
    if dialect.name == "postgresql":
        return None
    # MySQL has no limit for statements that write.
    mariadb = bool(getattr(dialect, "is_mariadb", False))
    names = list(_MARIADB) if mariadb else ["innodb_lock_wait_timeout"]
    values = {
        "innodb_lock_wait_timeout": str(math.ceil(limits.lock_timeout)),
        "max_statement_time": str(limits.statement_timeout),
    }
    kept = [f"@payme_{name} = @@SESSION.{name}" for name in names]
    _send(connection, "SET " + ", ".join([*kept, *(f"{name} = {values[name]}" for name in names)]))
    return "SET " + ", ".join(f"{name} = @payme_{name}" for name in names)


def set_back(connection: sa.Connection, statement: str | None) -> None:
    """Set the limits back once the transaction is over.

    Args:
        connection: The same.
        statement: From `limit`.
    """
    if statement is None or connection.closed or connection.invalidated:
        return
    try:
        _send(connection, statement)
    except Exception:
        # The shop's pages must not get it as it is.
        connection.invalidate()
        raise


def _limit_sqlite(connection: sa.Connection, wanted: int) -> str | None:
    cursor: Any = connection.connection.cursor()
    try:
        cursor.execute("PRAGMA busy_timeout")
        before = int(cursor.fetchone()[0])
        if before == wanted:
            return None
        cursor.execute(f"PRAGMA busy_timeout = {wanted}")
    finally:
        cursor.close()
    return f"PRAGMA busy_timeout = {before}"


def _send(connection: sa.Connection, statement: str) -> None:
    # By the driver: SQLAlchemy would begin a transaction of its own for it.
    cursor: Any = connection.connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
