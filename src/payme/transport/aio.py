"""The asyncio transport: the loop's own transports, under asyncio as under uvloop."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from time import monotonic
from typing import Any

from payme.transport.address import STAGGER, Address, Socket
from payme.transport.base import Reply, Request, failure
from payme.transport.course import Bell, Sender
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
            if self.exchange.settled or self.exchange.unsent:
                self._wake()

    def eof_received(self) -> None:
        self.buffer_updated(0)

    def connection_lost(self, exc: Exception | None) -> None:
        self.exchange.alive = False
        self._wake(exc or ConnectionError("the connection was lost"))

    def _wake(self, error: Exception | None = None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if error is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(error)

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


class AsyncioTransport(Sender):
    """Asyncio transport; each event loop has a pool of its own."""

    _pools: dict[_Loop, tuple[Pool, AsyncGenerator[None]]]

    async def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        loop = asyncio.get_running_loop()
        pool = self._pools[loop][0] if loop in self._pools else await self._own_pool(loop)
        lease = Lease()
        try:
            for wait, deadline in self._course(pool, lease, request):
                async with asyncio.timeout(deadline - monotonic()):
                    await wait()
            return pool.give(lease)
        except (OSError, ValueError) as error:
            raise failure(error, request) from None
        finally:
            lease.ring = lease.place = None
            pool.end(lease)

    def _bell(self) -> Bell:
        bell = asyncio.Event()
        loop = asyncio.get_running_loop()
        return partial(loop.call_soon_threadsafe, bell.set), partial(self._hear, bell)

    @staticmethod
    async def _hear(bell: asyncio.Event) -> None:
        await bell.wait()
        bell.clear()

    async def _connect(self, lease: Lease, addresses: list[Address]) -> None:
        sock = await connect(addresses)
        try:
            connection = _Connection(sock, self._endpoint)
            await asyncio.get_running_loop().create_connection(lambda: connection, sock=sock)
        except BaseException:
            sock.close()
            raise
        lease.open(connection)

    async def _own_pool(self, loop: _Loop) -> Pool:
        for ended in [other for other in self._pools if other.is_closed()]:
            self._pools.pop(ended, None)
        pool = Pool(self._limit)
        keeper = self._keep(loop, pool)
        self._pools[loop] = pool, keeper
        await anext(keeper)
        return pool

    async def _keep(self, loop: _Loop, pool: Pool) -> AsyncGenerator[None]:
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
