"""A transport without a network: the sandbox, or any function, in the same process."""

from collections.abc import Callable

from payme.transport.base import Reply, Request

Handler = Callable[[bytes, str], bytes]


class MemoryTransport:
    """Hands each request to a function.

    Args:
        handle: Takes the body and the `X-Auth` value and returns the body of the answer, such as
            `Sandbox.handle`.

    Example:
        >>> with Sandbox() as sandbox:
        ...     memory = MemoryTransport(sandbox.handle)
        ...     payme = Payme(sandbox.merchant_id, sandbox.key, transport=memory)
    """

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    def send(self, request: Request) -> Reply:
        """Call the function."""
        return Reply(200, self._handle(request.body, request.auth))

    def close(self) -> None:
        """Do nothing: there are no connections."""


class AsyncMemoryTransport:
    """The same for `AsyncPayme`."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle

    async def send(self, request: Request) -> Reply:
        """Call the function."""
        return Reply(200, self._handle(request.body, request.auth))

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
