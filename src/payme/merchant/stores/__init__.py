"""Where transactions are kept, and how a merchant's orders and hooks are reached."""

from typing import Protocol, TypeVar

from payme.merchant.flows import Flow

T = TypeVar("T")


class Store(Protocol):
    """Runs flows on a database, blocking."""

    def run(self, flow: Flow[T]) -> T:
        """Carry out the work of a flow, and return its value.

        Args:
            flow: From `payme.merchant.flows`.

        Returns:
            The value of the flow. When a piece of work raises, nothing of it is stored.
        """
        ...


class AsyncStore(Protocol):
    """Runs flows on a database, under asyncio."""

    async def run(self, flow: Flow[T]) -> T:
        """Carry out the work of a flow; see `Store.run`."""
        ...
