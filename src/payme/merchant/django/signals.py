"""What happened to a payment, sent after the commit to whoever listens.

| signal | sent when |
|---|---|
| `created` | an attempt to pay was stored; nothing is paid |
| `paid` | the money was taken |
| `cancelled` | a paid order was refunded |
| `released` | an attempt failed; with the reason 4 it waited longer than twelve hours |

Receivers get `transaction`, a `payme.merchant.Transaction` as it was stored, and `using`, the alias
of its database; the sender is the model `payme.merchant.django.models.Transaction`.

A signal is for what may be missed: a cache, a counter, a message to a screen. **It is lost when the
process ends between the commit and the receiver, and nobody sends it again.** Payme's answer waits
for receivers. What has to happen exactly once belongs in the hooks of `Orders`, which are stored
with the payment or not at all. What a receiver raises is logged, and changes nothing.

Example:
    >>> @receiver(signals.paid)
    ... def forget_totals(sender, transaction, **more):
    ...     cache.delete(f"total:{transaction.order_id}")
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from django.db import transaction
from django.dispatch import Signal

from payme.merchant.django import models
from payme.merchant.entities import Event, Transaction

created: Final = Signal()
paid: Final = Signal()
cancelled: Final = Signal()
released: Final = Signal()

SIGNALS: Final[Mapping[Event, Signal]] = {
    "created": created,
    "paid": paid,
    "cancelled": cancelled,
    "released": released,
}


def send_after_commit(using: str, event: Event, happened: Transaction) -> None:
    """Have the receivers of an event told when its transaction is committed, if there are any.

    Args:
        using: Alias of the database. Where no transaction is open there, the change is committed
            already, and they are told at once.
        event: What happened.
        happened: The transaction, as it is stored.
    """
    signal = SIGNALS[event]
    if signal.has_listeners(models.Transaction):
        tell = partial(
            signal.send_robust, sender=models.Transaction, transaction=happened, using=using
        )
        transaction.on_commit(tell, using=using, robust=True)
