"""What both engines share: what a task works with, made once in each process."""

import os
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

from payme.errors import ConfigurationError, InvalidArgument

T = TypeVar("T")

_METHODS: Final = {"merchant": "expire", "outbox": "relay"}


class Expires(Protocol):
    """A `Merchant` or an `AsyncMerchant`."""

    def expire(self) -> Any:
        """Cancel what waited too long."""
        ...


class Relays(Protocol):
    """An outbox."""

    def relay(self) -> Any:
        """Run the jobs that are due."""
        ...


class PerProcess(Generic[T]):
    """Makes something at the first use and once in each process.

    Connections must not cross a fork: parent and child would read each other's answers.

    Args:
        name: The argument that `make` was given as, `merchant` or `outbox`.
        make: A function without arguments.

    Raises:
        InvalidArgument: `make` can't be called.
    """

    def __init__(self, name: str, make: Callable[[], T]) -> None:
        if not callable(make):
            raise InvalidArgument(
                name, type(make).__name__, "a function without arguments that makes it"
            )
        self._name = name
        self._make = make
        # What a parent made is kept: to collect it here would close connections of the parent.
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        """Return what was made for this process."""
        process = os.getpid()
        if process not in self._made:
            self._made[process] = self._checked(self._make())
        return self._made[process]

    def _checked(self, made: T) -> T:
        if not callable(getattr(made, _METHODS[self._name], None)):
            raise InvalidArgument(
                self._name, type(made).__name__, f"a function that returns the {self._name}"
            )
        return made


def require_one(*given: object) -> None:
    """Refuse an engine that would do nothing.

    Raises:
        ConfigurationError: All are None.
    """
    if all(one is None for one in given):
        raise ConfigurationError("merchant, outbox: got neither, expected at least one")
