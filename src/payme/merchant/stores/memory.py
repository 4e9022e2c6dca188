"""A store in memory, for tests and first steps: what it holds is gone with the process."""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from payme.flow import run
from payme.merchant import flows
from payme.merchant.entities import Event, Order, Transaction, TransactionState
from payme.merchant.limits import Deadline, Limits, checked
from payme.merchant.orders import Shop
from payme.merchant.stores.rows import carry_out

T = TypeVar("T")

Find = Callable[..., Order | None]
Hook = Callable[[Event, Transaction], None]


Created = Callable[[Transaction], None]


class MemoryStore:
    """Keeps transactions in a dict, one piece of work at a time.

    Args:
        find: Finds the order of an account; None or `AccountError` if there is none. Where it has
            a parameter `method`, it is told which request asks.
        hook: Called once for `paid`, `cancelled` and `released`, while it is stored; what it raises
            takes the change back.
        created: Called in the same way when an attempt to pay is stored, to reserve the goods.
        limits: How long a request may take. Requests take turns, so `at_once` means nothing here.

    Raises:
        ConfigurationError: `find` can't be called with an account.

    Example:
        >>> orders = {"7": Order(id="7", amount=50_000)}
        >>> store = MemoryStore(lambda account: orders.get(str(account.get("order_id"))), print)
    """

    def __init__(
        self,
        find: Find,
        hook: Hook,
        *,
        created: Created | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = checked(limits)
        self._shop = Shop(_Functions(find, hook, created))
        self._rows = _MemoryRows()
        self._lock = threading.RLock()

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the work of a flow; nothing is kept of a piece that raises."""
        deadline = Deadline(self._limits)
        return run(flow, lambda work: self._work(work, deadline))

    def transactions_of(self, order_id: str, box: str | None = None) -> list[Transaction]:
        """Read every transaction of an order; see `payme.merchant.flows.of_order`."""
        return self.run(flows.of_order(order_id, box))

    def _work(self, work: flows.Work, deadline: Deadline) -> Any:
        if not self._lock.acquire(timeout=max(deadline.left(), 0)):
            raise deadline.passed()
        try:
            before = dict(self._rows.kept)
            try:
                return carry_out(work, _Box(self._rows, work.box), self._shop, deadline=deadline)
            except BaseException:
                self._rows.kept = before
                raise
        finally:
            self._lock.release()


class _Functions:
    """Two functions, as the methods of `Orders`."""

    def __init__(self, find: Find, hook: Hook, created: Created | None) -> None:
        self.find = find
        self.created = created
        self._hook = hook

    def paid(self, transaction: Transaction) -> None:
        self._hook("paid", transaction)

    def cancelled(self, transaction: Transaction) -> None:
        self._hook("cancelled", transaction)

    def released(self, transaction: Transaction) -> None:
        self._hook("released", transaction)


class _MemoryRows:
    """The rows of all cash-boxes, by cash-box and Payme's id."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Transaction] = {}
        self.exclusive: set[tuple[str, str]] = set()


class _Box:
    """The rows of a cash-box; who works on them has the store's lock, so no order needs one."""

    def __init__(self, rows: _MemoryRows, box: str) -> None:
        self._rows = rows
        self._box = box

    def read(self, transaction_id: str) -> Transaction | None:
        return self._rows.kept.get((self._box, transaction_id))

    lock = read

    def perform(self, step: flows.PerformWaiting) -> None:  # noqa: ARG002
        return None  # `lock` and `update` do it, and wait for nobody here.

    def lock_order(self, order_id: str) -> None:
        pass

    def active(self, order_id: str) -> Transaction | None:
        living = (TransactionState.CREATED, TransactionState.PERFORMED)
        return next(
            (
                row
                for row in self.of_order(order_id, any_box=False)
                if row.state in living and (self._box, row.id) in self._rows.exclusive
            ),
            None,
        )

    def of_order(self, order_id: str, *, any_box: bool) -> list[Transaction]:
        rows = self._rows.kept.values() if any_box else self._own()
        return sorted((row for row in rows if row.order_id == order_id), key=_by_time)

    def insert(self, new: Transaction, *, exclusive: bool) -> bool:
        key = (self._box, new.id)
        if key in self._rows.kept or (exclusive and self.active(new.order_id)):
            return False
        self._rows.kept[key] = new
        (self._rows.exclusive.add if exclusive else self._rows.exclusive.discard)(key)
        return True

    def update(self, before: Transaction, after: Transaction) -> bool:
        if self._rows.kept[self._box, before.id].state != before.state:
            return False
        self._rows.kept[self._box, after.id] = after
        return True

    def is_intact(self) -> None:
        # A hook may have asked the store again: it has the lock.
        return None

    def created_between(
        self, from_: int, to: int, read: Callable[[Iterable[Transaction]], Any]
    ) -> Any:
        return read(sorted((row for row in self._own() if from_ <= row.time <= to), key=_by_time))

    def waiting(self, before: int, after: tuple[int, str], limit: int) -> list[Transaction]:
        rows = [
            row
            for row in self._own()
            if row.state == TransactionState.CREATED and row.time < before and _by_time(row) > after
        ]
        return sorted(rows, key=_by_time)[:limit]

    def _own(self) -> list[Transaction]:
        return [row for (box, _), row in self._rows.kept.items() if box == self._box]


def _by_time(row: Transaction) -> tuple[int, str]:
    return row.time, row.id
