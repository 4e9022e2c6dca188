"""Transactions in the database of a Django project.

What keeps two payments of one order apart: the order's lock (`locks`), after which everything is
read again, and beneath it the unique constraint on `holds`. If that ever fires, a lock was missing,
or the shop offers an order for payment that is paid; either way Payme is told -31008.
"""

import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import msgspec
from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet

from payme.flow import run
from payme.merchant import core, flows
from payme.merchant.core import Event, Transaction, TransactionState
from payme.merchant.django import locks, models
from payme.merchant.django.orders import Orders

T = TypeVar("T")

Hook = Callable[[Transaction], None]

_LOG = logging.getLogger("payme.merchant")

_LIVING: Final = (TransactionState.CREATED, TransactionState.PERFORMED)

_COLUMNS: Final = Transaction.__struct_fields__

_UNSORTED: Final = models.Transaction.objects.order_by().values(*_COLUMNS)
"""Made once: to name the columns and an order for each read took a third of its CPU."""

_CHUNK: Final = 2000
"""Rows of a statement that the database hands over at once."""

_LARGEST: Final = 2**63 - 1


class DjangoStore:
    """Keeps transactions through the Django ORM.

    Each flow is one `transaction.atomic`, the outermost one: when the answer is given, the change
    is committed.

    Args:
        orders: The shop's side; its `released` is optional.
        using: Alias of the database; by default the one that the routers name.

    Example:
        >>> merchant = Merchant(DjangoStore(Orders()), keys=settings.PAYME["KEYS"])
    """

    def __init__(self, orders: Orders, using: str | None = None) -> None:
        self._orders = orders
        self._using = using

    def run(self, flow: flows.Flow[T]) -> T:
        """Carry out the steps of a flow, commit, and return its value; see `Store.run`."""
        alias = self._using or router.db_for_write(models.Transaction)
        try:
            with transaction.atomic(using=alias, durable=True):
                return run(flow, _Run(alias, self._orders).carry_out)
        except _OrderTakenError:
            _LOG.warning("a second transaction was refused for an order that one holds")
            # Only flows that give an `Answer` insert.
            return cast("T", core.CANNOT_PERFORM)


class _OrderTakenError(Exception):
    """Another living transaction holds the order, or the id is taken."""


class _Run:
    """One flow in one database transaction."""

    def __init__(self, alias: str, orders: Orders) -> None:
        self._alias = alias
        self._orders = orders
        self._began = False
        self._stored: dict[str, Transaction] = {}
        self._cumulative: set[str] = set()

    def carry_out(self, step: flows.Step) -> Any:
        """Carry out one step, and give what the flow is sent for it."""
        self._begin(step)
        match step:
            case flows.FindOrder(account):
                return self._find(account)
            case flows.LockOrder(order_id):
                return locks.lock(self._alias, order_id)
            case flows.GetTransaction(transaction_id):
                return self._read(pk=transaction_id)
            case flows.GetHolder(order_id):
                return self._read(holds=order_id, state=TransactionState.CREATED)
            case flows.ListTransactions(from_, to, read):
                return read(self._list(from_, to))
            case flows.Store(write):
                return self._store(write)

    def _begin(self, step: flows.Step) -> None:
        if not self._began and not isinstance(step, flows.ListTransactions):
            locks.begin(self._alias)
        self._began = True

    @property
    def _rows(self) -> QuerySet[models.Transaction]:
        return models.Transaction.objects.using(self._alias)

    def _find(self, account: dict[str, Any]) -> core.Order | None:
        order = _value(self._orders.find(account))
        if order is not None and order.cumulative:
            self._cumulative.add(order.id)
        return order

    def _read(self, **which: Any) -> Transaction | None:
        # One row at most is there: `first` would have it sorted.
        fields = next(iter(_UNSORTED.using(self._alias).filter(**which)), None)
        if fields is None:
            return None
        found = _loaded(fields)
        self._stored[found.id] = found
        return found

    def _list(self, from_: int, to: int) -> Iterator[Transaction]:
        # Django 4.2 hands whole numbers of any size to the driver.
        period = {"time__gte": max(from_, -_LARGEST), "time__lte": min(to, _LARGEST)}
        rows = self._rows.filter(**period).order_by("time", "id").values(*_COLUMNS)
        return map(_loaded, rows.iterator(_CHUNK))

    def _store(self, write: core.Write) -> None:
        after = write.transaction
        before = self._stored.get(after.id)
        if before is None:
            self._add(after)
        else:
            self._change(before, after)
        self._stored[after.id] = after
        if write.event is not None:
            self._tell(write.event, after)

    def _add(self, new: Transaction) -> None:
        holds = None if new.order_id in self._cumulative else new.order_id
        try:
            self._rows.create(holds=holds, **_columns(new))
        except IntegrityError as error:
            raise _OrderTakenError from error

    def _change(self, before: Transaction, after: Transaction) -> None:
        known = _columns(before)
        changes = {name: new for name, new in _columns(after).items() if new != known[name]}
        if after.state not in _LIVING:
            changes["holds"] = None
        unchanged = self._rows.filter(pk=before.id, state=int(before.state))
        if changes and not unchanged.update(**changes):
            raise RuntimeError(f"transaction {before.id} was changed by somebody without the lock")

    def _tell(self, event: Event, stored: Transaction) -> None:
        """Call the shop's hook, after the row is stored: should that fail, nobody was told."""
        hook: Hook | None = getattr(self._orders, event, None)
        if hook is None:
            return
        _value(hook(stored))
        # A hook that swallows a database error dooms the transaction, and COMMIT would not say so.
        # Reading fails then.
        if not self._rows.filter(pk=stored.id, state=int(stored.state)).exists():
            raise RuntimeError(f"{event} took back what was stored; the store does that")


def _value(given: T) -> T:
    """Refuse a coroutine: nobody would run it, and the goods would never be handed over."""
    if inspect.iscoroutine(given):
        given.close()
        raise TypeError("a method of Orders is a coroutine; here they are blocking")
    return given


def _columns(one: Transaction) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(one),
        "state": int(one.state),
        "receivers": msgspec.to_builtins(list(one.receivers)),
    }


def _loaded(fields: dict[str, Any]) -> Transaction:
    exact: dict[str, Any] = {
        **fields,
        "state": TransactionState(fields["state"]),
        "receivers": tuple(core.Receiver(**part) for part in fields["receivers"]),
    }
    return Transaction(**exact)
