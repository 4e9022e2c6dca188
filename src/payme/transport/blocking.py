"""The blocking transport: every wait ends at the deadline."""

import errno
import os
import selectors
import socket
from collections import deque
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from payme.transport.address import STAGGER, Address, Socket
from payme.transport.base import Reply, Request, failure
from payme.transport.course import Bell, Sender
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

    Every socket is put into `trying`; the caller closes all but the winner.
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


class BlockingTransport(Sender):
    """Blocking transport over a pool of kept connections.

    Threads share the pool. A forked child makes a pool of its own and leaves its parent's alone.
    """

    _pools: dict[int, Pool]

    def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        pool = self._pools.get(os.getpid()) or self._own_pool()
        lease = Lease()
        try:
            for wait, deadline in self._course(pool, lease, request):
                wait(deadline)
            return pool.give(lease)
        except (OSError, ValueError) as error:
            raise failure(error, request) from None
        finally:
            # Assigned here and first: a place must not stay with whoever keeps the exception.
            lease.ring = lease.place = None
            pool.end(lease)

    def _bell(self) -> Bell:
        bell = SimpleQueue[None]()
        return partial(bell.put, None), partial(self._hear, bell)

    @staticmethod
    def _hear(bell: SimpleQueue[None], deadline: float) -> None:
        with suppress(Empty):
            bell.get(timeout=min(_left(deadline), _RECHECK))

    def _connect(self, lease: Lease, addresses: list[Address], deadline: float) -> None:
        trying: list[Socket] = []
        try:
            sock = connect(addresses, deadline, trying)
            lease.open(_Connection(sock, self._endpoint))
            trying.remove(sock)
        finally:
            for loser in trying:
                loser.close()

    def _own_pool(self) -> Pool:
        pid = os.getpid()
        # No lock: one that another thread held during a fork would stay locked in the child.
        pool = self._pools.setdefault(pid, Pool(self._limit))
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
