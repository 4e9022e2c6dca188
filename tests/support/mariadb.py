"""A database in a MariaDB or MySQL that is there; none is started.

`PAYME_TEST_MARIADB_URL` names it, else the one on this computer is asked that lets `root` in
without a password. Who asks gets a database of its own, which is dropped at the end.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest


def _server() -> dict[str, Any]:
    url = urlsplit(os.environ.get("PAYME_TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306"))
    return {
        "host": url.hostname or "127.0.0.1",
        "port": url.port or 3306,
        "user": url.username or "root",
        "password": url.password or "",
    }


@contextmanager
def mariadb_database() -> Iterator[dict[str, Any]]:
    """Make an empty database, and drop it at the end; skips where no server answers.

    Yields:
        What Django connects with.
    """
    pymysql = pytest.importorskip("pymysql")
    server = _server()
    try:
        connection = pymysql.connect(
            **server, autocommit=True, connect_timeout=3, ssl_disabled=True
        )
    except pymysql.OperationalError as error:
        pytest.skip(f"needs MariaDB: start a server, or set PAYME_TEST_MARIADB_URL ({error})")
    name = f"payme_{uuid.uuid4().hex[:12]}"
    with connection, connection.cursor() as cursor:
        # With a collation that takes `a` and `A` for the same, as servers usually have it.
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        try:
            # On loopback; PyMySQL would load the authorities of the system at each connection.
            options = {"OPTIONS": {"ssl_disabled": True}}
            yield {"NAME": name, **{key.upper(): value for key, value in server.items()}, **options}
        finally:
            cursor.execute(f"DROP DATABASE {name}")
