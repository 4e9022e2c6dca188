"""What the client does, as generators: they yield steps and are told what came of them.

Network, time and chance come in as arguments and as answers to steps, so a flow runs the same
under the blocking driver, under asyncio and in a test without a socket. There are two steps, a
`Request` and a `Sleep`; a longer flow is made of shorter ones with `yield from`.
"""

from collections.abc import Awaitable, Callable, Generator
from itertools import count
from typing import Any, Final, NamedTuple, NoReturn, Protocol, TypeVar, cast

from payme.errors import (
    AlreadyPaid,
    ConfigurationError,
    InvalidArgument,
    NotSent,
    OutcomeUnknown,
    PaymeError,
    ReceiptCancelled,
    ReceiptNotFound,
    ReceiptRejected,
    Rejected,
    UnreadableAnswer,
)
from payme.protocol import arguments, calls, jsonrpc, outcome
from payme.protocol.arguments import MAX_PAGE
from payme.protocol.calls import Call, Credential, Effect
from payme.protocol.models import Card, Receipt
from payme.protocol.states import PROVES_CANCEL, PROVES_CONFIRM, PROVES_PAY, ReceiptState
from payme.redact import KEY, Secret
from payme.transport.base import Reply, Request, TransportError

T = TypeVar("T")


class Sleep(NamedTuple):
    """Step: wait."""

    seconds: float


CallStep = Request | Sleep

Flow = Generator[CallStep, Any, T]


class Credentials:
    """Who calls.

    Args:
        merchant_id: Id of the cash-box.
        key: Key of the cash-box; empty for a front end.
    """

    __slots__ = ("key", "merchant_id")

    def __init__(self, merchant_id: str, key: str = "") -> None:
        self.merchant_id = merchant_id
        self.key = Secret(key, KEY)

    def auth(self, credential: Credential) -> str:
        """Make the `X-Auth` value.

        Args:
            credential: What the method carries.

        Returns:
            `id` or `id:key`. The key never travels with a method that a front end calls.
        """
        if credential is Credential.ID or not self.key:
            return self.merchant_id
        return f"{self.merchant_id}:{self.key.open()}"

    def __repr__(self) -> str:
        return f"Credentials({self.merchant_id!r}, {KEY})"


class Limits(NamedTuple):
    """How long and how often.

    Attributes:
        timeout: Seconds for a call with all its attempts.
        connect_timeout: Seconds for one connection.
        max_attempts: How often a request is sent at most, where sending it again is safe.
        max_idle: Seconds that a connection may have been idle to carry what moves money.
    """

    timeout: float = 10.0
    connect_timeout: float = 5.0
    max_attempts: int = 3
    max_idle: float = 2.0


def _unnoted(call: Call[Any], started: float, came: object, attempts: int) -> None:
    """Note nothing."""


class Runtime(NamedTuple):
    """Time, chance, and the log.

    Attributes:
        clock: Monotonic seconds.
        new_id: A new JSON-RPC id.
        uniform: A random number between two, for the jitter of pauses.
        note: Is told of each call when it ends: the call, when it started, its value
            or error, and how often it was sent.
    """

    clock: Callable[[], float]
    new_id: Callable[[], int | None]
    uniform: Callable[[float, float], float]
    note: Callable[[Call[Any], float, object, int], None] = _unnoted


class Session(NamedTuple):
    """What every flow needs: who calls, within which limits, in which world."""

    credentials: Credentials
    limits: Limits
    runtime: Runtime

    def until(self, deadline: float) -> "Session":
        """Make a session whose calls end at a deadline, or soon after one that has passed."""
        left = max(deadline - self.runtime.clock(), _SHORTEST_CALL)
        return self._replace(limits=self.limits._replace(timeout=min(left, self.limits.timeout)))


class Run(Protocol):
    """Makes a call and waits for its value; how a façade reaches its client."""

    def __call__(self, call: Call[T], /) -> T:
        """Make the call."""
        ...


class AsyncRun(Protocol):
    """Makes a call under asyncio."""

    def __call__(self, call: Call[T], /) -> Awaitable[T]:
        """Make the call."""
        ...


class Drive(Protocol):
    """Runs a flow of the client's session."""

    def __call__(self, begin: Callable[[Session], Flow[T]], /) -> T:
        """Run the flow."""
        ...


class AsyncDrive(Protocol):
    """Runs a flow under asyncio."""

    def __call__(self, begin: Callable[[Session], Flow[T]], /) -> Awaitable[T]:
        """Run the flow."""
        ...


class Read(Protocol[T]):
    """Turns a reply into a value or an error: `outcome.read_answer` or `outcome.read_untouched`."""

    def __call__(
        self,
        call: Call[T],
        request_id: int | None,
        reply: Reply | TransportError,
        secrets: tuple[Secret, ...],
    ) -> T:
        """Return the value, or raise what happened."""
        ...


_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

# A call that has less time than this only looks like a question.
_SHORTEST_CALL: Final = 0.1

# Seconds after which an idle connection is not trusted with a request that moves no money. The
# transport keeps none for longer.
_MAX_IDLE: Final = 30.0


def exchange(call: Call[T], session: Session, read: Read[T] = outcome.read_answer) -> Flow[T]:
    """Make a call: send it, and again where that can't do harm, all within one deadline.

    Args:
        call: What to call.
        session: Who calls, within which limits.
        read: How to read the answer.

    Returns:
        A flow whose value is the value of the call.
    """
    if call.refusal is not None:
        raise call.refusal
    limits, runtime = session.limits, session.runtime
    started = runtime.clock()
    for attempt in count(1):
        request_id = runtime.new_id()
        left = started + limits.timeout - runtime.clock()
        request = _request(call, session, request_id, left)
        try:
            value = yield from _attempt(call, session, request_id, request, read)
        except PaymeError as error:
            pause = _backoff(attempt, runtime.uniform)
            late = runtime.clock() + pause >= started + limits.timeout
            if late or attempt >= limits.max_attempts or not outcome.may_resend(call.effect, error):
                runtime.note(call, started, error, attempt)
                raise
        except BaseException as interruption:
            if request.sent and call.effect is not Effect.READ:
                outcome.interrupt(call, request_id, interruption)
                runtime.note(call, started, interruption, attempt)
            raise
        else:
            runtime.note(call, started, value, attempt)
            return value
        yield Sleep(pause)
    raise AssertionError  # pragma: no cover - `count` has no end


def _attempt(
    call: Call[T], session: Session, request_id: int | None, request: Request, read: Read[T]
) -> Flow[T]:
    reply: Reply | TransportError
    try:
        reply = yield request
    except TransportError as failure:
        reply = failure
    trusted = request_id is not None
    try:
        return read(call, request_id, reply, (session.credentials.key,))
    except UnreadableAnswer:
        # The next answer on that connection would not be the right one either.
        trusted = False
        raise
    finally:
        if isinstance(reply, Reply) and not trusted:
            reply.discard()


def _request(call: Call[Any], session: Session, request_id: int | None, left: float) -> Request:
    limits = session.limits
    max_idle = limits.max_idle if call.effect is Effect.MOVES_MONEY else _MAX_IDLE
    return Request(
        session.credentials.auth(call.credential),
        jsonrpc.encode(call.method, call.params, request_id),
        left,
        min(left, limits.connect_timeout),
        # Without an id a stray answer can't be told from the right one, and a connection that was
        # used before may bring one: somebody else's token. So it gets a connection of its own.
        max_idle if request_id is not None else 0.0,
    )


def _backoff(attempt: int, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the next attempt: full jitter, so that a crowd does not come back at once."""
    return uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)))


def start(call: Call[T], session: Session, *, plain: bool = False) -> Flow[T]:
    """Make a call of a façade, with the look at Payme that some of its failures need.

    Args:
        call: What to call.
        session: Who calls, within which limits.
        plain: Take failures as they are.

    Returns:
        A flow whose value is the value of the call.
    """
    require_key(call.method, session, call.credential)
    special = None if plain else _LOOKING.get(call.method)
    return exchange(call, session) if special is None else special(call, session)


def require_key(
    method: str, session: Session, credential: Credential = Credential.ID_AND_KEY
) -> None:
    """Refuse a call that needs the key when there is none, before anything is sent."""
    if credential is Credential.ID_AND_KEY and not session.credentials.key:
        raise ConfigurationError(
            f"{method} needs the key of the cash-box: give key=... or set PAYME_KEY", method=method
        )


def _move(call: Call[Any], session: Session) -> Flow[Any]:
    """Make a call that moves money, and look at the receipt when Payme says "paid or not found".

    That one code stands for a receipt with which it is done already (the request came twice, or
    somebody repeats it), for one that was cancelled, and for one that does not exist.
    """
    deadline = session.runtime.clock() + session.limits.timeout
    try:
        return (yield from exchange(call, session))
    except AlreadyPaid as refused:
        return (yield from _look(call, refused, session.until(deadline)))


def _look(call: Call[Any], refused: Rejected, session: Session) -> Flow[Receipt]:
    try:
        receipt = yield from exchange(calls.receipts_get(str(call.receipt_id)), session)
    except ReceiptNotFound as unknown:
        raise refused.become(ReceiptNotFound) from unknown
    except (NotSent, OutcomeUnknown, Rejected) as unread:
        raise _doubt(call, refused, "and the receipt could not be read") from unread
    if receipt.state in _DONE[call.method]:
        return receipt
    if receipt.state in _REFUSED[call.method]:
        raise refused.become(ReceiptRejected) from refused
    if receipt.state == ReceiptState.CANCELLED:
        raise refused.become(ReceiptCancelled) from refused
    raise _doubt(call, refused, f"and the receipt is {receipt.state.name}") from refused


# In which states a receipt shows that nothing of the kind was done, nor is under way.
_REFUSED: Final[dict[str, frozenset[ReceiptState]]] = {
    "receipts.pay": frozenset(),
    "receipts.confirm_hold": frozenset({ReceiptState.CREATED}),
    "receipts.cancel": frozenset(ReceiptState),
}

# In which states a receipt shows that it was done already.
_DONE: Final[dict[str, frozenset[ReceiptState]]] = {
    "receipts.pay": frozenset({ReceiptState.PAID, ReceiptState.HELD}),
    "receipts.confirm_hold": frozenset({ReceiptState.PAID}),
    "receipts.cancel": frozenset({ReceiptState.CANCEL_QUEUED, ReceiptState.CANCELLED}),
}


def _doubt(call: Call[Any], refused: Rejected, reason: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{call.method}: answered {refused.code}, {reason}; {outcome.what_now(call)}",
        method=call.method,
        request_id=refused.request_id,
        receipt_id=call.receipt_id,
        sent="yes",
    )


def _verify(call: Call[Any], session: Session) -> Flow[Any]:
    """Verify a card, and check it when the answer is lost: a repeated code would be refused."""
    runtime = session.runtime
    deadline = runtime.clock() + session.limits.timeout
    try:
        return (yield from exchange(call, session))
    except OutcomeUnknown as lost:
        if deadline - runtime.clock() < _SHORTEST_CALL:
            raise
        check = calls.cards_check(call.params["token"].open())
        card = yield from _read_or_none(check, session.until(deadline))
        if card is None or not card.verify:
            raise lost from None
        return card


def _read_or_none(call: Call[Card], session: Session) -> Flow[Card | None]:
    try:
        return (yield from exchange(call, session))
    except (NotSent, OutcomeUnknown, Rejected):
        return None


_LOOKING: Final[dict[str, Callable[[Call[Any], Session], Flow[Any]]]] = {
    **dict.fromkeys(_DONE, _move),
    "cards.verify": _verify,
}

_PROOFS: Final[dict[str, frozenset[ReceiptState]]] = {
    "receipts.pay": PROVES_PAY,
    "receipts.confirm_hold": PROVES_CONFIRM,
    "receipts.cancel": PROVES_CANCEL,
}


def wait(receipt: Receipt | str, timeout: float, session: Session) -> Flow[Receipt]:
    """Ask for a receipt until it has come to a proven end.

    Args:
        receipt: The receipt, or its id.
        timeout: Seconds to keep asking.
        session: Who calls.

    Returns:
        A flow whose value is the receipt, paid, held or cancelled.
    """
    require_key("receipts.get", session)
    known = receipt if isinstance(receipt, Receipt) else None
    receipt_id = arguments.receipt_id(known.id if known else receipt, "receipt")
    open_end = OutcomeUnknown("", method="receipts.pay", receipt_id=receipt_id, sent="maybe")
    inquiry = Inquiry(open_end, PROVES_PAY, session)
    if known is not None and inquiry.is_proof(known):
        return known
    return (yield from inquiry.ask(timeout)) or inquiry.fail()


def resolve(
    lost: OutcomeUnknown, timeout: float, session: Session, *, cancel: bool
) -> Flow[Receipt | None]:
    """Find out what became of a call whose outcome is unknown.

    Args:
        lost: The error of the call. How many cancellations may be on their way is kept in it.
        timeout: Seconds to keep asking.
        session: Who calls.
        cancel: Cancel the receipt when the time is over, and ask for as long again.

    Returns:
        A flow whose value is the receipt in a state that proves something; None for a method that
        moves no money.
    """
    if not isinstance(cast("object", lost), OutcomeUnknown):
        raise InvalidArgument("lost", type(lost).__name__, "an OutcomeUnknown; see payme.lost_in")
    proofs = _PROOFS.get(lost.method)
    if proofs is None or lost.receipt_id is None:
        if calls.METHODS.get(lost.method, calls.UNKNOWN_METHOD).effect is Effect.MOVES_MONEY:
            raise _unproven(lost, "there is no receipt to look at")
        return None
    require_key("receipts.get", session)
    inquiry = Inquiry(lost, proofs, session)
    try:
        receipt = yield from inquiry.ask(timeout)
        if receipt is None and cancel:
            receipt = yield from inquiry.give_up(timeout)
    except PaymeError:
        raise
    except BaseException as interruption:
        if lost.cancels:
            unproven = _unproven(lost, "interrupted while a cancellation may be on its way")
            outcome.attach(unproven, interruption)
        raise
    return receipt or inquiry.fail()


def _unproven(lost: OutcomeUnknown, reason: str) -> OutcomeUnknown:
    error = OutcomeUnknown(
        f"{lost.method}: outcome still unknown: {reason}",
        method=lost.method,
        request_id=lost.request_id,
        receipt_id=lost.receipt_id,
        sent=lost.sent,
    )
    error.cancels = lost.cancels
    return error


class Inquiry:
    """Asks for one receipt until its state proves something.

    From the moment a cancellation may have left, the money may go back at any time: "paid" would be
    a lie, and only 50 is an end. So `lost.cancels` counts a cancellation from before it leaves
    until it is certainly refused, and one of somebody else's from when the receipt is seen in the
    queue. A refusal to read proves nothing.
    """

    def __init__(
        self, lost: OutcomeUnknown, proofs: frozenset[ReceiptState], session: Session
    ) -> None:
        self._lost = lost
        self._receipt_id = str(lost.receipt_id)
        self._proofs = proofs
        self._session = session
        self._clock = session.runtime.clock
        self._seen: ReceiptState | None = None
        self._unread: PaymeError | None = None

    def is_proof(self, receipt: Receipt) -> bool:
        """Return whether a receipt, as it was just read, has come to an end."""
        self._seen, self._unread = receipt.state, None
        if receipt.state == ReceiptState.CANCEL_QUEUED:
            self._lost.cancels = max(self._lost.cancels, 1)
        return receipt.state in (PROVES_CANCEL if self._lost.cancels else self._proofs)

    def ask(self, timeout: float) -> Flow[Receipt | None]:
        """Ask for some seconds, at least once."""
        deadline = self._clock() + timeout
        for attempt in count(1):
            receipt = yield from self._read(deadline)
            if receipt is not None and self.is_proof(receipt):
                return receipt
            pause = _FIRST_PAUSE + _backoff(attempt, self._session.runtime.uniform)
            if self._clock() + pause >= deadline:
                return None
            yield Sleep(pause)
        raise AssertionError  # pragma: no cover - `count` has no end

    def look(self) -> Flow[Receipt | None]:
        """Read the receipt once, in the time that a call has."""
        receipt = yield from self._read(self._clock() + self._session.limits.timeout)
        return receipt if receipt is not None and self.is_proof(receipt) else None

    def give_up(self, timeout: float) -> Flow[Receipt | None]:
        """Cancel the receipt and see it cancelled.

        Cancelling is repeated only after a look has shown that the receipt is neither cancelled nor
        queued; its id makes a second cancellation harmless.
        """
        deadline = self._clock() + timeout
        while True:
            receipt = None if self.is_queued else (yield from self._cancel(deadline))
            if receipt is None:
                look = min(_LONGEST_PAUSE, deadline - self._clock())
                receipt = yield from self.ask(look)
            if receipt is not None and self.is_proof(receipt):
                return receipt
            if self._clock() + _FIRST_PAUSE >= deadline:
                return None
            yield Sleep(_FIRST_PAUSE)

    def fail(self) -> NoReturn:
        """Raise what is known when the time is over."""
        raise _unproven(self._lost, f"{self.report()}; ask again later") from self._unread

    def report(self) -> str:
        """Say what was seen last, and what may be on its way."""
        if self._seen is None:
            return "the receipt could not be read"
        queued = " and a cancellation may be on its way" if self._lost.cancels else ""
        return f"the receipt is {self._seen.name} ({int(self._seen)}){queued}"

    @property
    def was_read(self) -> bool:
        """The receipt was read at least once."""
        return self._seen is not None

    @property
    def is_queued(self) -> bool:
        """The receipt was last seen in the queue for cancellation."""
        return self._seen == ReceiptState.CANCEL_QUEUED

    def _read(self, deadline: float) -> Flow[Receipt | None]:
        get = calls.receipts_get(self._receipt_id)
        try:
            return (yield from exchange(get, self._session.until(deadline)))
        except (NotSent, OutcomeUnknown, Rejected) as unread:
            self._unread = unread
            return None

    def _cancel(self, deadline: float) -> Flow[Receipt | None]:
        cancel = calls.receipts_cancel(self._receipt_id)
        self._lost.cancels += 1
        try:
            return (yield from exchange(cancel, self._session.until(deadline)))
        except OutcomeUnknown:
            return None
        except PaymeError as error:
            self._lost.cancels -= 1
            if isinstance(error, NotSent | Rejected):
                return None
            raise


class Paginator:
    """Walks through the receipts of a period, a page at a time.

    The order of `receipts.get_all` is not documented, and receipts may be created while the walk
    goes on. So the ids of the page before are remembered and a receipt that was pushed onto the
    next page is not given twice; memory stays at two pages however long the period is.

    Args:
        from_: Beginning of the period, aware `datetime` or milliseconds.
        to: End of the period.
    """

    def __init__(self, from_: object, to: object) -> None:
        self._from, self._to = from_, to
        self._offset = 0
        self._seen: frozenset[str] = frozenset()
        self.done = False

    def next_call(self) -> Call[list[Receipt]]:
        """Build the call for the next page."""
        return calls.receipts_get_all(MAX_PAGE, self._from, self._to, self._offset)

    def accept(self, page: list[Receipt]) -> list[Receipt]:
        """Take a page.

        Args:
            page: What the call returned.

        Returns:
            The receipts that are new.
        """
        fresh = [receipt for receipt in page if receipt.id not in self._seen]
        self._seen = frozenset(receipt.id for receipt in page)
        self._offset += len(page)
        self.done = len(page) < MAX_PAGE
        return fresh
