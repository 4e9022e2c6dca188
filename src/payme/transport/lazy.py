"""The default transport, imported and made at the first request."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from payme.transport.base import Reply, Request
    from payme.transport.httpcore2 import AsyncHttpcore2Transport, Httpcore2Transport


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
        from payme.transport.httpcore2 import AsyncHttpcore2Transport, Options

        return self._made.setdefault(None, AsyncHttpcore2Transport(Options(*self._arguments)))

    async def aclose(self) -> None:
        """Close every connection."""
        for made in self._made.values():
            await made.aclose()
