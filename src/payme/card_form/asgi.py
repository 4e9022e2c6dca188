"""The form's script as an ASGI application, for Starlette, Litestar, or by itself.

Example:
    >>> app = Starlette(routes=[Route(PATH, asgi_app())])
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from payme.card_form.module import PATH, serve

__all__ = ["PATH", "asgi_app"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def asgi_app() -> AsgiApp:
    """Make an ASGI application that serves the script, whatever the path.

    Returns:
        The application.
    """
    return _App()


class _App:
    """An object: of a function Starlette's `Route` thinks that it takes a request and no scope."""

    async def __call__(
        self, scope: MutableMapping[str, Any], _receive: Receive, send: Send
    ) -> None:
        if scope["type"] != "http":
            # A lifespan that is not served is what servers expect of an application without one.
            raise RuntimeError(f"the card form's script has no {scope['type']}")
        status, headers, body = 405, {"Allow": "GET, HEAD"}, b""
        if scope["method"] in {"GET", "HEAD"}:
            asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [None])
            status, headers, body = serve(asked[0], _header(scope, b"if-none-match"))
        if status != 304:
            headers = {**headers, "Content-Length": str(len(body))}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        # A server leaves the body of an answer to HEAD out.
        await send({"type": "http.response.body", "body": body})


def _header(scope: MutableMapping[str, Any], wanted: bytes) -> str | None:
    return next((v.decode("latin-1") for name, v in scope["headers"] if name == wanted), None)
