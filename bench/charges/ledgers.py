"""Ledgers to measure on: databases, charges in them, and what stands in them afterwards."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import sqlalchemy as sa
from tests.support.postgres import postgres_database

from payme.charges import SqlLedger, orders
from payme.charges.ledger.sql import charges

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "A" * 43 + "="
"""Tokens are encrypted, as the documentation has it."""

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
AMOUNT = 50_000


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Make an empty database that waits for the disk; yield its URL.

    Args:
        kind: `SQLITE` or `POSTGRESQL`.
    """
    if kind == SQLITE:
        with TemporaryDirectory(prefix="payme-bench-") as folder:
            yield f"sqlite:///{Path(folder) / 'payme.db'}"
    else:
        with postgres_database(durable=True) as url:
            yield url


def opened(url: str) -> SqlLedger:
    """Open a ledger, blocking."""
    return SqlLedger(url, keys=[KEY])


def submit(url: str, token: str, first: int, count: int) -> None:
    """Store charges, in one transaction of the shop's."""
    with engine(url).begin() as connection:
        ledger = opened(url)
        for number in range(first, first + count):
            ledger.submit(*order(number, token).accepted(), connection=connection)
        ledger.close()


def order(number: int, token: str) -> orders.Order:
    """Return what a shop asks for."""
    return orders.order(
        time.time(), f"order-{number}", AMOUNT, {"order_id": number}, token,
        description=None, detail=None, payer=None, hold=False,
    )  # fmt: skip


def engine(url: str) -> sa.Engine:
    """Return an engine of the shop's own."""
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def states(url: str) -> dict[str, int]:
    """Count charges by state."""
    count = sa.select(charges.c.state, sa.func.count()).group_by(charges.c.state)
    shop = engine(url)
    with shop.connect() as connection:
        counted = dict(connection.execute(count).all())
    shop.dispose()
    return counted


def analyze(url: str) -> None:
    """Let the database count its rows, as its own housekeeping does sooner or later."""
    shop = engine(url)
    with shop.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    shop.dispose()


warnings.filterwarnings("ignore", message="card tokens are stored unencrypted")
