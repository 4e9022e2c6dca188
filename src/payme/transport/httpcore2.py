"""The transport that ships: `httpcore2`, one pool per client.

This module is imported when the first request is made, because `httpcore2` and `ssl` are most of
what an import would cost.
"""

import asyncio

# Looking up a host name imports this codec; here it is imported while `lazy` keeps forks out.
import encodings.idna  # noqa: F401 # pyright: ignore[reportUnusedImport]
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2

from payme.transport.base import Reply, Request, TransportError
from payme.transport.streams import AsyncBackend, Backend, Passage

MAX_BODY: Final = 8 << 20
"""Bytes of an answer that are read; a page of 50 receipts has about 60 thousand."""

# Seconds an idle connection is kept (our choice: below the 60-75 s after which common servers
# close theirs, so that a request rarely meets a connection that is being closed).
_KEEPALIVE: Final = 30.0

# What httpcore2 raises. OSError stands for what may slip through from a socket.
_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    OSError,
    UnicodeError,
)


class _Terse(logging.Filter):
    """Leaves the name of an event, and drops what was said with it.

    httpcore2 logs at DEBUG what a server sent when it can't be parsed; a server or proxy that
    echoes the request would put the key and the card into the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().partition(" ")[0], ()
        return True


for _name in ("connection", "http11", "proxy"):
    logging.getLogger(f"httpcore2.{_name}").addFilter(_Terse())


class Options(NamedTuple):
    """How to connect.

    Attributes:
        url: Where to post, such as `https://checkout.paycom.uz/api`.
        ssl_context: TLS settings; None means the system's trust store.
        proxy: Address of a proxy; None means that the environment decides, empty means none.
        max_connections: How many connections are open at once.
    """

    url: str
    ssl_context: ssl.SSLContext | None = None
    proxy: str | None = None
    max_connections: int = 100


class _Endpoint:
    """What both transports share: the address, the headers, and the way a failure is told."""

    def __init__(self, options: Options) -> None:
        self._options = options
        parts = urlsplit(options.url)
        self.url = httpcore2.URL(options.url)
        self._tls_host = parts.hostname if parts.scheme == "https" else None
        self._proxy = _proxy(parts, options.proxy)
        self._headers = [
            (b"Host", _host_header(parts)),
            (b"Content-Type", b"application/json"),
            (b"Cache-Control", b"no-cache"),
            (b"User-Agent", b"payme-uz"),
        ]
        self._ssl: ssl.SSLContext | None = options.ssl_context

    def pool(self, backend: Backend) -> httpcore2.ConnectionPool:
        return httpcore2.ConnectionPool(
            ssl_context=self._tls(),
            proxy=self._proxy,
            max_connections=self._options.max_connections,
            keepalive_expiry=_KEEPALIVE,
            network_backend=backend,
        )

    def async_pool(self, backend: AsyncBackend) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls(),
            proxy=self._proxy,
            max_connections=self._options.max_connections,
            keepalive_expiry=_KEEPALIVE,
            network_backend=backend,
        )

    def _tls(self) -> ssl.SSLContext | None:
        """Load the trust store once: it costs about 30 ms, most of what a new client costs."""
        if self.url.scheme != b"https":
            return None
        if self._ssl is None:
            self._ssl = httpcore2.default_ssl_context()
        return self._ssl

    def passage(self, request: Request) -> Passage:
        return Passage(request.timeout, request.connect_timeout, self._tls_host)

    def request(self, request: Request, passage: Passage) -> httpcore2.Request:
        length = str(len(request.body)).encode()
        headers = [*self._headers, (b"X-Auth", request.auth.encode()), (b"Content-Length", length)]
        timeout = {"connect": passage, "read": passage, "write": passage, "pool": float(passage)}
        return httpcore2.Request(
            b"POST",
            self.url,
            headers=headers,
            content=request.body,
            extensions={"timeout": timeout},
        )


@contextmanager
def _told(passage: Passage) -> Generator[None]:
    """Turn a failure into a `TransportError` that says whether bytes left."""
    try:
        yield
    except httpcore2.ProxyError as error:
        # The proxy refused to connect us: the request was still here.
        raise TransportError(f"proxy: {error}", sent=False) from None
    except _FAILURES as error:
        raise TransportError(_describe(error), sent=passage.sent) from None


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpcore2.TimeoutException):
        return f"timed out ({type(error).__name__})"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _take(chunk: bytes, body: bytearray) -> None:
    body += chunk
    if len(body) > MAX_BODY:
        raise TransportError(f"an answer of more than {MAX_BODY} bytes", sent=True)


def _discarding(response: Any) -> Callable[[], None]:
    """Find what gives up the connection that a response came on; the stream is one of ours."""
    discard: Callable[[], None] = response.extensions["network_stream"].discard
    return discard


class Httpcore2Transport:
    """Blocking transport over a pool of kept connections.

    Threads share the pool. A forked child makes a pool of its own and leaves its parent's alone.

    Args:
        options: How to connect.
    """

    def __init__(self, options: Options) -> None:
        self._endpoint = _Endpoint(options)
        self._pools: dict[int, httpcore2.ConnectionPool] = {}

    def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        passage = self._endpoint.passage(request)
        with _told(passage):
            response = self._current().handle_request(self._endpoint.request(request, passage))
            try:
                body = bytearray()
                for chunk in response.iter_stream():
                    _take(chunk, body)
            finally:
                response.close()
        return Reply(response.status, bytes(body), _discarding(response))

    def _current(self) -> httpcore2.ConnectionPool:
        pid = os.getpid()
        pool = self._pools.get(pid)
        if pool is None:
            # No lock of ours: one that another thread held during a fork would stay locked in the
            # child.
            pool = self._pools.setdefault(pid, self._endpoint.pool(Backend()))
            self._leave_parent(pid)
        return pool

    def _leave_parent(self, pid: int) -> None:
        """Close this process's copies of its parent's sockets; the parent's connections stay up."""
        for other in [owner for owner in self._pools if owner != pid]:
            inherited = self._pools.pop(other, None)
            # Not `pool.close()`: its lock may be held by a thread that does not exist here.
            for connection in inherited.connections if inherited else ():
                connection.close()

    def close(self) -> None:
        """Close the connections of this process."""
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()


class AsyncHttpcore2Transport:
    """Asyncio transport over a pool of kept connections; each event loop has a pool of its own.

    Args:
        options: How to connect.
    """

    def __init__(self, options: Options) -> None:
        self._endpoint = _Endpoint(options)
        self._pools: dict[asyncio.AbstractEventLoop, _Kept] = {}

    async def send(self, request: Request) -> Reply:
        """Send a request over a kept connection, or a new one."""
        passage = self._endpoint.passage(request)
        with _told(passage):
            async with asyncio.timeout(request.timeout):
                pool = await self._current()
                response = await pool.handle_async_request(self._endpoint.request(request, passage))
                try:
                    body = bytearray()
                    async for chunk in response.aiter_stream():
                        _take(chunk, body)
                finally:
                    await response.aclose()
        return Reply(response.status, bytes(body), _discarding(response))

    async def _current(self) -> httpcore2.AsyncConnectionPool:
        loop = asyncio.get_running_loop()
        kept = self._pools.get(loop)
        if kept is None:
            for ended in [other for other in self._pools if other.is_closed()]:
                self._pools.pop(ended, None)
            pool = self._endpoint.async_pool(AsyncBackend())
            kept = self._pools[loop] = _Kept(pool, self._keep(loop, pool))
            await anext(kept.keeper)
        return kept.pool

    async def _keep(
        self, loop: asyncio.AbstractEventLoop, pool: httpcore2.AsyncConnectionPool
    ) -> AsyncGenerator[None]:
        """Live as long as the loop: `asyncio.run` closes generators before the loop ends."""
        try:
            yield
        finally:
            self._pools.pop(loop, None)
            await pool.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running loop; other loops close theirs when they end."""
        kept = self._pools.get(asyncio.get_running_loop())
        if kept is not None:
            await kept.keeper.aclose()


class _Kept(NamedTuple):
    """A pool, and what closes it with its loop."""

    pool: httpcore2.AsyncConnectionPool
    keeper: AsyncGenerator[None]


def _host_header(parts: SplitResult) -> bytes:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return (shown if parts.port in (None, default) else f"{shown}:{parts.port}").encode()


def _proxy(target: SplitResult, given: str | None) -> httpcore2.Proxy | None:
    address = _environment_proxy(target) if given is None else given
    if not address:
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    url = f"{parts.scheme}://{parts.hostname}:{parts.port or _PROXY_PORTS.get(parts.scheme, 1080)}"
    return httpcore2.Proxy(url, auth=auth)


_PROXY_PORTS: Final = {"http": 80, "https": 443}


def _environment_proxy(target: SplitResult) -> str | None:
    host = target.hostname or ""
    # The sandbox on this machine is never meant to be reached through a company's proxy.
    if host in ("localhost", "::1") or host.startswith("127.") or proxy_bypass(host):
        return None
    return getproxies().get(target.scheme)
