"""The endpoint that is graded, and the orders to grade it with."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from payme.conformance.exchange import Caller, Credentials, Exchange
from payme.conformance.findings import Verdict

Account = Mapping[str, Any]
Check = Iterator[Verdict]

PAUSE_S: Final = 1.1
"""Between what happened and its repetition, in seconds: a server may count in whole seconds."""


class Orders:
    """The orders that wait for payment: a fresh one for each check, as far as there are any.

    Args:
        given: Accounts of orders; if there are none, the first one is made.
        make: Makes another order and returns its account; None if nothing does.
        cumulative: An account takes money any number of times.
    """

    def __init__(
        self, given: list[Account], make: Callable[[], Account] | None, *, cumulative: bool
    ) -> None:
        if not given and make is not None:
            given = [make()]
        self.given = tuple(given)
        self._make = make
        self._cumulative = cumulative
        self._fresh = list(given)
        self._free: list[Account] = []

    def take(self) -> Account | None:
        """Return an order that nobody holds: one never used if there is one; None if all are."""
        if self._fresh:
            return self._fresh.pop(0)
        if self._make is not None:
            return self._make()
        return self._free.pop(0) if self._free else None

    def give_back(self, order: Account, *, free: bool = True) -> None:
        """Return an order; one that was paid is kept only if its account is cumulative."""
        if free or self._cumulative:
            self._free.append(order)


class Endpoint(NamedTuple):
    """An endpoint, and what it is tried with.

    Attributes:
        caller: Calls the endpoint.
        orders: Orders that wait for payment.
        amount: Amount of each in tiyin.
        cumulative: An account takes money any number of times.
        pause: Waits until a clock that counts in seconds has gone on.
    """

    caller: Caller
    orders: Orders
    amount: int
    cumulative: bool = False
    pause: Callable[[], None] = lambda: time.sleep(PAUSE_S)

    def check_perform(self, order: Account, amount: int | None = None) -> Exchange:
        """Ask whether an order may be paid."""
        params = {"amount": amount or self.amount, "account": order}
        return self.caller.call("CheckPerformTransaction", params)

    def create(
        self,
        order: Account,
        transaction: str,
        at: int,
        *,
        amount: int | None = None,
        credentials: Credentials | None = None,
    ) -> Exchange:
        """Create a transaction; `at` is Payme's `time` in ms."""
        params = {
            "id": transaction,
            "time": at,
            "amount": amount or self.amount,
            "account": order,
        }
        return self.caller.call("CreateTransaction", params, credentials)

    def perform(self, transaction: str, credentials: Credentials | None = None) -> Exchange:
        """Perform a transaction."""
        return self.caller.call("PerformTransaction", {"id": transaction}, credentials)

    def cancel(
        self, transaction: str, reason: int, credentials: Credentials | None = None
    ) -> Exchange:
        """Cancel a transaction."""
        params = {"id": transaction, "reason": reason}
        return self.caller.call("CancelTransaction", params, credentials)

    def look(self, transaction: str, credentials: Credentials | None = None) -> Exchange:
        """Ask what became of a transaction."""
        return self.caller.call("CheckTransaction", {"id": transaction}, credentials)

    def statement(self, first: int, last: int) -> Exchange:
        """List the transactions of a period, in ms."""
        return self.caller.call("GetStatement", {"from": first, "to": last})


def new_transaction() -> str:
    """Make an id as Payme's are: 24 hex characters."""
    return secrets.token_hex(12)
