"""Requests to an endpoint over HTTP, each with one deadline and one limit for all of it."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import Any

import httpcore2

from payme.conformance.exchange import MOST_BYTES, HttpAnswer, NoAnswer

_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    OSError,
)


class HttpTransport:
    """Carries requests over HTTP, in an event loop of its own: there a deadline ends everything.

    Connections are not kept: an answer must not be lost because the merchant had closed one, and
    a server with a single thread must not wait for an idle one. Redirects are not followed.

    Args:
        url: Address of the endpoint.
        timeout: Seconds for a whole exchange.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._tls = httpcore2.default_ssl_context() if url.startswith("https:") else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="payme-conformance", daemon=True
        )
        self._thread.start()

    def send(self, verb: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Send a request and wait for its answer."""
        return self._run(self._within(verb, headers, body))

    def close(self) -> None:
        """Stop the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, exchange: Coroutine[Any, Any, HttpAnswer]) -> HttpAnswer:
        return asyncio.run_coroutine_threadsafe(exchange, self._loop).result()

    async def _within(self, verb: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(verb, headers, body)
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout:g} s") from None
        except _FAILURES as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from None

    async def _exchange(self, verb: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        sent = [*headers.items(), ("Connection", "close")]
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self._tls) as pool,
            pool.stream(verb, self._url, headers=sent, content=body) as response,
        ):
            came = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            return HttpAnswer(
                response.status,
                came.get("content-type", ""),
                await _bounded(response),
                came.get("location", ""),
            )


async def _bounded(response: httpcore2.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_stream():
        body += part
        if len(body) > MOST_BYTES:
            raise NoAnswer(f"the answer is longer than {MOST_BYTES >> 20} MiB")
    return bytes(body)
