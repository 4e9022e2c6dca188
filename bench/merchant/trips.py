"""How often a server waits for PostgreSQL, counted between the two."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager, suppress
from statistics import median
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.merchant.payments import METHODS, Tally, payment
from bench.merchant.servers import HOST, served
from bench.sandbox.load import Lane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.merchant.shops import Shop

WARMING = 12
"""Payments before anything is counted: psycopg prepares a statement at its sixth execution."""

COUNTED = 5
SETTLED_S = 0.05
"""What a server does after its answer, such as giving a connection back, is counted too."""

_WAITS = b"QS"
"""Query and Sync: the messages after which a client waits for the server."""


class Messages:
    """Reads the types of the messages that a client of PostgreSQL sends.

    Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    def __init__(self) -> None:
        self._rest = b""
        self._typed = 0  # The first message has no type.

    def feed(self, data: bytes) -> Iterator[int]:
        """Yield the types of the messages that are whole now."""
        self._rest += data
        while (length := self._length()) is not None and len(self._rest) >= length:
            if self._typed:
                yield self._rest[0]
            self._rest, self._typed = self._rest[length:], 1

    def _length(self) -> int | None:
        if len(self._rest) < self._typed + 4:
            return None
        return int.from_bytes(self._rest[self._typed : self._typed + 4]) + self._typed


class Relay:
    """Stands between a server and PostgreSQL.

    Attributes:
        trips: How often a client has waited so far.
        port: Where it listens.
    """

    def __init__(self, host: str, port: int) -> None:
        self.trips = 0
        self._upstream = (host, port)
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept nobody any more."""
        # A thread that waits in `accept` would keep a closed listener alive.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.create_connection(self._upstream)
                for one in (client, upstream):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Thread(target=self._copy, args=(client, upstream, Messages()), daemon=True).start()
                Thread(target=self._copy, args=(upstream, client, None), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, messages: Messages | None) -> None:
        with suppress(OSError), source, sink:
            while data := source.recv(65536):
                if messages is not None:
                    self.trips += sum(kind in _WAITS for kind in messages.feed(data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed(database: str) -> Iterator[tuple[str, Relay]]:
    """Put a relay before a database; yield the URL through it, and the relay."""
    url = urlsplit(database)
    relay = Relay(url.hostname or HOST, url.port or 5432)
    credentials = url.netloc.rpartition("@")[0]
    try:
        yield url._replace(netloc=f"{credentials}@{HOST}:{relay.port}").geturl(), relay
    finally:
        relay.close()


def counted(shop: Shop) -> dict[str, float]:
    """Count the round trips of each method, one request at a time.

    Args:
        shop: Whose orders are paid, by a server of its own.
    """
    seen: dict[str, list[int]] = {method: [] for method in METHODS}
    with (
        relayed(shop.database) as (database, relay),
        served(shop.contestant, shop.environment, database) as server,
    ):
        lane = Lane(server.port)
        for _ in range(WARMING):
            pay(shop, lane, relay)
        for _ in range(COUNTED):
            for method, trips in pay(shop, lane, relay).items():
                seen[method].append(trips)
        lane.socket.close()
    return {method: median(trips) for method, trips in seen.items()}


def pay(shop: Shop, lane: Lane, relay: Relay) -> dict[str, int]:
    """Make a payment, and return the round trips by method."""
    tally, trips = Tally(), {}
    calls, body = payment(shop.next_order(), tally), None
    for method in METHODS:
        before = relay.trips
        lane.socket.sendall(next(calls) if body is None else calls.send(body))
        while (body := lane.take()) is None:
            pass
        time.sleep(SETTLED_S)
        trips[method] = relay.trips - before
    with suppress(StopIteration):
        calls.send(body)
    shop.tally.paid += tally.paid
    shop.tally.answered += tally.answered
    shop.tally.failed += tally.failed
    shop.tally.flaws += tally.flaws
    return trips
