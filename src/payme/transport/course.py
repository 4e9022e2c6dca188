"""The course of a request, the same for both styles: each only waits in its own way."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Any

from payme.transport.address import Endpoint
from payme.transport.base import Proxy, Request
from payme.transport.pool import Lease, Pool

Wait = tuple[Callable[..., Any], float]
"""What must be waited for, and until when on the monotonic clock."""

Bell = tuple[Callable[[], Any], Callable[..., Any]]
"""What rings it, from any thread, and what waits for it."""


class Sender:
    """What both transports share.

    Args:
        url: Where to post, such as `https://checkout.paycom.uz/api`.
        ssl_context: TLS settings; None means the system's trust store.
        proxy: A proxy in between.
        max_connections: How many connections are open at once.
    """

    _bell: Callable[[], Bell]
    _connect: Callable[..., Any]
    """Make the connection of a lease to one of the addresses."""

    def __init__(
        self,
        url: str,
        ssl_context: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        max_connections: int = 100,
    ) -> None:
        self._endpoint = Endpoint(url, ssl_context, proxy)
        self._limit = max_connections
        self._pools: dict[Any, Any] = {}

    def _course(self, pool: Pool, lease: Lease, request: Request) -> Iterator[Wait]:
        request.sent = False
        deadline = monotonic() + request.timeout
        if not pool.take(lease, request.max_idle):
            ring, heard = self._bell()
            pool.stand_in_line(lease, ring)
            while not pool.take(lease, request.max_idle):
                yield heard, deadline
            pool.leave_line(lease)
        if lease.connection is None:
            yield from self._opening(
                pool, lease, min(deadline, monotonic() + request.connect_timeout)
            )
        connection: Any = lease.connection
        connection.exchange.begin(request)
        request.sent = True
        yield connection.settle, deadline

    def _opening(self, pool: Pool, lease: Lease, deadline: float) -> Iterator[Wait]:
        ring, heard = self._bell()
        look_up = pool.look_up(self._endpoint, ring)
        while look_up.found is None:
            yield heard, deadline
        yield partial(self._connect, lease, look_up.addresses()), deadline
        connection: Any = lease.connection
        for _ in connection.exchange.opening():
            yield connection.settle, deadline
