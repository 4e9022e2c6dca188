"""The merchant's endpoint as an ASGI application, for Starlette, FastAPI, Litestar, or by itself.

Example:
    >>> app = Starlette(routes=[Route("/payme", asgi_app(merchant))])

A `Mount` would not do: it redirects from `/payme` to `/payme/`, which Payme reads as -32400.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from payme.merchant.bodies import Body
from payme.merchant.boxes import AsyncMerchants, Endpoint
from payme.merchant.service import CONTENT_TYPE, AsyncMerchant, Incoming

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def asgi_app(merchant: Endpoint) -> AsgiApp:
    """Make an ASGI application that answers Payme, whatever the path.

    Args:
        merchant: The endpoint. A blocking one is called in a thread.

    Returns:
        The application. It answers every request with HTTP 200.
    """
    app = _App(merchant)
    try:
        from starlette.middleware.body_limit import RequestBodyLimitMiddleware
    except ImportError:
        # Starlette has limits since 1.6; where they are missing, no application sets one.
        return app
    # The shop's own `max_body_size` must not turn an answer into HTTP 413: `_body` has a limit.
    return RequestBodyLimitMiddleware(app, max_body_size=sys.maxsize)


class _App:
    """An object: of a function Starlette's `Route` thinks that it takes a request and no scope."""

    def __init__(self, merchant: Endpoint) -> None:
        self._merchant = merchant

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A lifespan that is not served is what servers expect of an application without one.
            raise RuntimeError(f"the Merchant API has no {scope['type']}")
        incoming = await read(scope, receive)
        await reply(send, await answer(self._merchant, incoming))


async def answer(merchant: Endpoint, incoming: Incoming) -> bytes:
    """Answer a request from an event loop.

    Args:
        merchant: The endpoint, blocking or not.
        incoming: What came.

    Returns:
        The body.
    """
    if isinstance(merchant, AsyncMerchant | AsyncMerchants):
        return await merchant.answer(incoming)
    return await asyncio.to_thread(merchant.answer, incoming)


async def read(scope: MutableMapping[str, Any], receive: Receive) -> Incoming:
    """Read what matters of a request.

    Args:
        scope: The ASGI scope.
        receive: Receives the parts of the body.

    Returns:
        The request; its body ends one byte after the limit.
    """
    headers = _headers(scope)
    client = scope.get("client")
    return Incoming(
        scope["method"],
        await _body(receive),
        headers.get("authorization"),
        client[0] if client else None,
        headers.get("x-forwarded-for"),
    )


def _headers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joined[key] = f"{joined[key]},{text}" if key in joined else text
    return joined


async def _body(receive: Receive) -> bytes:
    body, more = Body(), True
    while more:
        message = await receive()
        more = body.add(message.get("body", b"")) and bool(message.get("more_body"))
    return bytes(body)


async def reply(send: Send, body: bytes) -> None:
    """Send an answer.

    Args:
        send: Sends a message.
        body: The body.
    """
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
