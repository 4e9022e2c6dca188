"""What an audit reads: the ledger, and the merchant's transactions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Protocol

from payme.charges.audit.differences import MerchantTransaction
from payme.charges.core import Charge, ChargeState, Event
from payme.errors import ConfigurationError

BATCH: Final = 500
"""How many rows are looked up at once."""


class ChargeBooks(Protocol):
    """A ledger that is read without what its charges are paid with."""

    def iterate(self, state: ChargeState | None, since: float) -> Iterator[Charge]:
        """Read the charges that changed since then, in the order of their ids, page by page."""
        ...

    def charge(self, charge_id: str) -> Charge:
        """Read a charge that is there."""
        ...

    def of_receipt(self, receipt_id: str) -> Charge | None:
        """Find the charge that a receipt belongs to now."""
        ...

    def history(self, charge_id: str) -> list[Event]:
        """Read the events of a charge, oldest first."""
        ...


class Transactions(Protocol):
    """The merchant's transactions of the Merchant API, by one cash-box.

    Payme lists the receipts of one cash-box: a transaction by another one would be told as one that
    Payme does not know.
    """

    def between(self, start: int, end: int) -> Iterator[MerchantTransaction]:
        """Read those that Payme created in a period, by time and id, page by page.

        Args:
            start: Its beginning, in ms since 1970 UTC.
            end: Its end, likewise; both are included.
        """
        ...

    def find(self, ids: Sequence[str]) -> list[MerchantTransaction]:
        """Read those with these ids, at most `BATCH` of them, in any order."""
        ...


_SHOWN: Final = 5
"""How many cash-boxes an error names."""


def only_box(boxes: Iterable[str]) -> str:
    """Choose the cash-box of a table when nobody named one.

    Args:
        boxes: The cash-boxes that have transactions in it; the empty name is the one of a shop that
            names none.

    Returns:
        The only one; the empty name if there are no transactions.

    Raises:
        ConfigurationError: There are several: which one Payme lists, only the caller knows.
    """
    found = sorted(set(boxes))
    if len(found) > 1:
        named = ", ".join(map(repr, found[:_SHOWN])) + (", …" if len(found) > _SHOWN else "")
        raise ConfigurationError(
            f"box: the transactions are those of {len(found)} cash-boxes ({named}); "
            "expected the one whose receipts are compared"
        )
    return found[0] if found else ""
