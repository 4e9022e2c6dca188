"""Network streams under `httpcore2`: deadlines, joined writes, and the moment a byte leaves.

`httpcore2` hands the timeout of a request, untouched, to every operation on the stream. A
`Passage` stands in for that number: to `httpcore2` it is a float, to the streams it is the
deadline of the whole request and the place to note that bytes left. That note is what tells
`NotSent` from `OutcomeUnknown`.

Writes are joined until the end of the request, which httpcore2 marks with an empty write, so a
request leaves as one TLS record instead of two. Nothing may stay behind after that: it would leave
with the next request, long after the caller was told the outcome.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable
from time import monotonic
from typing import Any, Final, Self

import httpcore2

_MOST_UNREAD: Final = 1 << 20
"""Bytes that may wait for a reader before the peer is made to wait."""


class Passage(float):
    """One request on its way.

    Attributes:
        sent: A byte of the request may have left.
    """

    __slots__ = ("_connect_ends", "_ends", "_host", "sent")

    def __new__(cls, timeout: float, connect_timeout: float, host: str | None = None) -> Self:
        """Start the clock.

        Args:
            timeout: Seconds for all of it.
            connect_timeout: Seconds for a connection.
            host: Host that TLS is spoken with; None for plain HTTP.
        """
        passage = super().__new__(cls, max(timeout, 0.0))
        now = monotonic()
        passage._ends = now + timeout
        passage._connect_ends = now + min(timeout, connect_timeout)
        passage._host = host
        passage.sent = False
        return passage

    _ends: float
    _connect_ends: float
    _host: str | None
    sent: bool

    def leave(self, peer: str | None) -> None:
        """Note that bytes are about to leave.

        Args:
            peer: Host that TLS was agreed with on the stream. What goes to a proxy before that is
                its CONNECT, and no part of the request.
        """
        if self._host in (None, peer):
            self.sent = True

    def left(self) -> float:
        """Seconds until the deadline; zero or less when it is over."""
        return self._ends - monotonic()

    def left_to_connect(self) -> float:
        """Seconds until the connection must stand."""
        return self._connect_ends - monotonic()


class Stream(httpcore2.NetworkStream):
    """Blocking stream."""

    def __init__(self, inner: httpcore2.NetworkStream, peer: str | None = None) -> None:
        self._inner = inner
        self._peer = peer
        self._pending = b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keep bytes until the end of the request, then send them."""
        self._pending += buffer
        if buffer:
            return
        data, self._pending = self._pending, b""
        if isinstance(timeout, Passage):
            timeout.leave(self._peer)
        self._inner.write(data, _left(timeout, httpcore2.WriteTimeout))

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes, for as long as the deadline allows."""
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def discard(self) -> None:
        """End the connection; the pool takes an ended one for expired.

        The socket is not closed: another thread may be using it by now, and a new connection could
        get its number. The base class is called, because `SSLSocket` would first drop its TLS.
        """
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._inner.get_extra_info("socket"), socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Shake hands."""
        secured = self._inner.start_tls(ssl_context, server_hostname, _left_to_connect(timeout))
        return Stream(secured, server_hostname)

    def get_extra_info(self, info: str) -> Any:
        """Pass through."""
        return self._inner.get_extra_info(info)


class Backend(httpcore2.NetworkBackend):
    """Opens blocking streams."""

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Open a connection."""
        stream = self._inner.connect_tcp(
            host, port, _left_to_connect(timeout), local_address, socket_options
        )
        return Stream(stream)


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    if not isinstance(timeout, Passage):
        return timeout
    left = timeout.left()
    if left <= 0:
        raise error("timed out")
    return left


def _left_to_connect(timeout: float | None) -> float | None:
    if not isinstance(timeout, Passage):
        return timeout
    left = timeout.left_to_connect()
    if left <= 0:
        raise httpcore2.ConnectTimeout("timed out")
    return left


class _Receiver(asyncio.Protocol):
    """Collects what arrives for one reader, which is all that HTTP/1.1 needs."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.unread += data
        if len(self.unread) > _MOST_UNREAD and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._wake()

    def take(self, most: int) -> bytes:
        data = bytes(self.unread[:most])
        del self.unread[:most]
        if self._paused and not self.unread and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class AsyncStream(httpcore2.AsyncNetworkStream):
    """Stream on asyncio's own transports.

    `httpcore2` comes with one on `anyio`, whose TLS is written in Python: it costs 40 % more CPU
    per call. The deadline is kept by the caller, with one timer for the whole request.
    """

    def __init__(
        self, transport: asyncio.Transport, receiver: _Receiver, peer: str | None = None
    ) -> None:
        self._transport = transport
        self._peer = peer
        self._receiver = receiver
        self._pending = b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keep bytes until the end of the request, then send them."""
        self._pending += buffer
        if buffer:
            return
        data, self._pending = self._pending, b""
        if isinstance(timeout, Passage):
            timeout.leave(self._peer)
        self._transport.write(data)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Wait for bytes."""
        receiver = self._receiver
        if not receiver.unread and not receiver.ended:
            await receiver.arrival()
        if receiver.unread:
            return receiver.take(max_bytes)
        if receiver.error is not None:
            raise httpcore2.ReadError(str(receiver.error))
        return b""

    async def aclose(self) -> None:
        """Close the socket at once: every answer was read to its end, or is given up."""
        self.discard()
        await asyncio.sleep(0)

    def discard(self) -> None:
        """Close the socket; the pool takes a closed one for expired."""
        self._receiver.ended = True
        self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Shake hands."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_left_to_connect(timeout)):
                secured = await loop.start_tls(
                    self._transport, self._receiver, ssl_context, server_hostname=server_hostname
                )
        except (OSError, TimeoutError) as error:
            self._transport.abort()
            raise _connect_error(error) from error
        if secured is None:
            raise httpcore2.ConnectError("the connection was closed during the TLS handshake")
        return AsyncStream(secured, self._receiver, server_hostname)

    def get_extra_info(self, info: str) -> Any:
        """Tell what httpcore2 asks: whether an idle connection is dead, and the TLS object."""
        if info == "is_readable":
            return self._receiver.ended or bool(self._receiver.unread)
        return self._transport.get_extra_info(info)


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """Opens streams on the running asyncio loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        """Open a connection."""
        local = None if local_address is None else (local_address, 0)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_left_to_connect(timeout)):
                transport, receiver = await loop.create_connection(
                    _Receiver, host, port, local_addr=local, happy_eyeballs_delay=0.25
                )
        except (OSError, TimeoutError) as error:
            raise _connect_error(error) from error
        return AsyncStream(transport, receiver)


def _connect_error(error: Exception) -> Exception:
    # TimeoutError is an OSError too, so it is asked first.
    if isinstance(error, TimeoutError):
        return httpcore2.ConnectTimeout("timed out")
    return httpcore2.ConnectError(str(error))
