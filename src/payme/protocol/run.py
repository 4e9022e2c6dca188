"""How a façade makes its calls."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from payme.protocol.calls import Call

T = TypeVar("T")


class Run(Protocol):
    """Makes a call and waits for its value."""

    def __call__(self, call: Call[T], /) -> T:
        """Make the call."""
        ...


class AsyncRun(Protocol):
    """Makes a call under asyncio."""

    def __call__(self, call: Call[T], /) -> Awaitable[T]:
        """Make the call."""
        ...
