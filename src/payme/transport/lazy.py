"""The default transports, imported and made at the first request."""

import os
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    import ssl

    from payme.transport.aio import AsyncioTransport
    from payme.transport.base import Proxy, Request
    from payme.transport.blocking import BlockingTransport

T = TypeVar("T", "BlockingTransport", "AsyncioTransport")

# A child that is forked while another thread imports would wait for ever for that import's lock.
# So a fork waits for the import instead. Reentrant, because an import may itself fork.
_IMPORTING = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_IMPORTING.acquire,
        after_in_parent=_IMPORTING.release,
        after_in_child=_IMPORTING.release,
    )


class _Lazy(Generic[T]):
    def __init__(
        self, url: str, ssl_context: "ssl.SSLContext | None", proxy: "Proxy | None"
    ) -> None:
        self._arguments = (url, ssl_context, proxy)
        self._made: T | None = None

    def _load(self) -> type[T]:
        raise NotImplementedError

    def _make(self) -> T:
        with _IMPORTING:
            self._made = self._made or self._load()(*self._arguments)
        return self._made

    def send(self, request: "Request") -> Any:
        """Send a request."""
        return (self._made or self._make()).send(request)


class LazyTransport(_Lazy["BlockingTransport"]):
    """`BlockingTransport`, later."""

    def _load(self) -> "type[BlockingTransport]":
        from payme.transport.blocking import BlockingTransport

        return BlockingTransport

    def close(self) -> None:
        """Close every connection."""
        if self._made is not None:
            self._made.close()


class LazyAsyncTransport(_Lazy["AsyncioTransport"]):
    """`AsyncioTransport`, later."""

    def _load(self) -> "type[AsyncioTransport]":
        from payme.transport.aio import AsyncioTransport

        return AsyncioTransport

    async def aclose(self) -> None:
        """Close every connection."""
        if self._made is not None:
            await self._made.aclose()
