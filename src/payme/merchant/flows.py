"""In which order a store is asked, written once for blocking and asyncio stores.

A flow yields steps; a store carries them out inside one database transaction, which it commits when
the flow ends and rolls back when anything raises. The rule that keeps two payments of one order
apart is here: the order is locked before anything about it is read for the decision, and what was
read before is read again.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from payme.merchant import core, wire
from payme.merchant.core import AccountError, Answer, Decision, Order, Request, Transaction

T = TypeVar("T")


class FindOrder(NamedTuple):
    """Step: ask the merchant for the order of an account; gives an `Order` or None.

    The merchant may raise `AccountError`.
    """

    account: dict[str, Any]


class LockOrder(NamedTuple):
    """Step: wait until this order is ours alone, until the end of the database transaction."""

    order_id: str


class GetTransaction(NamedTuple):
    """Step: read a transaction by Payme's id; gives None if there is none."""

    transaction_id: str


class GetHolder(NamedTuple):
    """Step: read the transaction of an order that waits to be performed, or None."""

    order_id: str


class Store(NamedTuple):
    """Step: store a transaction, new or changed, and run the merchant's hook for the event."""

    write: core.Write


class ListTransactions(NamedTuple):
    """Step: read the transactions that Payme created in a period, by Payme's time, ascending.

    They are handed to `read`, which goes through them once and may stop early; gives what it
    returns. So a store may hand over a cursor, and closes it afterwards.
    """

    from_: int
    to: int
    read: Callable[[Iterable[Transaction]], Any]


Step = FindOrder | LockOrder | GetTransaction | GetHolder | Store | ListTransactions

Flow = Generator[Step, Any, T]


def serve(request: Request, now: int) -> Flow[Answer | wire.Listing]:
    """Serve one request.

    Args:
        request: What Payme asks.
        now: Time in ms since 1970 UTC.

    Returns:
        A flow whose value is the answer, for `wire.encode`.
    """
    if isinstance(request, core.Statement):
        return (yield from _statement(request))
    if isinstance(request, core.ChangePassword):
        # Gone from Payme's pages, and a key that requests can change protects nothing (our choice).
        return wire.refuse_method("ChangePassword")
    try:
        decision = yield from _decided(request, now)
    except AccountError as error:
        return error.refusal
    for write in decision.writes:
        yield Store(write)
    return decision.answer


def _decided(request: Any, now: int) -> Flow[Decision]:
    if isinstance(request, core.CheckPerform):
        order = yield from _order(request.account)
        return core.decide(request, order, None, now)
    if isinstance(request, core.Create):
        return (yield from _decided_create(request, now))
    if isinstance(request, core.Check):
        # It writes nothing: what is committed is the answer, and nobody needs to wait for it.
        known: Transaction | None = yield GetTransaction(request.id)
        return core.decide(request, None, known, now)
    return (yield from _decided_known(request, now))


def _decided_create(request: core.Create, now: int) -> Flow[Decision]:
    known: Transaction | None = yield GetTransaction(request.id)
    if known is not None:
        return (yield from _decided_known(request, now))
    found: Order | None = yield FindOrder(request.account)
    if found is None:
        return core.decide(request, None, None, now)
    yield LockOrder(found.id)
    # Somebody may have created a transaction, this very one included, while we waited for the lock.
    known = yield GetTransaction(request.id)
    order = yield from _order(request.account)
    return core.decide(request, order, known, now)


def _decided_known(request: Any, now: int) -> Flow[Decision]:
    known: Transaction | None = yield GetTransaction(request.id)
    if known is None:
        return core.decide(request, None, None, now)
    yield LockOrder(known.order_id)
    locked: Transaction = yield GetTransaction(request.id)
    order = yield from _order_of(locked)
    return core.decide(request, order, locked, now)


def _order(account: dict[str, Any]) -> Flow[Order | None]:
    order: Order | None = yield FindOrder(account)
    if order is None:
        return None
    holder: Transaction | None = yield GetHolder(order.id)
    return replace(order, holder=holder)


def _order_of(transaction: Transaction) -> Flow[Order | None]:
    """Read the order of a stored transaction; one that can't be found any more is None.

    Its holder is not read: only a new transaction has to give way to one.
    """
    try:
        order: Order | None = yield FindOrder(transaction.account)
    except AccountError:
        return None
    return order


def _statement(request: core.Statement) -> Flow[wire.Listing]:
    listing: wire.Listing = yield ListTransactions(request.from_, request.to, _listed)
    return listing


def _listed(rows: Iterable[Transaction]) -> wire.Listing:
    # The text is held and not sent while it is made: reading may fail halfway, and then the answer
    # is -32400 and no statement.
    listing = wire.Listing()
    for row in rows:
        listing.add(core.statement_row(row))
    return listing
