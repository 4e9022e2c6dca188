"""A ledger that keeps nothing: what a charge costs then is the client's and the decisions'."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from payme.charges.ledger import Stored

if TYPE_CHECKING:
    from payme.charges.core import Charge, Means, Save


class Memory:
    """As much of an `AsyncLedger` as a runner needs."""

    def __init__(self) -> None:
        self._due: deque[Stored] = deque()
        self.paid = 0

    async def submit(self, charge: Charge, means: Means, _connection: Any = None) -> Charge:
        """Take a charge."""
        self._due.append(Stored(charge, means))
        return charge

    async def save(self, change: Save, _means: Means | None = None) -> None:
        """Count what is paid."""
        self.paid += change.after.is_paid

    async def claim(self, _owner: str, _now: float, _until: float, limit: int) -> list[Stored]:
        """Give what was submitted."""
        return [self._due.popleft() for _ in range(min(limit, len(self._due)))]

    async def release(self, _owner: str, _charge_id: str) -> None:
        """Do nothing."""

    async def rewind(self, _now: float) -> None:
        """Do nothing."""

    async def next_due(self) -> float | None:
        """Nothing is ever due later."""
        return None
