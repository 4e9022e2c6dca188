"""What a transport is: one method that sends a request, and says how far it came."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable


class Request:
    """A request, ready to be sent.

    A plain class without a revealing `repr`: error reporters upload the locals of every frame, and
    tuples and dataclasses they take apart.

    Attributes:
        auth: Value of the `X-Auth` header.
        body: JSON text.
        timeout: Seconds that are left for all of it.
        connect_timeout: Seconds for a connection, at most `timeout`.
        max_idle: Seconds that a kept connection may have been idle to carry this request.
        sent: A byte of it may have left. A transport that can tell sets it to False when it takes
            the request, and to True before the first byte goes out; only False is a promise.
    """

    __slots__ = ("auth", "body", "connect_timeout", "max_idle", "sent", "timeout")

    def __init__(
        self,
        auth: str,
        body: bytes,
        timeout: float,
        connect_timeout: float,
        max_idle: float = 30.0,
    ) -> None:
        self.auth = auth
        self.body = body
        self.timeout = timeout
        self.connect_timeout = connect_timeout
        self.max_idle = max_idle
        self.sent = True

    def __repr__(self) -> str:
        return f"Request({len(self.body)} bytes, timeout={self.timeout:.3f})"


class Reply:
    """An HTTP answer that arrived whole.

    Attributes:
        status: HTTP status.
        body: Body.
        discard: Gives up the connection. Called when the answer is not one to this request: the
            next one on that connection would not be either.
    """

    __slots__ = ("body", "discard", "status")

    def __init__(
        self, status: int, body: bytes, discard: Callable[[], object] = lambda: None
    ) -> None:
        self.status = status
        self.body = body
        self.discard = discard

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


class Proxy:
    """Where a proxy is, and the header that says who asks; its `repr` shows no password."""

    def __init__(self, host: str, port: int, header: bytes) -> None:
        self.host = host
        self.port = port
        self.header = header


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


def failure(error: Exception, request: Request) -> TransportError:
    """Say what failed, and how far the request had come."""
    if isinstance(error, TimeoutError):
        return TransportError(str(error) or "timed out", sent=request.sent)
    reason = f"{type(error).__name__}: {error}".removesuffix(": ")
    return TransportError(reason, sent=request.sent)


@runtime_checkable
class Transport(Protocol):
    """Sends requests, blocking. Safe to call from several threads and after a fork."""

    def send(self, request: Request) -> Reply:
        """Send a request.

        Args:
            request: What to send. Whatever interrupts the call (Ctrl+C, a task's time limit),
                `request.sent` must be right when it is raised.

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
