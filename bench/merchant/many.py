"""Databases with any number of transactions, made by the database itself."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from payme.merchant.stores.sqlalchemy import metadata

DAY_MS = 86_400_000
START_MS = 1_699_920_000_000
"""Midnight of a day, UTC."""

_COLUMNS = (
    "id, order_id, time, amount, account, create_time, perform_time, cancel_time, state, reason, "
    "receivers, fiscal, reserves"
)
# Ids are spread over their index, as Payme's are.
_FILL = {
    "postgresql": f"""
        INSERT INTO payme_transaction ({_COLUMNS})
        SELECT lpad(to_hex(n * 2654435761 % 4294967296), 8, '0') || lpad(to_hex(n), 16, '0'),
            n, t, 50000, json_build_object('order_id', n), t + 500, t + 9000, 0, 2, NULL,
            '[]', '{{}}', n
        FROM (SELECT n, :start + n * :step AS t FROM generate_series(0, :count - 1::bigint) AS n)
    """,
    "sqlite": f"""
        INSERT INTO payme_transaction ({_COLUMNS})
        WITH RECURSIVE counted(n) AS
            (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n < :count - 1)
        SELECT printf('%08x%016x', n * 2654435761 % 4294967296, n),
            n, t, 50000, json_object('order_id', n), t + 500, t + 9000, 0, 2, NULL,
            '[]', '{{}}', n
        FROM (SELECT n, :start + n * :step AS t FROM counted)
    """,
}


class Period(NamedTuple):
    """A period, both ends included, in ms since 1970 UTC."""

    from_: int
    to: int


def fill(url: str, count: int, a_day: int) -> None:
    """Store performed transactions.

    Args:
        url: SQLAlchemy's URL of an empty database.
        count: How many.
        a_day: How many of them Payme created on each day.
    """
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    values = {"start": START_MS, "step": DAY_MS // a_day, "count": count}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(sa.text("PRAGMA synchronous = OFF"))
        connection.execute(sa.text(_FILL[engine.dialect.name]), values)
        connection.execute(sa.text("VACUUM"))
        connection.execute(sa.text("ANALYZE"))
    engine.dispose()


def days(first: int, count: int) -> Period:
    """Return a period of whole days.

    Args:
        first: Its first day, counted from 0.
        count: How many days.
    """
    start = START_MS + first * DAY_MS
    return Period(start, start + count * DAY_MS - 1)
