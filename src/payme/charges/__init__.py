"""Charges that survive anything: money is taken once, and every crash ends in the truth.

A *charge* has an id that the merchant chooses. It is stored before anything is asked of Payme, and
driven until it rests; whoever drives it next goes on from what is stored.
"""

from typing import TYPE_CHECKING, Any

from payme.charges.aio import AsyncCharges
from payme.charges.blocking import Charges
from payme.charges.core import Charge, ChargeState, Event, Policy
from payme.charges.orders import ChargeConflict, ChargeNotFound

if TYPE_CHECKING:
    from payme.charges.ledger.sql import AsyncSqlLedger, SqlLedger

__all__ = [
    "AsyncCharges",
    "AsyncSqlLedger",
    "Charge",
    "ChargeConflict",
    "ChargeNotFound",
    "ChargeState",
    "Charges",
    "Event",
    "Policy",
    "SqlLedger",
]


def __getattr__(name: str) -> Any:
    """Load a ledger of SQLAlchemy's when it is named: `payme.charges.django` needs none."""
    if name not in ("AsyncSqlLedger", "SqlLedger"):
        raise AttributeError(f"module 'payme.charges' has no attribute {name!r}")
    from payme.charges.ledger import sql

    found = getattr(sql, name)
    globals()[name] = found
    return found
