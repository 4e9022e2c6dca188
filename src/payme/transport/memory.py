"""A transport without a network: the sandbox, or any function, in the same process."""

from collections.abc import Callable

from payme.transport.base import Reply, Request, TransportError

Handler = Callable[..., bytes]
"""Takes the body, the `X-Auth` value and, if it says so, the timeout; returns the answer's body."""


class _Memory:
    def __init__(self, handle: Handler, *, timed: bool = False) -> None:
        self._handle = handle
        self._timed = timed or getattr(handle, "takes_timeout", False)

    def _answer(self, request: Request) -> Reply:
        request.sent = True
        told = (request.timeout,) if self._timed else ()
        try:
            reply = Reply(200, b"")
            reply.body = self._handle(request.body, request.auth, *told)
        except Exception as fault:
            status, sent = getattr(fault, "status", None), getattr(fault, "sent", None)
            if isinstance(status, int):
                return Reply(status, getattr(fault, "body", b""))
            if not isinstance(sent, bool):
                raise
            raise TransportError(str(fault), sent=sent) from None
        return reply


class MemoryTransport(_Memory):
    """Hands each request to a function.

    What the function raises may stand for a fault of the network. An exception with a boolean
    `sent` is a request that was lost (False) or an answer that was (True). One with an integer
    `status` is an HTTP answer other than 200, its body in `body`. The sandbox's injected faults
    have this form, and so may anybody's.

    Args:
        handle: Takes the body and the `X-Auth` value, and returns the body of the answer, such as
            `Sandbox.handle`.
        timed: It takes the timeout in seconds too, as a third argument. A function may say so
            itself by an attribute `takes_timeout`, as the sandbox's does.

    Example:
        >>> with Sandbox() as sandbox:
        ...     memory = MemoryTransport(sandbox.handle)
        ...     payme = Payme(sandbox.merchant_id, sandbox.key, transport=memory)
    """

    def send(self, request: Request) -> Reply:
        """Call the function."""
        return self._answer(request)

    def close(self) -> None:
        """Do nothing: there are no connections."""


class AsyncMemoryTransport(_Memory):
    """The same for `AsyncPayme`."""

    async def send(self, request: Request) -> Reply:
        """Call the function."""
        return self._answer(request)

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
