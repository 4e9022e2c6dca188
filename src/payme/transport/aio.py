"""The asyncio transport: the loop's own transports, under asyncio as under uvloop."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from payme.transport.address import STAGGER, Address, Endpoint, Socket
from payme.transport.base import Reply, Request
from payme.transport.exchange import failure
from payme.transport.pool import Connection, Lease, Pool

_Loop = asyncio.AbstractEventLoop


class _Connection(Connection, asyncio.BufferedProtocol):
    _transport: Any = None
    _waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002
        return self.exchange.buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self.exchange.received(nbytes)
        except OSError as error:
            self.connection_lost(error)
        else:
            if self._waiter is not None and (self.exchange.settled or self.exchange.unsent):
                self._wake(self._waiter)

    def _wake(self, waiter: asyncio.Future[None]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> None:
        self.buffer_updated(0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.exchange.alive = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionError("the connection was lost"))

    async def settle(self) -> None:
        exchange = self.exchange
        while exchange.unsent or not exchange.settled:
            if exchange.unsent:
                self._transport.write(exchange.unsent)
                exchange.unsent = b""
            if not exchange.settled:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        if self._transport.get_write_buffer_size():
            # An answer to half a request; the other half must not leave before the next one.
            exchange.alive = False

    def discard(self) -> None:
        # The other end sees it at once; the loop closes the socket in its next round.
        super().discard()
        self._transport.abort()

    def close(self) -> None:
        self.place = None
        self.discard()


async def connect(addresses: list[Address]) -> Socket:
    """Try addresses side by side, each a moment after the one before; the first one wins."""
    trying: set[asyncio.Task[Socket]] = set()
    error: BaseException | None = None
    waiting = list(addresses)
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.ensure_future(_try(*waiting.pop(0))))
            done, _ = await asyncio.wait(
                trying,
                timeout=STAGGER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in done:
                trying.remove(one)
                error = one.exception()
                if error is None:
                    return one.result()
    finally:
        for one in trying:
            one.cancel()
            one.add_done_callback(_close)
    raise error or OSError("the host has no address")


async def _try(family: int, address: tuple[str, int]) -> Socket:
    sock = Socket(family)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _close(task: asyncio.Task[Socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


class AsyncioTransport:
    """Asyncio transport; each event loop has a pool of its own. Arguments: `BlockingTransport`."""

    def __init__(
        self,
        url: str,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        max_connections: int = 100,
    ) -> None:
        self._endpoint = Endpoint(url, ssl_context, proxy)
        self._limit = max_connections
        self._pools: dict[_Loop, tuple[Pool[_Connection], AsyncGenerator[None]]] = {}

    async def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        request.sent = False
        loop = asyncio.get_running_loop()
        pool = self._pools[loop][0] if loop in self._pools else await self._own_pool(loop)
        lease = Lease[_Connection]()
        try:
            async with asyncio.timeout(request.timeout):
                if not pool.take(lease, request.max_idle):
                    await self._wait(pool, lease, request.max_idle)
                connection = lease.connection
                if connection is None:
                    async with asyncio.timeout(request.connect_timeout):
                        connection = await self._open(pool, lease)
                connection.exchange.begin(request)
                request.sent = True
                await connection.settle()
            reply = connection.exchange.reply(connection.discard)
            pool.give(lease)
        except (OSError, ValueError) as error:
            raise failure(error, request) from None
        finally:
            lease.ring = lease.place = None
            pool.end(lease)
        return reply

    async def _wait(
        self, pool: Pool[_Connection], lease: Lease[_Connection], max_idle: float
    ) -> None:
        bell = asyncio.Event()
        pool.stand_in_line(lease, bell.set)
        while not pool.take(lease, max_idle):
            await bell.wait()
            bell.clear()
        lease.ring = None
        pool.ring()

    async def _open(self, pool: Pool[_Connection], lease: Lease[_Connection]) -> _Connection:
        bell = asyncio.Event()
        loop = asyncio.get_running_loop()
        look_up = pool.look_up(self._endpoint, partial(loop.call_soon_threadsafe, bell.set))
        if look_up.found is None:
            await bell.wait()
        sock = await connect(look_up.addresses())
        try:
            connection = _Connection(sock, self._endpoint)
            await loop.create_connection(lambda: connection, sock=sock)
        except BaseException:
            sock.close()
            raise
        lease.connection = connection
        if lease.place is not None:
            lease.place.sock = sock
        for _ in connection.exchange.opening():
            await connection.settle()
        return connection

    async def _own_pool(self, loop: _Loop) -> Pool[_Connection]:
        for ended in [other for other in self._pools if other.is_closed()]:
            self._pools.pop(ended, None)
        pool = Pool[_Connection](self._limit)
        keeper = self._keep(loop, pool)
        self._pools[loop] = pool, keeper
        await anext(keeper)
        return pool

    async def _keep(self, loop: _Loop, pool: Pool[_Connection]) -> AsyncGenerator[None]:
        """Live as long as the loop: `asyncio.run` closes generators before the loop ends."""
        try:
            yield
        finally:
            self._pools.pop(loop, None)
            pool.close()
            # What was ended closes its sockets in the next round of the loop.
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Close the connections of the running loop; other loops close theirs when they end."""
        _, keeper = self._pools.get(asyncio.get_running_loop(), (None, None))
        if keeper is not None:
            await keeper.aclose()
