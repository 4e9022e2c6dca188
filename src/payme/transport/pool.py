"""Connections to one host: a stack of idle ones, and a limit.

Threads share it, and Ctrl+C or a task's time limit may strike at any instruction. So there is no
lock that an interruption could leave locked, and no counter that it could leave too high. What has
to be one step is one call of C (`append`, `pop`) or an assignment. Places are not counted: they
*are* weak references to the pool's anchor, which the interpreter counts, so that whatever drops a
place has freed it.
"""

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final
from weakref import getweakrefcount, getweakrefs, ref

from payme.transport.address import Endpoint, LookUp, Socket
from payme.transport.base import Reply
from payme.transport.exchange import Exchange

KEEPALIVE: Final = 30.0
"""Seconds an idle connection is kept (our choice: below the 60-75 s after which common servers
close theirs, so that a request rarely meets a connection that is being closed)."""


class _Anchor:
    """What places refer to."""


class Place(ref[_Anchor]):
    """Room for one connection, and its socket once there is one."""

    __slots__ = ("sock",)
    sock: Socket


class Connection:
    """A socket and the exchange on it; its place while it is idle, when nobody leases it."""

    settle: Callable[..., Any]
    """Send and receive until the exchange is settled."""

    def __init__(self, sock: Socket, endpoint: Endpoint) -> None:
        self.sock = sock
        self.exchange = Exchange(endpoint)
        self.idle_since = 0.0
        self.place: Place | None = None

    def is_usable(self) -> bool:
        """Read what came while it was idle: nothing, or a ticket of a TLS session."""
        try:
            self.sock.setblocking(False)
            self.exchange.received(self.sock.recv_into(self.exchange.buffer))
        except BlockingIOError:
            pass
        except OSError:
            self.exchange.alive = False
        return self.exchange.alive

    def discard(self) -> None:
        """End it, whoever uses it now: the next answer on it would not be his."""
        self.exchange.alive = False
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it."""
        self.place = None
        self.exchange.alive = False
        self.sock.close()


class Lease:
    """What one call holds of the pool; all of it is given up by assigning None.

    Attributes:
        connection: One that was idle, or the new one.
        place: Its place, or room for a new one.
        ring: Wakes the caller, who stands in line.
    """

    __slots__ = ("connection", "place", "ring")

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.place: Place | None = None
        self.ring: Callable[[], Any] | None = None

    def open(self, connection: Connection) -> None:
        """Put a new connection into its place."""
        if self.place is not None:
            self.place.sock = connection.sock
        self.connection = connection


class Pool:
    """The pool, with at most so many connections open at once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: deque[Connection] = deque()
        self._line: deque[Lease] = deque()
        self._anchor = _Anchor()
        self._look_up: LookUp | None = None

    def look_up(self, endpoint: Endpoint, ring: Callable[[], Any]) -> LookUp:
        """Look up the addresses, or join the look-up that is under way; it rings at the end."""
        look_up = self._look_up
        if look_up is None or look_up.found is not None:
            look_up = self._look_up = endpoint.look_up()
        look_up.bells.append(ring)
        return look_up

    def take(self, lease: Lease, max_idle: float) -> bool:
        """Lease a connection that was idle for at most so many seconds, or a place for a new one.

        Returns:
            False if all places are taken, or others were here before.
        """
        if self._line and self._first() not in (None, lease):
            return False
        return self._take_idle(lease, max_idle) or self._take_place(lease)

    def _take_idle(self, lease: Lease, max_idle: float) -> bool:
        while self._idle:
            try:
                lease.connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return False
            connection = lease.connection
            lease.place, connection.place = connection.place, None
            age = monotonic() - connection.idle_since
            if age <= max_idle and connection.is_usable():
                return True
            if max_idle < age <= KEEPALIVE:
                # Good enough for another call; those below have been idle for longer.
                self._put(lease, connection)
                return False
            lease.connection = lease.place = None
            connection.close()
        return False

    def _take_place(self, lease: Lease) -> bool:
        while True:
            lease.place = Place(self._anchor)
            if getweakrefcount(self._anchor) <= self._limit:
                return True
            lease.place = None
            try:
                self._idle.popleft().close()
            except IndexError:
                return False

    def stand_in_line(self, lease: Lease, ring: Callable[[], Any]) -> None:
        """Be woken when it may be one's turn."""
        lease.ring = ring
        self._line.append(lease)

    def leave_line(self, lease: Lease) -> None:
        """Make way for the next one."""
        lease.ring = None
        self._ring()

    def give(self, lease: Lease) -> Reply:
        """Take the answer, and leave a connection that can be used again to the others."""
        connection: Any = lease.connection
        reply: Reply = connection.exchange.reply(connection.discard)
        if connection.exchange.alive:
            connection.idle_since = monotonic()
            self._put(lease, connection)
        return reply

    def _put(self, lease: Lease, connection: Connection) -> None:
        connection.place, lease.place, lease.connection = lease.place, None, None
        self._idle.append(connection)

    def end(self, lease: Lease) -> None:
        """Close a connection that was not given back, and wake who waits."""
        if lease.connection is not None:
            lease.connection.close()
        if self._line:
            self._ring()

    def _first(self) -> Lease | None:
        with suppress(IndexError, ValueError):
            while (first := self._line[0]).ring is None:
                self._line.remove(first)
            return first
        return None

    def _ring(self) -> None:
        first = self._first()
        if first is not None and first.ring is not None:
            first.ring()

    def sockets(self) -> list[Socket]:
        """List the sockets of all connections, idle or not."""
        places: list[Any] = getweakrefs(self._anchor)
        return [place.sock for place in places if hasattr(place, "sock")]

    def close(self) -> None:
        """Close what is idle, and end what is in use."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()
        for sock in self.sockets():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
