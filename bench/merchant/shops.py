"""Contestants with a database and a server of their own, all running at once."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from tests.support.postgres import postgres_database

from bench.merchant.contestants import CONTESTANTS
from bench.merchant.load import drive
from bench.merchant.payments import Tally, echoed, payment
from bench.merchant.servers import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client.environments import Environment
    from bench.merchant.contestants import Contestant
    from bench.merchant.payments import Payment
    from bench.merchant.servers import Server

ORDERS = 200_000
"""Orders of each shop; every payment pays one of its own."""

HISTORY = 100_000
"""Payments of other orders that are stored before a shop is measured again."""


@dataclass
class Shop:
    """One contestant.

    Attributes:
        contestant: Who.
        environment: Its interpreter.
        database: libpq URL of its database.
        server: Its server.
        tally: What came of all calls.
    """

    contestant: Contestant
    environment: Environment
    database: str
    server: Server
    tally: Tally

    def __post_init__(self) -> None:
        self._numbers = iter(range(1, ORDERS + 1))

    def next_order(self) -> int:
        """Return an order that nobody paid yet."""
        return next(self._numbers)

    def payments(self, count: int) -> Iterator[Payment]:
        """Yield payments of so many orders."""
        pay = payment if self.contestant.has_shop else echoed
        for number in itertools.islice(self._numbers, count):
            yield pay(number, self.tally)

    def drive(self, lanes: int, count: int) -> int:
        """Make so many payments and return how long that took, in ns."""
        return drive(self.server.port, lanes, self.payments(count))

    def fill(self) -> None:
        """Make the orders."""
        if self.contestant.has_shop:
            self._execute(
                "INSERT INTO shop_order (id, amount, status) "
                "SELECT n, 500, 'waiting' FROM generate_series(1, %(last)s) AS n",
                {"last": ORDERS},
            )

    def remember(self) -> None:
        """Store payments of former days."""
        first = ORDERS + 1
        self._execute(self.contestant.history, {"first": first, "last": ORDERS + HISTORY})

    def paid_orders(self) -> int:
        """Return how many orders the shop has marked as paid."""
        return self._execute("SELECT count(*) FROM shop_order WHERE status = 'paid'").fetchone()[0]

    def _execute(self, statement: str, parameters: dict[str, int] | None = None) -> psycopg.Cursor:
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            # The server that measures has no autovacuum that would do it.
            if parameters:
                connection.execute("VACUUM ANALYZE")
            return cursor


@contextmanager
def opened(environments: dict[str, Environment]) -> Iterator[list[Shop]]:
    """Run every contestant's server, with a full shop."""
    with ExitStack() as stack:
        shops = []
        for contestant in CONTESTANTS:
            environment = environments[contestant.environment]
            database = stack.enter_context(postgres_database())
            server = stack.enter_context(served(contestant, environment, database))
            shop = Shop(contestant, environment, database, server, Tally())
            shop.fill()
            shops.append(shop)
        yield shops
