"""A ledger of SQLAlchemy's as the command line reads it."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Self

import click
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from payme.charges import Charge, ChargeNotFound, ChargeState, SqlLedger
from payme.charges.audit.sql import SqlTransactions
from payme.charges.core import Means, Save
from payme.charges.ledger.rows import is_proven, read_charge
from payme.charges.ledger.sql import COLUMNS
from payme.charges.ledger.sql import charges as table
from payme.cli.words import tell


class SqlBooks(SqlLedger):
    """See `payme.cli.books.Books`."""

    def __init__(self, url: str, keys: list[str]) -> None:
        with warnings.catch_warnings():
            # The command says it in its own words, where tokens are stored.
            warnings.filterwarnings("ignore", "card tokens are stored unencrypted")
            super().__init__(url, keys=keys)
        self.encrypts = bool(keys)
        self.seen: Callable[[Charge], None] = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change, and tell of it."""
        super().save(change, means)
        if is_proven(change) or change.after.needs_attention:
            self.seen(change.after)

    def begin(self) -> Any:
        """Begin a transaction for many charges."""
        return self._engine.begin()

    def walk(self, state: str | None = None, since: float = 0.0) -> Iterator[Charge]:
        """Read charges page by page."""
        return self.iterate(None if state is None else ChargeState(state), since)

    def charge(self, charge_id: str) -> Charge:
        """Read a charge.

        Raises:
            ChargeNotFound: There is none.
        """
        found = self.find(table.c.id == charge_id)
        if found is None:
            raise ChargeNotFound(f"no charge has the id {charge_id!r}")
        return found

    def of_receipt(self, receipt_id: str) -> Charge | None:
        """Find the charge that a receipt belongs to now."""
        return self.find(table.c.receipt_id == receipt_id)

    def find(self, which: "sa.ColumnElement[bool]") -> Charge | None:
        """Read one charge without what it is paid with."""
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(*COLUMNS).where(which).limit(1)).mappings().first()
        return None if row is None else read_charge(row)

    def waiting(self) -> int:
        """Count the charges that are due now or later."""
        due = sa.select(sa.func.count()).where(table.c.due.is_not(None))
        with self._engine.begin() as connection:
            return int(connection.execute(due).scalar_one())


def _nothing(_charge: Charge) -> None:
    pass


def opened(url: str, *, must_exist: bool) -> SqlBooks:
    """Open the ledger.

    Args:
        url: Its address.
        must_exist: Refuse a file of SQLite that is not there: a mistyped name is no empty ledger.

    Raises:
        click.UsageError: There is no such file, or it is another kind of database.
        ConfigurationError: The address or a key can't be right.
    """
    _check(url, must_exist=must_exist)
    written = os.environ.get("PAYME_LEDGER_KEYS", "").split(",")
    return SqlBooks(url, [key.strip() for key in written if key.strip()])


def _check(url: str, *, must_exist: bool) -> None:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        return  # `SqlLedger` has the words for it
    backend, name = parsed.get_backend_name(), parsed.database
    if backend not in ("sqlite", "postgres", "postgresql"):
        raise click.UsageError(
            tell(
                f"--ledger: {backend} berilgan, sqlite yoki postgresql kutilgan",
                f"--ledger: задано {backend}, ожидалось sqlite или postgresql",
                f"--ledger: got {backend}, expected sqlite or postgresql",
            )
        )
    if must_exist and _is_missing(parsed):
        raise click.UsageError(
            tell(
                f"{name} daftari yoʻq: uni `payme charges import` yaratadi",
                f"журнала {name} нет: его создаёт `payme charges import`",
                f"there is no ledger {name}: `payme charges import` makes one",
            )
        )


def _is_missing(url: sa.URL) -> bool:
    """Return whether it is a file of SQLite's that is not there; to connect would make it."""
    name = url.database
    is_file = url.get_backend_name() == "sqlite" and name and not name.startswith(":")
    return bool(is_file and not Path(str(name)).exists())


def transactions(url: str, box: str | None) -> AbstractContextManager[SqlTransactions]:
    """Open the merchant's transactions.

    Raises:
        click.UsageError: There is no such file.
        ConfigurationError: The address or the cash-box can't be right, the database has none, or
            those of several cash-boxes and `box` is None.
    """
    with suppress(ArgumentError):  # `SqlTransactions` has the words for it
        if _is_missing(sa.make_url(url)):
            file = sa.make_url(url).database
            raise click.UsageError(
                tell(
                    f"--transactions: {file} fayli yoʻq",
                    f"--transactions: файла {file} нет",
                    f"--transactions: there is no file {file}",
                )
            )
    return SqlTransactions(url, box=box)
