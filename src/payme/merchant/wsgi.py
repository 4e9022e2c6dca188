"""The merchant's endpoint as a WSGI application, for Flask, Pyramid, Bottle, or by itself.

Example:
    >>> from wsgiref.simple_server import make_server
    >>> make_server("127.0.0.1", 8000, wsgi_app(merchant)).serve_forever()
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from payme.merchant.bodies import drained
from payme.merchant.boxes import BlockingEndpoint
from payme.merchant.service import CONTENT_TYPE, Incoming

Environ = dict[str, Any]


class StartResponse(Protocol):
    """Begins an answer."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begin."""
        ...


WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


def wsgi_app(merchant: BlockingEndpoint) -> WsgiApp:
    """Make a WSGI application that answers Payme, whatever the path.

    Args:
        merchant: The endpoint.

    Returns:
        The application. It answers every request with HTTP 200.
    """

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = merchant.answer(read(environ))
        headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(answer)))]
        start_response("200 OK", headers)
        return [answer]

    return app


def read(environ: Environ) -> Incoming:
    """Read what matters of a request.

    Args:
        environ: The WSGI environment.

    Returns:
        The request; its body ends one byte after the limit.
    """
    return incoming(environ, body(environ))


def incoming(environ: Environ, body: bytes) -> Incoming:
    """Make a request of a WSGI environment whose body was read already."""
    return Incoming(
        environ["REQUEST_METHOD"],
        body,
        environ.get("HTTP_AUTHORIZATION"),
        environ.get("REMOTE_ADDR"),
        environ.get("HTTP_X_FORWARDED_FOR"),
    )


def body(environ: Environ) -> bytes:
    """Read the body from a WSGI environment."""
    length = str(environ.get("CONTENT_LENGTH") or "")
    if length.isdecimal():
        return drained(environ["wsgi.input"].read, int(length))
    # Without a length only some servers mark the end of the body; the others would wait for ever.
    known_end = environ.get("wsgi.input_terminated")
    return drained(environ["wsgi.input"].read) if known_end else b""
