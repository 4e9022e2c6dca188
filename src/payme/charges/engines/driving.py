"""What engines share: what drives in this process, and when a charge is driven."""

import logging
import os
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Generic, TypeVar

from payme import exact
from payme.charges.aio import AsyncCharges
from payme.charges.blocking import Charges
from payme.charges.core import Charge
from payme.charges.pace import since_1970
from payme.errors import ConfigurationError, InvalidArgument

T = TypeVar("T")

LOG: Final = logging.getLogger("payme.charges")

# Seconds by which the clocks of two machines may differ.
_SKEW: Final = 1.0
_LONGEST_NAME: Final = 100


class PerProcess(Generic[T]):
    """Makes charges, or what has charges, at the first use and once in each process.

    Connections must not cross a fork: parent and child would read each other's answers.

    Args:
        name: The argument that `make` was given as.
        make: Makes the client, the ledger and the charges.
        kinds: What it may make.

    Raises:
        InvalidArgument: `make` can't be called.
    """

    def __init__(self, name: str, make: Callable[[], T], *kinds: type[T]) -> None:
        if not callable(make):
            raise InvalidArgument(
                name, type(make).__name__, "a function without arguments that makes them"
            )
        self._name = name
        self._make = make
        self._kinds = kinds
        # What a parent has made is kept: to collect it here would close connections of the parent.
        self._made: dict[int, T] = {}
        self._lock = Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def __call__(self) -> T:
        """Return what was made for this process.

        Raises:
            ConfigurationError: The function made something else.
        """
        with self._lock:
            process = os.getpid()
            if process not in self._made:
                made = self._make()
                if not isinstance(made, self._kinds):
                    kinds = " or ".join(kind.__name__ for kind in self._kinds)
                    raise ConfigurationError(
                        f"{self._name}: the function made {type(made).__name__}, expected {kinds}"
                    )
                self._made[process] = made
            return self._made[process]

    def _unlock(self) -> None:
        # Another thread of the parent may have held it.
        self._lock = Lock()


def is_due(charge: Charge) -> bool:
    """Return whether a job has something to do; one that comes early or twice has not."""
    return not charge.rests and (charge.due is None or charge.due <= since_1970() + _SKEW)


def due_later(charge: Charge) -> float | None:
    """Return when a charge that was driven goes on, in seconds since 1970; None if nobody knows.

    What is due at once is driven by somebody else; should that one die, the sweep finds it.
    """
    due = charge.due
    return due if not charge.rests and due is not None and due > since_1970() else None


def drive(charges: Charges, charge_id: str) -> Charge:
    """Drive a charge if it is due."""
    charge = charges.get(charge_id)
    return charges.advance(charge_id) if is_due(charge) else charge


async def adrive(charges: AsyncCharges, charge_id: str) -> Charge:
    """Drive a charge if it is due; the same for asyncio."""
    charge = await charges.get(charge_id)
    return await charges.advance(charge_id) if is_due(charge) else charge


def warn_of_unknown(charge_id: str) -> None:
    """Log that a job came before the transaction that stores its charge, or without any."""
    LOG.warning("charge %s is not in the ledger; once it is, the sweep finds it", charge_id)


def check_name(given: Any) -> str:
    """Check the name that tasks begin with."""
    text = exact.text(given)
    if text is None or not text.isprintable() or not 0 < len(text) <= _LONGEST_NAME or " " in text:
        raise InvalidArgument("name", exact.shown(given), "a name such as 'payme.charges'")
    return text
