"""Payme's decisions, without a socket, a disk or a clock.

`Engine.answer` takes the bytes of a request, the X-Auth header, the stored state and the time, and
returns the bytes to send. Everything else in the sandbox carries those to and from the world.
"""

from payme.sandbox.engine.core import Answer, Config, Engine
from payme.sandbox.engine.model import Card, EntryKind, LedgerEntry, Receipt, Sms, State
from payme.sandbox.engine.refusals import Reason

__all__ = [
    "Answer",
    "Card",
    "Config",
    "Engine",
    "EntryKind",
    "LedgerEntry",
    "Reason",
    "Receipt",
    "Sms",
    "State",
]
