"""The transactions that `payme.merchant.django` keeps, as an audit reads them.

Imported where that app is installed alone: its models can't be loaded otherwise.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from django.db import router
from django.db.models import Q, QuerySet

from payme.charges.audit.books import BATCH, only_box
from payme.charges.audit.differences import MerchantTransaction
from payme.charges.django.database import usable
from payme.merchant.django.models import Transaction
from payme.merchant.entities import box_name

_COLUMNS: Final = ["payme_id" if name == "id" else name for name in MerchantTransaction._fields]


class DjangoTransactions:
    """Transactions in the database that the store of `payme.merchant.django` writes to.

    A replica would not do: what it has not heard of yet would be told as missing. Nothing is
    written.

    Args:
        box: Name of the cash-box whose transactions are read, one of `PAYME["BOXES"]`; None for the
            only one that has any.

    Raises:
        ConfigurationError: `box` can't be the name of a cash-box, or it is None and several have
            transactions.

    Example:
        >>> audit = Audit(payme, ledger, period, transactions=DjangoTransactions())
    """

    def __init__(self, *, box: str | None = None) -> None:
        if box is None:
            rows = self._rows().order_by().distinct()
            box = only_box(rows.values_list("box", flat=True))
        self._of_box = Q(box=box_name(box))

    def between(self, start: int, end: int) -> Iterator[MerchantTransaction]:
        """Read those of a period page by page; see `Transactions`."""
        time, after = start, ""
        while page := self._read(
            Q(time__range=(time, end)), Q(time__gt=time) | Q(payme_id__gt=after)
        ):
            yield from page
            time, after = page[-1].time, page[-1].id

    def find(self, ids: Sequence[str]) -> list[MerchantTransaction]:
        """Look some up; see `Transactions`."""
        return self._read(Q(payme_id__in=ids))

    def _read(self, *which: Q) -> list[MerchantTransaction]:
        rows = self._rows().filter(self._of_box, *which).order_by("time", "payme_id")
        return [MerchantTransaction(*row) for row in rows.values_list(*_COLUMNS)[:BATCH]]

    def _rows(self) -> "QuerySet[Transaction]":
        alias = router.db_for_write(Transaction)
        usable(alias)
        return Transaction.objects.using(alias).all()
