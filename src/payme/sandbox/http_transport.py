"""Payme's requests to the merchant over HTTP. Imported only where there is a `merchant_url`."""

import asyncio
from concurrent.futures import CancelledError, Future
from threading import Lock, Thread
from typing import Any

import httpcore2

from payme.sandbox.engine.merchant_calls import MAX_ANSWER
from payme.sandbox.errors import Unanswered
from payme.sandbox.merchant_transport import endpoint


class HttpTransport:
    """Carries requests over HTTP, in an event loop of its own.

    There every request has one deadline for all of it, and can be given up at once. Connections are
    not kept: an answer must not be lost because the merchant had closed one (our choice).
    Redirects are not followed.

    Args:
        url: Endpoint of the merchant.
        timeout: Longest time that a request may take, in seconds.
    """

    inline = False

    def __init__(self, url: str, timeout: float) -> None:
        self._parts = endpoint(url)
        self._url = httpcore2.URL(url)
        self._timeout = timeout
        self._tls = httpcore2.default_ssl_context() if self._parts.scheme == "https" else None
        self._lock = Lock()
        self._pending: set[Future[tuple[int, bytes]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._closed = False

    def send(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request and wait for its answer."""
        future = self._submit(body, headers)
        try:
            return future.result()
        except CancelledError:
            raise Unanswered("lost") from None
        finally:
            with self._lock:
                self._pending.discard(future)

    def close(self) -> None:
        """Give up what is under way."""
        with self._lock:
            self._closed = True
            pending, loop, thread = list(self._pending), self._loop, self._thread
        for future in pending:
            future.cancel()
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _submit(self, body: bytes, headers: dict[str, str]) -> "Future[tuple[int, bytes]]":
        with self._lock:
            if self._closed:
                raise Unanswered("unreachable")
            loop = self._loop or self._start()
            future = asyncio.run_coroutine_threadsafe(self._post(body, headers), loop)
            self._pending.add(future)
            return future

    def _start(self) -> asyncio.AbstractEventLoop:
        self._loop = loop = asyncio.new_event_loop()
        self._thread = Thread(target=_run, args=(loop,), name="payme-sandbox-calls", daemon=True)
        self._thread.start()
        return loop

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        left = _Departure()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(self._request(body, headers, left))
        except TimeoutError:
            raise Unanswered("timeout" if left.sent else "unreachable") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, UnicodeError):
            raise Unanswered("lost" if left.sent else "unreachable") from None

    async def _exchange(self, request: httpcore2.Request) -> tuple[int, bytes]:
        async with httpcore2.AsyncConnectionPool(ssl_context=self._tls) as pool:
            response = await pool.handle_async_request(request)
            try:
                return response.status, await _bounded(response)
            finally:
                await response.aclose()

    def _request(
        self, body: bytes, headers: dict[str, str], left: "_Departure"
    ) -> httpcore2.Request:
        all_headers = [
            (b"Host", self._parts.netloc.encode()),
            (b"Connection", b"close"),
            (b"Content-Length", str(len(body)).encode()),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ]
        extensions = {"trace": left.trace}
        return httpcore2.Request(
            b"POST", self._url, headers=all_headers, content=body, extensions=extensions
        )


class _Departure:
    """Notes whether a request began to leave."""

    def __init__(self) -> None:
        self.sent = False

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            self.sent = True


async def _bounded(response: httpcore2.Response) -> bytes:
    """Read a body, but not more of it than is needed to see that it is too long."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > MAX_ANSWER:
            break
    return bytes(body)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
