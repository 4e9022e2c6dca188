"""The merchant's endpoint as a WSGI application, for Flask, Pyramid, Bottle, or by itself.

Example:
    >>> from wsgiref.simple_server import make_server
    >>> make_server("127.0.0.1", 8000, wsgi_app(merchant)).serve_forever()
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from payme.merchant import wire
from payme.merchant.service import CONTENT_TYPE, Incoming, Merchant

Environ = dict[str, Any]


class StartResponse(Protocol):
    """Begins an answer."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begin."""
        ...


WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


def wsgi_app(merchant: Merchant) -> WsgiApp:
    """Make a WSGI application that answers Payme, whatever the path.

    Args:
        merchant: The endpoint.

    Returns:
        The application. It answers every request with HTTP 200.
    """

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = merchant.answer(read(environ))
        headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return app


def read(environ: Environ) -> Incoming:
    """Read what matters of a request.

    Args:
        environ: The WSGI environment.

    Returns:
        The request; its body ends one byte after the limit.
    """
    return Incoming(
        environ["REQUEST_METHOD"],
        _body(environ),
        environ.get("HTTP_AUTHORIZATION"),
        environ.get("REMOTE_ADDR"),
        environ.get("HTTP_X_FORWARDED_FOR"),
    )


def _body(environ: Environ) -> bytes:
    length = str(environ.get("CONTENT_LENGTH") or "")
    if not length.isdecimal():
        # Without a length only some servers mark the end of the body; the others would wait for
        # ever.
        known_end = environ.get("wsgi.input_terminated")
        return _take(environ["wsgi.input"], wire.MAX_BODY + 1) if known_end else b""
    return _take(environ["wsgi.input"], min(int(length), wire.MAX_BODY + 1))


def _take(stream: Any, most: int) -> bytes:
    """Read up to a number of bytes; `read` of some servers gives less than it was asked for."""
    body = bytearray()
    while len(body) < most:
        part = stream.read(most - len(body))
        if not part:
            break
        body += part
    return bytes(body)
