"""The transactions that the stores of `payme.merchant` keep, read by SQLAlchemy.

The store on SQLAlchemy and the one on Django call their table `payme_transaction`, and its columns
alike.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from payme.charges.audit.books import BATCH, only_box
from payme.charges.audit.differences import MerchantTransaction
from payme.errors import ConfigurationError
from payme.merchant.entities import box_name
from payme.merchant.stores.sqlalchemy import transactions as table

_COLUMNS: Final = [table.c[name] for name in MerchantTransaction._fields]

# A shop on asyncio names a driver that can't be used here.
_DRIVERS: Final = {
    "sqlite+aiosqlite": "sqlite",
    **dict.fromkeys(
        ("postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg_async"),
        "postgresql+psycopg",
    ),
}


class SqlTransactions:
    """Transactions in a database of SQLAlchemy's; nothing is written.

    Args:
        url: Its address, such as `sqlite:///shop.db` or `postgresql://shop@db/shop`.
        box: Name of the cash-box whose transactions are read; None for the only one that has any.

    Raises:
        ConfigurationError: It is no address, there is no table of transactions, `box` can't be the
            name of a cash-box, or it is None and several have transactions.

    Example:
        >>> with SqlTransactions("postgresql://shop@db/shop") as transactions:
        ...     audit = Audit(payme, ledger, period, transactions=transactions)
    """

    def __init__(self, url: str, *, box: str | None = None) -> None:
        named = None if box is None else box_name(box)
        self._engine = sa.create_engine(_normal(url), hide_parameters=True)
        try:
            self._of_box = self._chosen(named)
        except BaseException:
            self.close()
            raise

    def _chosen(self, box: str | None) -> "sa.ColumnElement[bool]":
        database = sa.inspect(self._engine)
        if not database.has_table(table.name):
            raise ConfigurationError(
                f"transactions: this database has no table {table.name}; expected the one of the "
                f"shop's Merchant API"
            )
        columns = {one["name"] for one in database.get_columns(table.name)}
        if table.c.box.name not in columns:
            # The shop has not been started since cash-boxes have names: all have the empty one.
            return sa.false() if box else sa.true()
        if box is None:
            with self._engine.begin() as connection:
                box = only_box(connection.execute(sa.select(table.c.box).distinct()).scalars())
        return table.c.box == box

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def between(self, start: int, end: int) -> Iterator[MerchantTransaction]:
        """Read those of a period page by page; see `Transactions`."""
        time, after = start, ""
        while page := self._read(
            table.c.time.between(time, end),
            sa.or_(table.c.time > time, table.c.id > after),
        ):
            yield from page
            time, after = page[-1].time, page[-1].id

    def find(self, ids: Sequence[str]) -> list[MerchantTransaction]:
        """Look some up; see `Transactions`."""
        return self._read(table.c.id.in_(ids))

    def _read(self, *which: "sa.ColumnElement[bool]") -> list[MerchantTransaction]:
        query: sa.Select[Any] = sa.select(*_COLUMNS).where(self._of_box, *which)
        query = query.order_by(table.c.time, table.c.id).limit(BATCH)
        with self._engine.begin() as connection:
            return [MerchantTransaction(*row) for row in connection.execute(query)]


def _normal(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "transactions: expected a URL such as sqlite:///shop.db or "
            "postgresql://user@host/database"
        ) from None
    return parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
