"""What a transport is: one method that sends a request, and says how far it came."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable


class Request(NamedTuple):
    """A request, ready to be sent.

    Attributes:
        auth: Value of the `X-Auth` header.
        body: JSON text.
        timeout: Seconds that are left for all of it.
        connect_timeout: Seconds for a connection, at most `timeout`.
    """

    auth: str
    body: bytes
    timeout: float
    connect_timeout: float

    def __repr__(self) -> str:
        return f"Request({len(self.body)} bytes, timeout={self.timeout:.3f})"


def _keep() -> None:
    """Leave the connection as it is."""


class Reply(NamedTuple):
    """An HTTP answer that arrived whole.

    Attributes:
        status: HTTP status.
        body: Body.
        discard: Gives up the connection. Called when the answer is not one to this request: the
            next one on that connection would not be either.
    """

    status: int
    body: bytes
    discard: Callable[[], None] = _keep


class TransportError(Exception):
    """No whole answer came.

    Attributes:
        reason: What failed, in words.
        sent: A byte of the request may have left. False is a promise: Payme has seen nothing.
    """

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


@runtime_checkable
class Transport(Protocol):
    """Sends requests, blocking. Safe to call from several threads and after a fork."""

    def send(self, request: Request) -> Reply:
        """Send a request.

        Args:
            request: What to send.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: No whole answer came.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


@runtime_checkable
class AsyncTransport(Protocol):
    """Sends requests from asyncio."""

    async def send(self, request: Request) -> Reply:
        """Send a request; see `Transport.send`."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
