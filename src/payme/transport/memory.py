"""A transport without a network: the sandbox, or any function, in the same process."""

import inspect
from collections.abc import Callable
from typing import cast

from payme.transport.base import Reply, Request, TransportError

Handler = Callable[[bytes, str], bytes] | Callable[[bytes, str, float], bytes]


def _patient(handle: Handler) -> Callable[[Request], bytes]:
    """Make a function of a request; one that takes a third argument is told the timeout."""
    try:
        inspect.signature(handle).bind(b"", "", 0.0)
    except TypeError:
        brief = cast("Callable[[bytes, str], bytes]", handle)
        return lambda request: brief(request.body, request.auth)
    timed = cast("Callable[[bytes, str, float], bytes]", handle)
    return lambda request: timed(request.body, request.auth, request.timeout)


def _answer(handle: Callable[[Request], bytes], request: Request) -> Reply:
    """Call the function; what it raises may stand for a fault of the network.

    An exception with a boolean `sent` is a request that was lost (False) or an answer that was
    (True). One with an integer `status` is an HTTP answer other than 200, its body in `body`. The
    sandbox's injected faults have this form, and so may anybody's.
    """
    try:
        return Reply(200, handle(request))
    except Exception as fault:
        status, sent = getattr(fault, "status", None), getattr(fault, "sent", None)
        if isinstance(status, int):
            return Reply(status, getattr(fault, "body", b""))
        if not isinstance(sent, bool):
            raise
        raise TransportError(str(fault), sent=sent) from None


class MemoryTransport:
    """Hands each request to a function.

    Args:
        handle: Takes the body, the `X-Auth` value and, if it has a third argument, the timeout in
            seconds, and returns the body of the answer, such as `Sandbox.handle`.

    Example:
        >>> with Sandbox() as sandbox:
        ...     memory = MemoryTransport(sandbox.handle)
        ...     payme = Payme(sandbox.merchant_id, sandbox.key, transport=memory)
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = _patient(handle)

    def send(self, request: Request) -> Reply:
        """Call the function."""
        return _answer(self._handle, request)

    def close(self) -> None:
        """Do nothing: there are no connections."""


class AsyncMemoryTransport:
    """The same for `AsyncPayme`."""

    def __init__(self, handle: Handler) -> None:
        self._handle = _patient(handle)

    async def send(self, request: Request) -> Reply:
        """Call the function."""
        return _answer(self._handle, request)

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
