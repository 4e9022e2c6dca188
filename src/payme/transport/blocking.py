"""The blocking transport: every wait ends at the deadline."""

import errno
import os
import selectors
import socket
import ssl
from collections import deque
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from payme.transport.address import STAGGER, Address, Endpoint, Socket
from payme.transport.base import Reply, Request
from payme.transport.exchange import failure
from payme.transport.pool import Connection, Lease, Pool

# Seconds after which somebody in line looks for himself: what rings may have been interrupted.
_RECHECK: Final = 0.05

_STARTED: Final = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _Connection(Connection):
    def settle(self, deadline: float) -> None:
        exchange = self.exchange
        self.sock.settimeout(_left(deadline))
        while True:
            if exchange.unsent:
                self.sock.sendall(exchange.unsent)
                exchange.unsent = b""
            if exchange.settled:
                return
            exchange.received(self.sock.recv_into(exchange.buffer))
            if not exchange.settled:
                self.sock.settimeout(_left(deadline))


def connect(addresses: list[Address], deadline: float, trying: list[Socket]) -> Socket:
    """Try addresses side by side, each a moment after the one before; the first one wins.

    Args:
        addresses: Where to.
        deadline: When to give up.
        trying: Takes every socket; the caller closes them, except the one that won.
    """
    waiting = deque(addresses)
    code = errno.EADDRNOTAVAIL
    with selectors.DefaultSelector() as selector:
        while waiting or selector.get_map():
            left = _left(deadline)
            if waiting:
                family, address = waiting.popleft()
                trying.append(Socket(family))
                code = trying[-1].connect_ex(address)
                if code not in _STARTED:
                    continue
                selector.register(trying[-1], selectors.EVENT_WRITE)
            for key, _ in selector.select(min(STAGGER, left) if waiting else left):
                sock = next(one for one in trying if one is key.fileobj)
                selector.unregister(sock)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not code:
                    return sock
    raise OSError(code, os.strerror(code))


class BlockingTransport:
    """Blocking transport over a pool of kept connections.

    Threads share the pool. A forked child makes a pool of its own and leaves its parent's alone.

    Args:
        url: Where to post, such as `https://checkout.paycom.uz/api`.
        ssl_context: TLS settings; None means the system's trust store.
        proxy: Address of a proxy; None means that the environment decides, empty means none.
        max_connections: How many connections are open at once.
    """

    def __init__(
        self,
        url: str,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        max_connections: int = 100,
    ) -> None:
        self._endpoint = Endpoint(url, ssl_context, proxy)
        self._limit = max_connections
        self._pools: dict[int, Pool[_Connection]] = {}

    def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        request.sent = False
        deadline = monotonic() + request.timeout
        pool = self._pools.get(os.getpid()) or self._own_pool()
        lease = Lease[_Connection]()
        try:
            if not pool.take(lease, request.max_idle):
                self._wait(pool, lease, request.max_idle, deadline)
            connection = lease.connection or self._open(
                pool, lease, min(deadline, monotonic() + request.connect_timeout)
            )
            connection.exchange.begin(request)
            request.sent = True
            connection.settle(deadline)
            reply = connection.exchange.reply(connection.discard)
            pool.give(lease)
        except (OSError, ValueError) as error:
            raise failure(error, request) from None
        finally:
            # Assigned here and first: a place must not stay with whoever keeps the exception.
            lease.ring = lease.place = None
            pool.end(lease)
        return reply

    def _wait(
        self, pool: Pool[_Connection], lease: Lease[_Connection], max_idle: float, deadline: float
    ) -> None:
        bell = SimpleQueue[None]()
        pool.stand_in_line(lease, partial(bell.put, None))
        while not pool.take(lease, max_idle):
            with suppress(Empty):
                bell.get(timeout=min(_left(deadline), _RECHECK))
        lease.ring = None
        pool.ring()

    def _open(
        self, pool: Pool[_Connection], lease: Lease[_Connection], deadline: float
    ) -> _Connection:
        bell = SimpleQueue[None]()
        look_up = pool.look_up(self._endpoint, partial(bell.put, None))
        while look_up.found is None:
            with suppress(Empty):
                bell.get(timeout=_left(deadline))
        trying: list[Socket] = []
        try:
            sock = connect(look_up.addresses(), deadline, trying)
            if lease.place is not None:
                lease.place.sock = sock
            connection = lease.connection = _Connection(sock, self._endpoint)
            trying.remove(sock)
        finally:
            for loser in trying:
                loser.close()
        for _ in connection.exchange.opening():
            connection.settle(deadline)
        return connection

    def _own_pool(self) -> Pool[_Connection]:
        pid = os.getpid()
        # No lock: one that another thread held during a fork would stay locked in the child.
        pool = self._pools.setdefault(pid, Pool[_Connection](self._limit))
        for other in [owner for owner in self._pools if owner != pid]:
            inherited = self._pools.pop(other, None)
            # This process's copies of its parent's sockets; the parent's connections stay up.
            for sock in inherited.sockets() if inherited else ():
                sock.close()
        return pool

    def close(self) -> None:
        """Close the connections of this process."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()
