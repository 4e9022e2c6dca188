"""The tries to pay: which receipt with which card.

The token of the payer's card stays here, under the name of an attempt; the browser only learns that
name.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_MAX_ATTEMPTS: Final = 1000


@dataclass
class Attempt:
    """One try to pay a receipt with one card."""

    receipt_id: str
    token: str
    phone: str
    """Masked."""
    verified: bool = False
    submitted: bool = False
    """Whether `receipts.pay` was called, and perhaps executed."""
    lost: bool = False
    """Whether its answer was lost."""

    def __repr__(self) -> str:
        return f"Attempt({self.receipt_id!r})"


class Attempts:
    """The tries that are under way; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()

    def add(self, attempt: Attempt) -> str:
        """Remember a try, and return its name."""
        name = secrets.token_urlsafe(12)
        self._attempts[name] = attempt
        if len(self._attempts) > _MAX_ATTEMPTS:
            self._attempts.popitem(last=False)
        return name

    def find(self, name: str, receipt_id: str) -> Attempt | None:
        """Find a try to pay a receipt by its name."""
        attempt = self._attempts.get(name)
        return attempt if attempt is not None and attempt.receipt_id == receipt_id else None
