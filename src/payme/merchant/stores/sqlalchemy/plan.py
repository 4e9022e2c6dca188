"""From the steps of a flow to what is done on a connection, written once for both stores.

A `Plan` is pure: it turns each step into a flow of effects, and a store carries those out.

What keeps two payments of one order apart:

* PostgreSQL: an advisory lock on a hash of the order's id, held until the transaction ends. Each
  statement after it sees what the former holder committed, because the stores run in READ COMMITTED
  whatever the engine's level is. Locks are taken before rows are written, and one for each flow,
  so two flows can't wait for each other, and nothing is there to be retried.
* SQLite: the flow begins as a writer (BEGIN IMMEDIATE), and SQLite has one writer at a time.
* Both: the unique index on `holds`. If it ever fires, `OrderTakenError` becomes -31008.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from payme.merchant import core, flows
from payme.merchant.core import Event, Order, Transaction
from payme.merchant.stores.sqlalchemy import schema

T = TypeVar("T")


class Begin(NamedTuple):
    """Effect: begin the database transaction, as a writer or as a reader."""

    writes: bool


class Find(NamedTuple):
    """Effect: call the merchant's `find`; gives an `Order` or None, may raise `AccountError`."""

    account: dict[str, Any]


class Execute(NamedTuple):
    """Effect: execute a statement; gives its buffered result."""

    statement: sa.Executable
    parameters: dict[str, Any]


class Insert(NamedTuple):
    """Effect: insert a transaction; raises `OrderTakenError` when a unique index refuses it."""

    parameters: dict[str, Any]


class Stream(NamedTuple):
    """Effect: select transactions and hand them to `read` as they are fetched; gives its value."""

    statement: sa.Executable
    parameters: dict[str, Any]
    read: Callable[[Iterable[Transaction]], Any]


class Notify(NamedTuple):
    """Effect: call the merchant's method for an event; gives False if there is none to call."""

    event: Event
    transaction: Transaction


Effect = Begin | Find | Execute | Insert | Stream | Notify

Effects = Generator[Effect, Any, T]


class OrderTakenError(Exception):
    """Another living transaction holds the order, or the id is taken."""


class ChangedMeanwhileError(RuntimeError):
    """A transaction was changed by somebody who did not lock its order."""


class Plan:
    """Turns the steps of one flow into effects, and remembers what the flow has seen.

    Args:
        dialect: `postgresql` or `sqlite`.
    """

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._began = False
        self._cumulative: set[str] = set()
        self._stored: dict[str, Transaction] = {}

    def effects_of(self, step: flows.Step) -> Effects[Any]:
        """Return the effects of a step, whose value is what the flow is sent for it."""
        if not self._began:
            self._began = True
            yield Begin(writes=not isinstance(step, flows.ListTransactions))
        match step:
            case flows.FindOrder(account):
                return (yield from self._find(account))
            case flows.LockOrder(order_id):
                yield from self._lock(order_id)
            case flows.GetTransaction(transaction_id):
                return (yield from self._read(schema.BY_ID, id=transaction_id))
            case flows.GetHolder(order_id):
                return (yield from self._read(schema.HOLDER, order_id=order_id))
            case flows.ListTransactions(from_, to, read):
                return (yield Stream(schema.CREATED_BETWEEN, schema.period(from_, to), read))
            case flows.Store(write):
                yield from self._store(write.transaction)
                if write.event is not None and (yield Notify(write.event, write.transaction)):
                    yield from self._confirm(write)
        return None

    def _find(self, account: dict[str, Any]) -> Effects[Order | None]:
        order: Order | None = yield Find(account)
        if order is not None and order.cumulative:
            self._cumulative.add(order.id)
        return order

    def _lock(self, order_id: str) -> Effects[None]:
        if self._dialect == "postgresql":
            yield Execute(schema.LOCK, {"key": lock_key(order_id)})

    def _read(self, statement: sa.Executable, **parameters: Any) -> Effects[Transaction | None]:
        row = (yield Execute(statement, parameters)).mappings().first()
        if row is None:
            return None
        transaction = schema.read(row)
        self._stored[transaction.id] = transaction
        return transaction

    def _store(self, after: Transaction) -> Effects[None]:
        before = self._stored.get(after.id)
        if before is None:
            yield Insert(schema.new(after, cumulative=after.order_id in self._cumulative))
        else:
            statement = schema.CHANGE if after.state in schema.LIVING else schema.END
            changed = yield Execute(statement, schema.changed(before, after))
            if changed.rowcount != 1:
                raise ChangedMeanwhileError(f"transaction {after.id} is not as it was read")
        self._stored[after.id] = after

    def _confirm(self, write: core.Write) -> Effects[None]:
        """Read back what the merchant was told of.

        A hook that swallows a database error dooms the transaction of PostgreSQL, and COMMIT would
        not say so: it rolls back, and Payme would be told that the goods are out. Reading fails.
        """
        stored = write.transaction
        kept = yield from self._read(schema.BY_ID, id=stored.id)
        if kept is None or kept.state != stored.state:
            raise RuntimeError(f"{write.event} took back what was stored; the store does that")


_NAMESPACE: Final = b"payme.merchant:"


def lock_key(order_id: str) -> int:
    """Return the number of an order's advisory lock in PostgreSQL.

    Two orders with one key would only wait for each other.

    Args:
        order_id: Id of the order.

    Returns:
        A number of 64 bits with a sign.
    """
    digest = hashlib.blake2b(_NAMESPACE + order_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
