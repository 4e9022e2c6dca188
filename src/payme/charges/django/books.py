"""The ledger as the command line reads it; see `payme.cli.books.Books`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

from django.db import transaction

from payme.charges.core import Charge, ChargeState, Means, Save
from payme.charges.django.ledger import Changed, DjangoLedger
from payme.charges.ledger import rows
from payme.charges.orders import ChargeNotFound


class DjangoBooks(DjangoLedger):
    """A ledger that also counts, and finds a charge by its receipt.

    Attributes:
        encrypts: Tokens are encrypted.
        seen: Called with each change that was stored and proves something, or needs a person.
    """

    def __init__(
        self,
        using: str | None = None,
        *,
        keys: Sequence[str | bytes] = (),
        changed: Changed | None = None,
    ) -> None:
        super().__init__(using, keys=keys, changed=changed)
        self.encrypts = bool(keys)
        self.seen: Callable[[Charge], None] = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass  # connections are Django's to close

    def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change, and tell of it."""
        super().save(change, means)
        if rows.is_proven(change) or change.after.needs_attention:
            self.seen(change.after)

    def begin(self) -> AbstractContextManager[Any]:
        """Begin a transaction for many charges; `submit` joins it without being given one."""
        return transaction.atomic(using=self.alias)

    def walk(self, state: str | None = None, since: float = 0.0) -> Iterator[Charge]:
        """Read charges page by page."""
        return self.iterate(None if state is None else ChargeState(state), since)

    def charge(self, charge_id: str) -> Charge:
        """Read a charge.

        Raises:
            ChargeNotFound: There is none.
        """
        found = self._read(charge_id)
        if found is None:
            raise ChargeNotFound(f"no charge has the id {charge_id!r}")
        return found

    def of_receipt(self, receipt_id: str) -> Charge | None:
        """Find the charge that a receipt belongs to now."""
        row = self._charges.filter(receipt_id=receipt_id).values(*rows.COLUMNS).first()
        return None if row is None else rows.read_charge(row)

    def waiting(self) -> int:
        """Count the charges that are due now or later."""
        return self._charges.filter(due__isnull=False).count()


def _nothing(_charge: Charge) -> None:
    pass
