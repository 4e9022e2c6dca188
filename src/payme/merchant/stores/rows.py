"""The operations that a store has, and the loop that carries a flow's steps out on them.

A store opens a connection for a piece of work, in its scope, and wraps it in `Rows`. Everything
else is here, once for memory, SQLAlchemy and Django.
"""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from payme.errors import ConfigurationError
from payme.flow import run
from payme.merchant import flows, orders
from payme.merchant.entities import Event, Transaction
from payme.merchant.limits import Deadline

T = TypeVar("T")

_IN_TRANSACTION: Final = 2
"""What libpq calls `PQTRANS_INTRANS`."""

_LOG = logging.getLogger("payme.merchant")


class Rows(Protocol):
    """The transactions of one cash-box, on one connection.

    How an order is locked is the database's own matter; what a lock promises is in
    `flows.LockOrder` and `flows.LockTransaction`.
    """

    def read(self, transaction_id: str) -> Transaction | None:
        """Read a transaction."""
        ...

    def lock(self, transaction_id: str) -> Transaction | None:
        """Lock the order of a transaction, then read the transaction."""
        ...

    def perform(self, step: flows.PerformWaiting) -> Transaction | None:
        """Lock the order of a transaction that waits and store that it is performed, at once.

        None if it does not wait, and of a database that needs several statements for this.
        """
        ...

    def lock_order(self, order_id: str) -> None:
        """Lock an order."""
        ...

    def active(self, order_id: str) -> Transaction | None:
        """Read the transaction of a one-time order that waits or is performed."""
        ...

    def of_order(self, order_id: str, *, any_box: bool) -> list[Transaction]:
        """Read every transaction of an order, by Payme's time, in all cash-boxes or in this."""
        ...

    def insert(self, new: Transaction, *, exclusive: bool) -> bool:
        """Store a new transaction; False if its id or its order is taken."""
        ...

    def update(self, before: Transaction, after: Transaction) -> bool:
        """Store a change; False if the transaction is not in the state it was read in."""
        ...

    def is_intact(self) -> bool | None:
        """Return whether the database transaction is open, and nothing in it has failed.

        None where only reading tells.
        """
        ...

    def created_between(
        self, from_: int, to: int, read: Callable[[Iterable[Transaction]], Any]
    ) -> Any:
        """Hand the transactions of a period to `read`, and give what it returns."""
        ...

    def waiting(self, before: int, after: tuple[int, str], limit: int) -> list[Transaction]:
        """Read transactions that wait, older than `before` and after `after`, by time and id."""
        ...


def operate(rows: Rows, step: flows.MerchantStep) -> Any:  # noqa: C901 - a case for each operation
    """Carry out a step that concerns rows alone.

    Args:
        rows: The transactions.
        step: A step.

    Returns:
        What the flow is sent.
    """
    match step:
        case flows.ReadTransaction(transaction_id):
            return rows.read(transaction_id)
        case flows.LockTransaction(transaction_id):
            return rows.lock(transaction_id)
        case flows.PerformWaiting():
            return rows.perform(step)
        case flows.LockOrder(order_id):
            return rows.lock_order(order_id)
        case flows.ReadActive(order_id):
            return rows.active(order_id)
        case flows.ListOrder(order_id, any_box):
            return rows.of_order(order_id, any_box=any_box)
        case flows.Insert(transaction, exclusive):
            return rows.insert(transaction, exclusive=exclusive)
        case flows.Update(before, after):
            return rows.update(before, after)
        case flows.Confirm(stored):
            return _is_kept(rows, stored)
        case flows.ListTransactions(from_, to, read):
            return rows.created_between(from_, to, read)
        case flows.ListWaiting(before, after, limit):
            return rows.waiting(before, after, limit)
        case flows.FindOrder() | flows.HasHook() | flows.Notify():
            raise TypeError(f"{type(step).__name__} concerns the merchant's code")


def _is_kept(rows: Rows, stored: Transaction) -> bool:
    intact = rows.is_intact()
    if intact is not None:
        return intact
    kept = rows.read(stored.id)
    return kept is not None and kept.state == stored.state


def unharmed(driver: Any) -> bool | None:
    """Ask a driver's connection to PostgreSQL for what the server last said of its transaction.

    Args:
        driver: A connection of psycopg's or psycopg2's, blocking or not.

    Returns:
        True inside of a transaction in which nothing failed; None of a driver that does not tell.
    """
    status = getattr(getattr(driver, "info", None), "transaction_status", None)
    return None if status is None else status == _IN_TRANSACTION


@contextmanager
def adopting(box: str, conflict: type[Exception]) -> Generator[None]:
    """Say what stands in the way when a cash-box is given transactions.

    Args:
        box: The cash-box.
        conflict: What the database's layer raises when a key is taken.

    Raises:
        ConfigurationError: The cash-box has a transaction of the same id or for the same order.
    """
    try:
        yield
    except conflict as error:
        raise ConfigurationError(
            f"box: {box!r} has a transaction with which one without a cash-box shares its id or "
            "its order, so none was given to it; end or remove one of the two, and call this again"
        ) from error


def carry_out(
    work: flows.Work,
    rows: Rows,
    merchant: orders.Shop,
    *given: Any,
    deadline: Deadline,
    wait: Callable[[Any], Any] = orders.value,
    happened: Callable[[Event, Transaction], None] | None = None,
) -> Any:
    """Carry out the steps of a piece of work, blocking.

    Args:
        work: The work, whose scope is open.
        rows: The transactions.
        merchant: The merchant's side.
        given: What its methods are given first, such as a connection.
        deadline: When the request has to be over.
        wait: Waits for what a method of the merchant returns, where methods are coroutines.
        happened: Is told of each event after the merchant's hook, to tell others after the commit.

    Returns:
        The value of the steps.

    Raises:
        RequestTimedOutError: It is not over in time.
    """

    def perform(step: flows.MerchantStep) -> Any:
        deadline.require()
        match step:
            case flows.FindOrder(account, method):
                return wait(merchant.find(*given, account, method=method))
            case flows.HasHook(event):
                return orders.hook(merchant.orders, event) is not None
            case flows.Notify(event, transaction):
                hook = orders.hook(merchant.orders, event)
                if hook is not None:
                    wait(hook(*given, transaction))
                if happened is not None:
                    happened(event, transaction)
                return hook is not None
            case _:
                return _noted(work, step, operate(rows, step))

    return run(work.steps, perform)


def _noted(work: flows.Work, step: flows.MerchantStep, came: Any) -> Any:
    # In the scope `insert` the index alone decides; beneath a lock it should have no work.
    if work.scope == "transaction" and isinstance(step, flows.Insert) and came is False:
        _LOG.warning(
            "the unique index refused a transaction: its id is taken, or one reserves its order"
        )
    return came
