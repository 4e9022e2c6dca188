"""The default transport, imported and made at the first request."""

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from payme.transport.base import Reply, Request
    from payme.transport.httpcore2 import AsyncHttpcore2Transport, Httpcore2Transport

# A child that is forked while another thread imports would wait for ever for that import's lock.
# So a fork waits for the import instead. Reentrant, because an import may itself fork.
_IMPORTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_IMPORTING.acquire,
        after_in_parent=_IMPORTING.release,
        after_in_child=_IMPORTING.release,
    )


class LazyTransport:
    """`Httpcore2Transport`, later.

    Args:
        url: Address of the API.
        ssl_context: TLS settings; None for the system's trust store.
        proxy: Address of a proxy; None for the environment's, empty for none.
    """

    def __init__(self, url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> None:
        self._arguments = (url, ssl_context, proxy)
        self._made: dict[None, Httpcore2Transport] = {}

    def send(self, request: "Request") -> "Reply":
        """Send a request."""
        made = self._made.get(None) or self._make()
        return made.send(request)

    def _make(self) -> "Httpcore2Transport":
        with _IMPORTING:
            from payme.transport.httpcore2 import Httpcore2Transport, Options

        # `setdefault` lets one of several threads win; what the others made has no connections yet.
        return self._made.setdefault(None, Httpcore2Transport(Options(*self._arguments)))

    def close(self) -> None:
        """Close every connection."""
        for made in self._made.values():
            made.close()


class LazyAsyncTransport:
    """`AsyncHttpcore2Transport`, later; arguments as for `LazyTransport`."""

    def __init__(self, url: str, ssl_context: "ssl.SSLContext | None", proxy: str | None) -> None:
        self._arguments = (url, ssl_context, proxy)
        self._made: dict[None, AsyncHttpcore2Transport] = {}

    async def send(self, request: "Request") -> "Reply":
        """Send a request."""
        made = self._made.get(None) or self._make()
        return await made.send(request)

    def _make(self) -> "AsyncHttpcore2Transport":
        with _IMPORTING:
            from payme.transport.httpcore2 import AsyncHttpcore2Transport, Options

        return self._made.setdefault(None, AsyncHttpcore2Transport(Options(*self._arguments)))

    async def aclose(self) -> None:
        """Close every connection."""
        for made in self._made.values():
            await made.aclose()
