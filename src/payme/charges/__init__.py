"""Charges that survive anything: money is taken once, and every crash ends in the truth.

A *charge* has an id that the merchant chooses. It is stored before anything is asked of Payme, and
driven until it rests; whoever drives it next goes on from what is stored.
"""

from payme.charges.aio import AsyncCharges
from payme.charges.blocking import Charges
from payme.charges.core import Charge, ChargeState, Event, Policy
from payme.charges.ledger.sql import AsyncSqlLedger, SqlLedger
from payme.charges.orders import ChargeConflict, ChargeNotFound

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
