"""Take money with Payme (Paycom, Uzbekistan).

`Payme` and `AsyncPayme` are the clients of the Subscribe API; `payme.sandbox.Sandbox` is Payme on
a laptop. Names are loaded when they are first used, so that `import payme` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from payme.client import AsyncPayme, Payme
    from payme.errors import (
        ConfigurationError,
        InvalidArgument,
        NotSent,
        OutcomeUnknown,
        PaymeError,
        ProtocolError,
        Rejected,
        lost_in,
    )
    from payme.money import format_som, som
    from payme.protocol.inputs import Detail, FiscalData, Item, Payer, Shipping
    from payme.protocol.models import AccountField, Card, Receipt, VerifyCode
    from payme.protocol.states import ReceiptState
    from payme.transport.memory import AsyncMemoryTransport, MemoryTransport

__version__ = "0.1.0"

_HOMES = {
    "AccountField": "protocol.models",
    "AsyncMemoryTransport": "transport.memory",
    "AsyncPayme": "client",
    "Card": "protocol.models",
    "ConfigurationError": "errors",
    "Detail": "protocol.inputs",
    "FiscalData": "protocol.inputs",
    "InvalidArgument": "errors",
    "Item": "protocol.inputs",
    "MemoryTransport": "transport.memory",
    "NotSent": "errors",
    "OutcomeUnknown": "errors",
    "Payer": "protocol.inputs",
    "Payme": "client",
    "PaymeError": "errors",
    "ProtocolError": "errors",
    "Receipt": "protocol.models",
    "ReceiptState": "protocol.states",
    "Rejected": "errors",
    "Shipping": "protocol.inputs",
    "VerifyCode": "protocol.models",
    "format_som": "money",
    "lost_in": "errors",
    "som": "money",
}

__all__ = [
    "AccountField",
    "AsyncMemoryTransport",
    "AsyncPayme",
    "Card",
    "ConfigurationError",
    "Detail",
    "FiscalData",
    "InvalidArgument",
    "Item",
    "MemoryTransport",
    "NotSent",
    "OutcomeUnknown",
    "Payer",
    "Payme",
    "PaymeError",
    "ProtocolError",
    "Receipt",
    "ReceiptState",
    "Rejected",
    "Shipping",
    "VerifyCode",
    "format_som",
    "lost_in",
    "som",
]


# Modules that `import payme` makes reachable, and loads when they are first named.
_MODULES = {"card_form", "checkout", "errors", "sandbox"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"payme.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'payme' has no attribute {name!r}")
    found = getattr(import_module(f"payme.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_MODULES])
