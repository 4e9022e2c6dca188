"""Money every month: subscriptions whose periods are charges.

A subscription is a rule; a period is a row with frozen dates and a frozen amount, and its money is
the charge `{subscription}:{n}`. Two schedulers that run at once, or one that was down for a month,
can't take a period twice.
"""

from payme.recurring.aio import AsyncRecurring
from payme.recurring.behind import LedgerBehind
from payme.recurring.blocking import Recurring
from payme.recurring.core import (
    Notice,
    Period,
    PeriodState,
    Subscription,
    SubscriptionConflict,
    SubscriptionNotFound,
    SubscriptionState,
)
from payme.recurring.ledger import LostReceipt
from payme.recurring.rows import Message

__all__ = [
    "AsyncRecurring",
    "LedgerBehind",
    "LostReceipt",
    "Message",
    "Notice",
    "Period",
    "PeriodState",
    "Recurring",
    "Subscription",
    "SubscriptionConflict",
    "SubscriptionNotFound",
    "SubscriptionState",
]
