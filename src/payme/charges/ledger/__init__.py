"""Where charges are kept: what every ledger can do."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple, Protocol

from payme.charges.core import Charge, ChargeState, Event, Means, Save

FARTHEST: Final = 1800.0
"""Seconds from now that no pause and no lease exceeds."""


class Stored(NamedTuple):
    """A charge with what it is paid with."""

    charge: Charge
    means: Means


class Ledger(Protocol):
    """Keeps charges, blocking. Every method is one database transaction."""

    def submit(self, charge: Charge, means: Means, connection: Any = None) -> Charge:
        """Store a charge unless its id is known; return the one that is stored.

        With a connection, in the caller's own transaction.
        """
        ...

    def load(self, charge_id: str) -> Stored | None:
        """Read a charge."""
        ...

    def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change with its event, and call the hook; raise `Overtaken` if it comes late."""
        ...

    def history(self, charge_id: str) -> list[Event]:
        """Read the events of a charge, oldest first."""
        ...

    def iterate(self, state: ChargeState | None, since: float) -> Iterator[Charge]:
        """Read charges in the order of their ids, in constant memory."""
        ...

    def claim(self, owner: str, now: float, until: float, limit: int) -> list[Stored]:
        """Lease what is due and nobody drives."""
        ...

    def take(self, owner: str, charge_id: str, now: float, until: float) -> Stored | None:
        """Lease one charge; None if somebody else drives it."""
        ...

    def release(self, owner: str, charge_id: str) -> None:
        """Give a lease back."""
        ...

    def due_ids(self, now: float, limit: int) -> list[str]:
        """Read the ids of what is due and nobody drives, in the order of due; nothing is leased."""
        ...

    def next_due(self) -> float | None:
        """Return when something can be claimed next; None if nothing is due at any time."""
        ...

    def rewind(self, now: float) -> None:
        """Make due what is due later than `FARTHEST` from now, and end such leases.

        A clock that was ahead wrote them; they would be waited for until it is right again.
        """
        ...


class AsyncLedger(Protocol):
    """The same for asyncio; see `Ledger`."""

    async def submit(self, charge: Charge, means: Means, connection: Any = None) -> Charge:
        """See `Ledger.submit`."""
        ...

    async def load(self, charge_id: str) -> Stored | None:
        """See `Ledger.load`."""
        ...

    async def save(self, change: Save, means: Means | None = None) -> None:
        """See `Ledger.save`."""
        ...

    async def history(self, charge_id: str) -> list[Event]:
        """See `Ledger.history`."""
        ...

    def iterate(self, state: ChargeState | None, since: float) -> AsyncIterator[Charge]:
        """See `Ledger.iterate`."""
        ...

    async def claim(self, owner: str, now: float, until: float, limit: int) -> list[Stored]:
        """See `Ledger.claim`."""
        ...

    async def take(self, owner: str, charge_id: str, now: float, until: float) -> Stored | None:
        """See `Ledger.take`."""
        ...

    async def release(self, owner: str, charge_id: str) -> None:
        """See `Ledger.release`."""
        ...

    async def due_ids(self, now: float, limit: int) -> list[str]:
        """See `Ledger.due_ids`."""
        ...

    async def next_due(self) -> float | None:
        """See `Ledger.next_due`."""
        ...

    async def rewind(self, now: float) -> None:
        """See `Ledger.rewind`."""
        ...
