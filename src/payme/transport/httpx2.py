"""A transport over a client that the user brings: `pip install "payme-uz[httpx2]"`.

For applications that already have an `httpx2` client with their own proxies, hooks or metrics. The
transport that ships is faster and keeps one deadline for the whole request; here the deadline
holds for each read and write.
"""

from collections.abc import Callable
from typing import Any

import httpx2

from payme.transport.base import Reply, Request, failure

_FAILURES = (httpx2.RequestError, httpx2.InvalidURL, OSError)
_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


def _departure(request: Request) -> Callable[[str, dict[str, Any]], None]:
    """Note on a request the moment from which its bytes may have left."""
    request.sent = False

    def note(event: str, info: dict[str, Any]) -> None:
        # A tunnel's CONNECT is a request too, but not ours.
        if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            request.sent = True

    return note


def _options(request: Request, trace: Any) -> dict[str, Any]:
    return {
        "content": request.body,
        "headers": {"X-Auth": request.auth, **_HEADERS},
        "follow_redirects": False,
        "timeout": httpx2.Timeout(request.timeout, connect=request.connect_timeout),
        "extensions": {"trace": trace},
    }


class Httpx2Transport:
    """Sends requests over the user's client.

    Args:
        client: A client; closing it is the user's affair.
        url: Address of the API.

    Example:
        >>> http = httpx2.Client(proxy="http://proxy.local:3128")
        >>> transport = Httpx2Transport(http, "https://checkout.test.paycom.uz/api")
        >>> payme = Payme(merchant_id, key, transport=transport)
    """

    def __init__(self, client: httpx2.Client, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, request: Request) -> Reply:
        """Send a request."""
        note = _departure(request)
        try:
            response = self._client.post(self._url, **_options(request, note))
        except _FAILURES as error:
            raise failure(error, request) from None
        return Reply(response.status_code, response.content)

    def close(self) -> None:
        """Do nothing: the client belongs to the user."""


class AsyncHttpx2Transport:
    """The same for `AsyncPayme`, over an `httpx2.AsyncClient`."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def send(self, request: Request) -> Reply:
        """Send a request."""
        note = _departure(request)

        async def trace(event: str, info: dict[str, Any]) -> None:
            note(event, info)

        try:
            response = await self._client.post(self._url, **_options(request, trace))
        except _FAILURES as error:
            raise failure(error, request) from None
        return Reply(response.status_code, response.content)

    async def aclose(self) -> None:
        """Do nothing: the client belongs to the user."""
