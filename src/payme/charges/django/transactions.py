"""The transactions that `payme.merchant.django` keeps, as an audit reads them.

Imported where that app is installed alone: its models can't be loaded otherwise.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from django.db import router
from django.db.models import Q

from payme.charges.audit.books import BATCH
from payme.charges.audit.differences import MerchantTransaction
from payme.charges.django.database import usable
from payme.merchant.django.models import Transaction

_COLUMNS: Final = ["payme_id" if name == "id" else name for name in MerchantTransaction._fields]


class DjangoTransactions:
    """Transactions in the database that the store of `payme.merchant.django` writes to.

    A replica would not do: what it has not heard of yet would be told as missing. Nothing is
    written.

    Example:
        >>> audit = Audit(payme, ledger, period, transactions=DjangoTransactions())
    """

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
        alias = router.db_for_write(Transaction)
        usable(alias)
        rows = Transaction.objects.using(alias).filter(*which).order_by("time", "payme_id")
        return [MerchantTransaction(*row) for row in rows.values_list(*_COLUMNS)[:BATCH]]
