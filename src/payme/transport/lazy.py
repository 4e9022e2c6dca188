"""The default transports, imported and made at the first request."""

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from payme.transport.aio import AsyncioTransport
    from payme.transport.base import Reply, Request
    from payme.transport.blocking import BlockingTransport

# A child that is forked while another thread imports would wait for ever for that import's lock.
# So a fork waits for the import instead. Reentrant, because an import may itself fork.
_IMPORTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_IMPORTING.acquire,
        after_in_parent=_IMPORTING.release,
        after_in_child=_IMPORTING.release,
    )


def _check(proxy: str | None) -> None:
    """Refuse a proxy that can't be used where it is given, and not at the first payment."""
    if proxy:
        from payme.transport.proxy import parse

        parse(proxy)


class LazyTransport:
    """`BlockingTransport`, later.

    Args:
        url: Address of the API.
        ssl_context: TLS settings; None for the system's trust store.
        proxy: Address of a proxy; None for the environment's, empty for none.
    """

    def __init__(self, url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> None:
        _check(proxy)
        self._arguments = (url, ssl_context, proxy)
        self._made: BlockingTransport | None = None

    def send(self, request: "Request") -> "Reply":
        """Send a request."""
        return (self._made or self._make()).send(request)

    def _make(self) -> "BlockingTransport":
        with _IMPORTING:
            from payme.transport.blocking import BlockingTransport

            self._made = self._made or BlockingTransport(*self._arguments)
        return self._made

    def close(self) -> None:
        """Close every connection."""
        if self._made is not None:
            self._made.close()


class LazyAsyncTransport:
    """`AsyncioTransport`, later; arguments as for `LazyTransport`."""

    def __init__(self, url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> None:
        _check(proxy)
        self._arguments = (url, ssl_context, proxy)
        self._made: AsyncioTransport | None = None

    async def send(self, request: "Request") -> "Reply":
        """Send a request."""
        return await (self._made or self._make()).send(request)

    def _make(self) -> "AsyncioTransport":
        with _IMPORTING:
            from payme.transport.aio import AsyncioTransport

            self._made = self._made or AsyncioTransport(*self._arguments)
        return self._made

    async def aclose(self) -> None:
        """Close every connection."""
        if self._made is not None:
            await self._made.aclose()
