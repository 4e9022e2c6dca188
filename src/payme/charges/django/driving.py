"""`DjangoCharges`: charges over a blocking client and the ORM."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections

from payme.charges.blocking import Charges
from payme.charges.core import PATIENT, Policy
from payme.charges.django.ledger import DjangoLedger
from payme.client import Payme


class DjangoCharges(Charges):
    """`Charges` on a `DjangoLedger`, for a project with several cash-boxes.

    Args:
        client: The client; it must live as long as this.
        ledger: Where charges are kept.
        policy: How patient.

    Attributes:
        client: The client.
        ledger: The ledger.

    Example:
        >>> charges = DjangoCharges(Payme(merchant_id, key), DjangoLedger(keys=[ledger_key]))
    """

    def __init__(self, client: Payme, ledger: DjangoLedger, *, policy: Policy = PATIENT) -> None:
        super().__init__(client, ledger, policy=policy)
        self.client = client
        self.ledger = ledger

    def _threads(self, count: int) -> ThreadPoolExecutor:
        return _Threads(count)


class _Threads(ThreadPoolExecutor):
    """Threads that close their connections to the database at the end."""

    def __init__(self, count: int) -> None:
        super().__init__(count, "payme-charges")
        self._count = count

    def __exit__(self, *error: Any) -> None:
        # Each waits for the others, so that every thread gets one of them.
        all_of_them = Barrier(self._count)
        for _ in range(self._count):
            self.submit(_close, all_of_them)
        super().__exit__(*error)


def _close(all_of_them: Barrier) -> None:
    all_of_them.wait()
    connections.close_all()
