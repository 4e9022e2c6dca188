"""Where transactions are kept, and how a merchant's orders and hooks are reached."""

from typing import Protocol, TypeVar

from payme.merchant.flows import Flow

T = TypeVar("T")


class Store(Protocol):
    """Runs a flow inside one database transaction, blocking."""

    def run(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow, commit, and return its value.

        Args:
            flow: From `payme.merchant.flows`.

        Returns:
            The value of the flow. When anything raises, nothing of it is stored.
        """
        ...


class AsyncStore(Protocol):
    """Runs a flow inside one database transaction, under asyncio."""

    async def run(self, flow: Flow[T]) -> T:
        """Carry out the steps of a flow; see `Store.run`."""
        ...
