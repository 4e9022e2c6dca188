"""Payme on a laptop: the Subscribe API with state, test cards and real HTTP, and no money in it.

Example:
    >>> from payme.sandbox import Sandbox
    >>> with Sandbox() as sandbox:
    ...     print(sandbox.url)
    http://127.0.0.1:...
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payme.sandbox.cash_box import CashBox
    from payme.sandbox.clock import SandboxClock
    from payme.sandbox.engine import LedgerEntry, Sms
    from payme.sandbox.engine.faults import Fault
    from payme.sandbox.errors import InvalidSetting, SandboxError, SandboxFault, UnknownArgument
    from payme.sandbox.sandbox import Sandbox

__all__ = [
    "CashBox",
    "Fault",
    "InvalidSetting",
    "LedgerEntry",
    "Sandbox",
    "SandboxClock",
    "SandboxError",
    "SandboxFault",
    "Sms",
    "UnknownArgument",
]

# Lazy, so that the engine can be imported where the server's libraries are not installed.
_HOMES = {
    "CashBox": "payme.sandbox.cash_box",
    "Fault": "payme.sandbox.engine.faults",
    "InvalidSetting": "payme.sandbox.errors",
    "LedgerEntry": "payme.sandbox.engine",
    "Sandbox": "payme.sandbox.sandbox",
    "SandboxClock": "payme.sandbox.clock",
    "SandboxError": "payme.sandbox.errors",
    "SandboxFault": "payme.sandbox.errors",
    "Sms": "payme.sandbox.engine",
    "UnknownArgument": "payme.sandbox.errors",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
