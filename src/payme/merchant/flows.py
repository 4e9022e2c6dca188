"""How each request is served, written once for blocking and asyncio stores.

A flow yields pieces of `Work`. A store carries each out on one connection, in the scope that the
work names; the work itself yields steps: operations on the rows of the store, and calls of the
merchant's own code.

The rule that keeps two payments of one order apart is here: what is decided about a transaction is
decided under the lock of its order, from what is read after the lock was taken.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Final, Literal, NamedTuple, TypeVar

from msgspec.structs import replace

from payme.merchant import decisions, wire
from payme.merchant.entities import (
    AccountError,
    Answer,
    Cancel,
    ChangePassword,
    Check,
    CheckPerform,
    Create,
    Decision,
    Event,
    Method,
    Order,
    Perform,
    Refusal,
    Refuse,
    Request,
    SetFiscalData,
    Statement,
    Transaction,
    TransactionState,
    Write,
    box_name,
    order_name,
)

T = TypeVar("T")


class FindOrder(NamedTuple):
    """Step: ask the merchant for the order of an account; gives an `Order` or None.

    The merchant may raise `AccountError`.
    """

    account: dict[str, Any]
    method: Method


class HasHook(NamedTuple):
    """Step: ask whether the merchant has a hook for an event; nobody is waited for."""

    event: Event


class Notify(NamedTuple):
    """Step: call the merchant's hook; gives False if there is none to call."""

    event: Event
    transaction: Transaction


class ReadTransaction(NamedTuple):
    """Step: read a transaction by Payme's id; gives None if there is none."""

    transaction_id: str


class LockTransaction(NamedTuple):
    """Step: lock the order of a transaction, then read the transaction; gives None without one.

    The lock is held until the end of the database transaction.
    """

    transaction_id: str


class PerformWaiting(NamedTuple):
    """Step: lock the order of a transaction as `LockTransaction` does, and store that it performs.

    Gives the transaction as it is stored then. None if it does not wait, or is older than
    `created_since`, or if the store would need several statements for this: nothing is changed.
    """

    transaction_id: str
    perform_time: int
    created_since: int


class LockOrder(NamedTuple):
    """Step: wait until this order is ours alone, until the end of the database transaction."""

    order_id: str


class ReadActive(NamedTuple):
    """Step: read the transaction of a one-time order that waits or is performed, or None."""

    order_id: str


class ListOrder(NamedTuple):
    """Step: read every transaction of an order, by Payme's time, ascending; gives a list."""

    order_id: str
    any_box: bool


class Insert(NamedTuple):
    """Step: store a new transaction; gives False if its id or its order is taken."""

    transaction: Transaction
    exclusive: bool


class Update(NamedTuple):
    """Step: store a change; gives False if the transaction is not in the state it was read in."""

    before: Transaction
    after: Transaction


class Confirm(NamedTuple):
    """Step: ask whether what was stored is still going to be committed; gives False if not."""

    stored: Transaction


class ListTransactions(NamedTuple):
    """Step: read the transactions that Payme created in a period, by Payme's time, ascending.

    They are handed to `read`, which goes through them once and may stop early; gives what it
    returns. So a store may hand over a cursor, and closes it afterwards.
    """

    from_: int
    to: int
    read: Callable[[Iterable[Transaction]], Any]


class ListWaiting(NamedTuple):
    """Step: read transactions that wait, by Payme's time and then by id, ascending.

    Attributes:
        before: Payme's time in ms that all of them are older than.
        after: Time and id of the last one that is known already.
        limit: How many at most.
        box: The cash-box whose transactions they are.
    """

    before: int
    after: tuple[int, str]
    limit: int


RowStep = (
    ReadTransaction
    | LockTransaction
    | PerformWaiting
    | LockOrder
    | ReadActive
    | ListOrder
    | Insert
    | Update
    | Confirm
    | ListTransactions
    | ListWaiting
)
MerchantStep = FindOrder | HasHook | Notify | RowStep

Steps = Generator[MerchantStep, Any, T]

Scope = Literal["read", "insert", "cursor", "transaction"]


class Work(NamedTuple):
    """Steps that are carried out on one connection.

    Attributes:
        scope: `transaction` is committed when the steps end, and rolled back when anything raises.
            `insert` ends with one `Insert`, `read` and `cursor` write nothing; each of their steps
            may stand alone in the database. `cursor` reads row by row.
        steps: Yields steps. Their value is what the flow is sent.
        box: The cash-box whose transactions the steps are about; they see no other's.
    """

    scope: Scope
    steps: Steps[Any]
    box: str = ""


Flow = Generator[Work, Any, T]

_METHODS: Final[dict[type, Method]] = {
    CheckPerform: "CheckPerformTransaction",
    Create: "CreateTransaction",
    Perform: "PerformTransaction",
    Cancel: "CancelTransaction",
}


class NoAnswerError(Exception):
    """One way to serve a request came to no answer; what it did is rolled back."""


class RefusedError(Exception):
    """The merchant refused in a hook; what was done until then is rolled back."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class UnstorableError(Exception):
    """The merchant's database refuses to be asked for an account."""

    refusal = wire.UNSTORABLE


class ChangedMeanwhileError(RuntimeError):
    """A transaction was changed by somebody who did not lock its order."""


def serve(
    request: Request, now: int, *, refund_missing: bool = False, box: str = ""
) -> Flow[Answer | wire.StatementWriter]:
    """Serve one request.

    Args:
        request: What Payme asks.
        now: Time in ms since 1970 UTC.
        refund_missing: Refund a payment whose order is not found any more.
        box: The cash-box that asks.

    Returns:
        A flow whose value is the answer, for `wire.encode`.
    """
    if isinstance(request, ChangePassword):
        # Gone from Payme's pages, and a key that requests can change protects nothing (our choice).
        return wire.refuse_method("ChangePassword")
    for work in _ways(request, now, refund_missing, box):
        try:
            answer: Answer | wire.StatementWriter = yield work._replace(box=box)
        except NoAnswerError:
            continue
        except RefusedError as refused:
            return refused.refusal
        return answer
    raise AssertionError("the last way always comes to an answer")


def of_order(order_id: str, box: str | None = None) -> Flow[list[Transaction]]:
    """Read every transaction of an order.

    Args:
        order_id: Id of the order, as `find` names it.
        box: The cash-box whose transactions are read; None for all that the store keeps.

    Returns:
        A flow whose value lists them by Payme's time, the oldest first.

    Raises:
        InvalidArgument: `order_id` is no text of 1 to 255 characters.
        ConfigurationError: `box` can't be the name of a cash-box.
    """
    return _listed(order_name(order_id, "order_id"), None if box is None else box_name(box))


def _listed(order_id: str, box: str | None) -> Flow[list[Transaction]]:
    steps = _of_order(ListOrder(order_id, any_box=box is None))
    found: list[Transaction] = yield Work("read", steps, box or "")
    return found


def _of_order(step: ListOrder) -> Steps[list[Transaction]]:
    found: list[Transaction] = yield step
    return found


def _ways(
    request: Statement | Check | CheckPerform | Create | Perform | Cancel | SetFiscalData,
    now: int,
    refund_missing: bool,  # noqa: FBT001
    box: str,
) -> Iterator[Work]:
    """Yield the ways to serve a request; the next one is gone when one came to no answer.

    Most requests meet an order that nobody else is at. What is decided for them needs no lock, so
    it is tried first with as few waits for the database as can be; the last way is the whole one.
    """
    match request:
        case Statement():
            yield Work("cursor", _statement(request))
        case Check():
            yield Work("read", _check(request, now))
        case CheckPerform():
            yield Work("read", _tried(_check_perform(request, now)))
            # A `find` that needs a transaction, as for a savepoint, gets one.
            yield Work("transaction", _check_perform(request, now))
        case Create():
            yield Work("insert", _tried(_create_at_once(request, now, box)))
            yield Work("transaction", _create(request, now, box))
        case Perform():
            yield Work("transaction", _perform_at_once(request, now))
            yield Work("transaction", _change(request, now, refund_missing))
        case Cancel() | SetFiscalData():
            yield Work("transaction", _change(request, now, refund_missing))


def _tried(steps: Steps[Answer]) -> Steps[Answer]:
    """Come to no answer when anything fails: the next way meets it again, or does without."""
    try:
        return (yield from steps)
    except Exception as error:
        raise NoAnswerError from error


def _check(request: Check, now: int) -> Steps[Answer]:
    # It writes nothing: what is committed is the answer, and nobody needs to wait for it.
    known: Transaction | None = yield ReadTransaction(request.id)
    return decisions.decide(request, None, known, now).answer


def _check_perform(request: CheckPerform, now: int) -> Steps[Answer]:
    try:
        order = yield from _order(request)
    except (AccountError, UnstorableError) as error:
        return error.refusal
    return decisions.decide(request, order, None, now).answer


def _find(request: CheckPerform | Create) -> Steps[Order | None]:
    """Ask the merchant, and blame an account that no database can be asked for, not the `find`."""
    try:
        order: Order | None = yield FindOrder(request.account, _METHODS[type(request)])
    except AccountError:
        raise
    except Refuse as refuse:
        raise RefusedError(_refused_by_find(request, refuse)) from refuse
    except Exception as error:
        if wire.is_storable(request.account):
            raise
        raise UnstorableError from error
    return order


def _create_at_once(request: Create, now: int, box: str) -> Steps[Answer]:
    """Create the transaction of an order that is free, and nothing else.

    Nothing is locked: of two that come here at one moment, the unique indexes let one in. Whoever
    is not let in, and whoever may be a repetition, goes the whole way. So does who reserves goods:
    hooks run in a transaction and under the order's lock.
    """
    if (yield HasHook("created")):
        raise NoAnswerError
    order: Order | None = yield FindOrder(request.account, "CreateTransaction")
    decision = decisions.decide(request, order, None, now, box=box)
    for write in decision.writes:
        if (yield Insert(write.transaction, write.exclusive)):
            # There is no hook; a store may have others to tell, after its commit.
            yield Notify("created", write.transaction)
            return decision.answer
    raise NoAnswerError


def _create(request: Create, now: int, box: str) -> Steps[Answer]:
    try:
        decision = yield from _decided_create(request, now, box)
    except (AccountError, UnstorableError) as error:
        return error.refusal
    return (yield from _stored(decision))


def _decided_create(request: Create, now: int, box: str) -> Steps[Decision]:
    known: Transaction | None = yield LockTransaction(request.id)
    if known is not None:
        return decisions.decide(request, None, known, now)
    found = yield from _find(request)
    if found is None:
        return decisions.decide(request, None, None, now)
    yield LockOrder(found.id)
    # Somebody may have created a transaction, this very one included, while we waited for the lock.
    known = yield ReadTransaction(request.id)
    order = yield from _order(request)
    return decisions.decide(request, order, known, now, box=box)


def _perform_at_once(request: Perform, now: int) -> Steps[Answer]:
    """Perform a transaction that waits, and nothing else.

    What is nearly always decided is stored with the lock, and decided afterwards. Should anything
    else come of it, it is rolled back before the merchant's hook has heard of it.
    """
    since = decisions.waits_since(now)
    stored: Transaction | None = yield PerformWaiting(request.id, now, since)
    if stored is None:
        return (yield from _change(request, now, refund_missing=False))
    waiting = replace(stored, state=TransactionState.CREATED, perform_time=0)
    order = yield from _order_of(waiting, "PerformTransaction")
    decision = decisions.decide(request, order, waiting, now)
    if [write.transaction for write in decision.writes] != [stored]:
        raise NoAnswerError
    for write in decision.writes:
        yield from _announce(write)
    return decision.answer


def _change(
    request: Perform | Cancel | SetFiscalData,
    now: int,
    refund_missing: bool,  # noqa: FBT001
) -> Steps[Answer]:
    known: Transaction | None = yield LockTransaction(request.id)
    order: Order | None = None
    if known is not None and decisions.asks_order(request, known, now):
        order = yield from _order_of(known, _METHODS[type(request)])
    decision = decisions.decide(request, order, known, now, refund_missing=refund_missing)
    return (yield from _stored(decision))


def _refused_by_find(request: CheckPerform | Create, refuse: Refuse) -> Refusal:
    asking = isinstance(request, CheckPerform)
    refusal = decisions.FIND_REFUSALS[_METHODS[type(request)]]
    return decisions.refused(refusal, refuse, next(iter(request.account), None) if asking else None)


def _order(request: CheckPerform | Create) -> Steps[Order | None]:
    order = yield from _find(request)
    if order is None:
        return None
    active: Transaction | None = yield ReadActive(order.id)
    return replace(order, active_transaction=active)


def _order_of(transaction: Transaction, method: Method) -> Steps[Order | None]:
    """Read the order of a stored transaction; one that can't be found any more is None."""
    try:
        order: Order | None = yield FindOrder(transaction.account, method)
    except AccountError:
        return None
    except Refuse as refuse:
        refusal = decisions.FIND_REFUSALS[method]
        raise RefusedError(decisions.refused(refusal, refuse)) from refuse
    return order


def _stored(decision: Decision) -> Steps[Answer]:
    """Store what was decided, and give the answer."""
    for write in decision.writes:
        if not (yield from _store(write)):
            # The id or the order is taken, whatever the lock and the merchant's `find` said.
            return decisions.CANNOT_PERFORM
    return decision.answer


def _store(write: Write) -> Steps[bool]:
    after = write.transaction
    if write.before is None:
        if not (yield Insert(after, write.exclusive)):
            return False
    elif not (yield Update(write.before, after)):
        raise ChangedMeanwhileError(f"transaction {after.id} is not as it was read")
    # Stored first: should that fail, nobody was told.
    yield from _announce(write)
    return True


def _announce(write: Write) -> Steps[None]:
    if write.event is not None and (yield from _told(write.event, write.transaction)):
        yield from _confirm(write)


def _told(event: Event, transaction: Transaction) -> Steps[bool]:
    try:
        told: bool = yield Notify(event, transaction)
    except Refuse as refuse:
        refusal = decisions.HOOK_REFUSALS.get(event)
        # An attempt that is over can't be kept alive by a refusal: in `released` it is a failure.
        if refusal is None:
            raise
        raise RefusedError(decisions.refused(refusal, refuse)) from refuse
    return told


def _confirm(write: Write) -> Steps[None]:
    """Make sure that the hook left the database transaction as it was.

    One that swallows a database error dooms the transaction of PostgreSQL, and COMMIT would not say
    so: it rolls back, and Payme would be told that the goods are out.
    """
    if not (yield Confirm(write.transaction)):
        raise RuntimeError(f"{write.event} took back what was stored; the store does that")


def _statement(request: Statement) -> Steps[wire.StatementWriter]:
    written: wire.StatementWriter = yield ListTransactions(request.from_, request.to, _written)
    return written


def _written(rows: Iterable[Transaction]) -> wire.StatementWriter:
    # The text is held and not sent while it is made: reading may fail halfway, and then the answer
    # is -32400 and no statement.
    writer = wire.StatementWriter()
    for row in rows:
        writer.add(decisions.statement_row(row))
    return writer


def overdue(now: int, after: tuple[int, str], limit: int, box: str = "") -> Flow[list[Transaction]]:
    """Read transactions that waited longer than twelve hours and were not met since.

    Args:
        now: Time in ms since 1970 UTC.
        after: Time and id of the last one that is known already.
        limit: How many at most.
        box: The cash-box that they came by.
    """

    def steps() -> Steps[list[Transaction]]:
        found: list[Transaction] = yield ListWaiting(now - decisions.EXPIRY_MS, after, limit)
        return found

    found: list[Transaction] = yield Work("read", steps(), box)
    return found


def time_out(transaction_id: str, now: int, box: str = "") -> Flow[bool]:
    """Cancel a transaction that waited too long, as the next request about it would.

    Args:
        transaction_id: Payme's id.
        now: Time in ms since 1970 UTC.
        box: The cash-box that it came by.

    Returns:
        A flow whose value is False if somebody else met it meanwhile.
    """

    def steps() -> Steps[bool]:
        known: Transaction | None = yield LockTransaction(transaction_id)
        if decisions.stage(known, now) != "expired":
            return False
        yield from _stored(decisions.decide(Perform(transaction_id), None, known, now, box=box))
        return True

    done: bool = yield Work("transaction", steps(), box)
    return done
