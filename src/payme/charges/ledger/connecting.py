"""How a ledger reaches its database: drivers, limits of time, and what must be safe on disk.

Before a payment leaves, the intent to pay is stored. A database that answers "committed" and
forgets it in a crash would let the charge be paid a second time, so both databases are told to wait
for the disk.
"""

import sqlite3
from time import monotonic, sleep
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.event import listens_for
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from payme.errors import ConfigurationError

# Seconds to wait for another writer of SQLite.
_BUSY: Final = 30.0
# As many connections as SQLAlchemy opens unless told otherwise; but it would close ten of them
# again each time, and a hundred charges in flight open them all the time.
_POOL: Final[dict[str, Any]] = {"pool_size": 15, "max_overflow": 0}
# A host that vanished answers nothing, not even "closed"; a runner would wait for it for hours.
# Seconds until connecting is given up, and until a silent connection is tested; milliseconds until
# what was sent and never acknowledged ends it (libpq's names, in drivers that are built on it).
_WAITS: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_BUILT_ON_LIBPQ: Final = frozenset({"psycopg", "psycopg2"})
# `local`, `remote_write` and `remote_apply` wait for the disk, too, and stay.
_WAIT_FOR_THE_DISK: Final = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)
_IS_SET_UP: Final = "payme waits for the disk"


def engine_of(given: sa.Engine | str) -> sa.Engine:
    """Return the engine of a ledger.

    Args:
        given: An engine, or its URL.

    Raises:
        ConfigurationError: The database is neither SQLite in a file nor PostgreSQL.
    """
    engine = given
    if isinstance(engine, str):
        url = _normal(engine)
        engine = _prepared(sa.create_engine(url, **_options(url)))
    return _durable(engine)


def async_engine_of(given: AsyncEngine | str) -> AsyncEngine:
    """Return the engine of an asyncio ledger; see `engine_of`."""
    engine = given
    if isinstance(engine, str):
        url = _normal(engine, "sqlite+aiosqlite")
        engine = create_async_engine(url, **_options(url))
        _prepared(engine.sync_engine)
    _durable(engine.sync_engine)
    return engine


def _normal(given: str, sqlite: str = "sqlite") -> sa.URL:
    """Parse a URL, and name the driver where it names none.

    Args:
        given: The URL.
        sqlite: Driver of SQLite.

    Raises:
        ConfigurationError: It is none, or its database is neither SQLite in a file nor PostgreSQL.
    """
    try:
        parsed = sa.make_url(given)
    except ArgumentError:
        raise ConfigurationError(
            "engine: expected a URL such as sqlite:///payme.db or postgresql://user@host/database"
        ) from None
    plain = {"sqlite": sqlite, **dict.fromkeys(("postgres", "postgresql"), "postgresql+psycopg")}
    # Checked before the driver is looked for, which need not be there.
    parsed = parsed.set(drivername=plain.get(parsed.drivername, parsed.drivername))
    _check_database(parsed.get_backend_name())
    if parsed.get_backend_name() == "sqlite" and _is_in_memory(parsed):
        # Each thread would have a database of its own, and a crash would end them all.
        raise ConfigurationError(
            "engine: got sqlite in memory, expected a file: sqlite:///payme.db"
        )
    return parsed


def _is_in_memory(url: sa.URL) -> bool:
    name = url.database
    return not name or ":memory:" in name or url.query.get("mode") == "memory"


def _options(url: sa.URL) -> dict[str, Any]:
    waits: dict[str, int] = {}
    if url.get_driver_name() in _BUILT_ON_LIBPQ:
        waits = {name: wait for name, wait in _WAITS.items() if name not in url.query}
    return {"hide_parameters": True, "connect_args": waits, **_POOL}


def _check_database(name: str) -> None:
    if name not in ("sqlite", "postgresql"):
        raise ConfigurationError(f"engine: got {name}, expected sqlite or postgresql")


def _durable(engine: sa.Engine) -> sa.Engine:
    _check_database(engine.dialect.name)
    if engine.dialect.name == "postgresql":
        listens_for(engine, "checkout")(_wait_for_the_disk)
    return engine


def _wait_for_the_disk(connection: Any, record: Any, _proxy: Any) -> None:
    """Set up a connection of PostgreSQL's once; the pool may have opened it before the ledger."""
    if _IS_SET_UP in record.info:
        return
    cursor = connection.cursor()
    cursor.execute(_WAIT_FOR_THE_DISK)
    cursor.close()
    connection.commit()
    record.info[_IS_SET_UP] = True


def _prepared(engine: sa.Engine) -> sa.Engine:
    """Set up an engine of our own."""
    if engine.dialect.name == "sqlite":
        listens_for(engine, "connect")(_set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Let readers and one writer work side by side, and writers wait for each other."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    # Of a write-ahead log some builds of SQLite wait for the disk at checkpoints only.
    cursor.execute("PRAGMA synchronous=FULL")
    _write_ahead(cursor)
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch the file to write-ahead logging; SQLite itself does not wait for that.

    Of workers that start at once on a new file, one switches and the others find it switched.
    """
    until = monotonic() + _BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() >= until:
                raise
            sleep(0.02)
        else:
            return
