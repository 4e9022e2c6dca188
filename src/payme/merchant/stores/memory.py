"""A store in memory, for tests and first steps: what it holds is gone with the process."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from payme.flow import run
from payme.merchant import flows
from payme.merchant.core import Event, Order, Transaction, TransactionState

T = TypeVar("T")

Find = Callable[[dict[str, Any]], Order | None]
Hook = Callable[[Event, Transaction], None]


class MemoryStore:
    """Keeps transactions in a dict, one flow at a time.

    Args:
        find: Finds the order of an account; None or `AccountError` if there is none.
        hook: Called once for each event, while the flow runs; what it raises takes the change back.

    Example:
        >>> orders = {"7": Order(id="7", amount=50_000)}
        >>> store = MemoryStore(lambda account: orders.get(str(account.get("order_id"))), print)
    """

    def __init__(self, find: Find, hook: Hook) -> None:
        self._find = find
        self._hook = hook
        self._transactions: dict[str, Transaction] = {}
        self._lock = threading.RLock()

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the steps of a flow; nothing is kept when one raises."""
        with self._lock:
            before = dict(self._transactions)
            try:
                return run(flow, self._perform)
            except BaseException:
                self._transactions = before
                raise

    def _perform(self, step: flows.Step) -> Any:
        match step:
            case flows.FindOrder(account):
                return self._find(account)
            case flows.LockOrder():
                return None  # The store's own lock is held already.
            case flows.GetTransaction(transaction_id):
                return self._transactions.get(transaction_id)
            case flows.GetHolder(order_id):
                return self._holder(order_id)
            case flows.ListTransactions(from_, to, read):
                rows = [row for row in self._transactions.values() if from_ <= row.time <= to]
                return read(sorted(rows, key=lambda row: (row.time, row.id)))
            case flows.Store(write):
                self._transactions[write.transaction.id] = write.transaction
                if write.event is not None:
                    self._hook(write.event, write.transaction)
                return None

    def _holder(self, order_id: str) -> Transaction | None:
        waiting = (row for row in self._transactions.values() if row.order_id == order_id)
        return next((row for row in waiting if row.state == TransactionState.CREATED), None)
