"""The eight operations that a store has, and the loops that carry a flow's steps out on them.

A store opens a connection for a piece of work, in its scope, and wraps it in `Rows`. Everything
else is here, once for memory, SQLAlchemy and Django.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeVar

from payme.flow import arun, run
from payme.merchant import flows, orders
from payme.merchant.entities import Event, Transaction
from payme.merchant.limits import Deadline

T = TypeVar("T")

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

    def created_between(
        self, from_: int, to: int, read: Callable[[Iterable[Transaction]], Any]
    ) -> Any:
        """Hand the transactions of a period to `read`, and give what it returns."""
        ...

    def waiting(self, before: int, after: tuple[int, str], limit: int) -> list[Transaction]:
        """Read transactions that wait, older than `before` and after `after`, by time and id."""
        ...


def operate(rows: Rows, step: flows.Step) -> Any:  # noqa: C901 - a case for each operation
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
        case flows.ListTransactions(from_, to, read):
            return rows.created_between(from_, to, read)
        case flows.ListWaiting(before, after, limit):
            return rows.waiting(before, after, limit)
        case flows.FindOrder() | flows.HasHook() | flows.Notify():
            raise TypeError(f"{type(step).__name__} concerns the merchant's code")


def carry_out(
    work: flows.Work,
    rows: Rows,
    merchant: orders.Shop,
    *given: Any,
    deadline: Deadline,
    happened: Callable[[Event, Transaction], None] | None = None,
) -> Any:
    """Carry out the steps of a piece of work, blocking.

    Args:
        work: The work, whose scope is open.
        rows: The transactions.
        merchant: The merchant's side.
        given: What its methods are given first, such as a connection.
        deadline: When the request has to be over.
        happened: Is told of each event after the merchant's hook, to tell others after the commit.

    Returns:
        The value of the steps.

    Raises:
        RequestTimedOutError: It is not over in time.
    """

    def perform(step: flows.Step) -> Any:
        deadline.require()
        match step:
            case flows.FindOrder(account, method):
                return orders.find(merchant, *given, account, method=method)
            case flows.HasHook(event):
                return orders.has_hook(merchant.orders, event)
            case flows.Notify(event, transaction):
                told = orders.notify(merchant.orders, event, *given, transaction)
                if happened is not None:
                    happened(event, transaction)
                return told
            case _:
                return _noted(work, step, operate(rows, step))

    return run(work.steps, perform)


async def acarry_out(
    work: flows.Work,
    operate: Callable[[flows.Step], Awaitable[Any]],
    merchant: orders.Shop,
    *given: Any,
) -> Any:
    """Carry out the steps of a piece of work under asyncio; see `carry_out`.

    Args:
        work: The work, whose scope is open.
        operate: Carries out a step that concerns rows alone.
        merchant: The merchant's side, whose methods are awaited.
        given: What its methods are given first, such as a connection.

    Returns:
        The value of the steps.
    """

    async def perform(step: flows.Step) -> Any:
        match step:
            case flows.FindOrder(account, method):
                return await merchant.find(*given, account, method=method)
            case flows.HasHook(event):
                return orders.has_hook(merchant.orders, event)
            case flows.Notify(event, transaction):
                return await orders.anotify(merchant.orders, event, *given, transaction)
            case _:
                return _noted(work, step, await operate(step))

    return await arun(work.steps, perform)


def _noted(work: flows.Work, step: flows.Step, came: Any) -> Any:
    # In the scope `insert` the index alone decides; beneath a lock it should have no work.
    if work.scope == "transaction" and isinstance(step, flows.Insert) and came is False:
        _LOG.warning(
            "the unique index refused a transaction: its id is taken, or one reserves its order"
        )
    return came
