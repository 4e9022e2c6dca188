"""Limits of a database that are settings of a connection: set for a transaction, and set back.

The connection is the shop's too. PostgreSQL's settings end with the transaction (`rows._lock`).
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from django.db import connections

from payme.merchant.limits import Limits, ms


@contextmanager
def limited(alias: str, limits: Limits) -> Generator[None]:
    """Limit what SQLite, MariaDB or MySQL waits for.

    Args:
        alias: Of the database, in whose transaction nothing was done yet.
        limits: The limits.
    """
    back = _limit(alias, limits)
    try:
        yield
    finally:
        if back is not None and connections[alias].connection is not None:
            _send(alias, back)


def _limit(alias: str, limits: Limits) -> str | None:
    connection = connections[alias]
    match connection.vendor:
        case "sqlite":
            wanted = ms(limits.lock_timeout)
            before = _send(alias, "PRAGMA busy_timeout")[0]
            if before == wanted:
                return None
            _send(alias, f"PRAGMA busy_timeout = {wanted}")
            return f"PRAGMA busy_timeout = {before}"
        case "mysql":
            values = {"innodb_lock_wait_timeout": f"{math.ceil(limits.lock_timeout)}"}
            if getattr(connection, "mysql_is_mariadb", False):
                # MySQL has no limit for statements that write.
                values["max_statement_time"] = f"{limits.statement_timeout}"
            kept = [f"@payme_{name} = @@SESSION.{name}" for name in values]
            given = [f"{name} = {value}" for name, value in values.items()]
            _send(alias, f"SET {', '.join([*kept, *given])}")
            return f"SET {', '.join(f'{name} = @payme_{name}' for name in values)}"
        case _:
            return None


def _send(alias: str, statement: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None
