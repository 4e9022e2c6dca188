"""What the client does, as generators: they yield steps and are told what came of them.

Network, time and chance come in as arguments and as answers to steps, so a flow runs the same
under the blocking driver, under asyncio and in a test without a socket.
"""

from collections.abc import Callable, Generator
from itertools import count
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from payme.errors import (
    NotSent,
    OutcomeUnknown,
    PaymeError,
    Rejected,
    ServiceUnavailable,
    UnreadableAnswer,
)
from payme.protocol import calls, jsonrpc, outcome
from payme.protocol.arguments import MAX_PAGE
from payme.protocol.calls import Call, Credential
from payme.protocol.models import Receipt
from payme.protocol.states import PROVES_CANCEL, PROVES_CONFIRM, PROVES_PAY, ReceiptState
from payme.transport.base import Reply, Request, TransportError

T = TypeVar("T")


class Sleep(NamedTuple):
    """Step: wait."""

    seconds: float


class Discard(NamedTuple):
    """Step: give up the connection that an answer came on."""

    reply: Reply


class Within(NamedTuple):
    """Step: make a call that takes at most some seconds."""

    call: Call[Any]
    seconds: float


Flow = Generator[Request | Sleep | Discard, Reply | TransportError | None, T]
"""A flow of the lower floor: it talks to the transport."""

Inquiry = Generator[Within | Sleep, Any, T]
"""A flow of the upper floor: it makes calls."""

Step = Request | Sleep | Discard | Within

AnyFlow = Generator[Any, Any, T]
"""A flow of either floor."""


class Identity(NamedTuple):
    """Who calls.

    Attributes:
        merchant_id: Id of the cash-box.
        key: Key of the cash-box; empty for a front end.
    """

    merchant_id: str
    key: str = ""

    def auth(self, credential: Credential) -> str:
        """Make the `X-Auth` value.

        Args:
            credential: What the method carries.

        Returns:
            `id` or `id:key`. The key never travels with a method that a front end calls.
        """
        if credential is Credential.ID or not self.key:
            return self.merchant_id
        return f"{self.merchant_id}:{self.key}"

    def __repr__(self) -> str:
        return f"Identity({self.merchant_id!r}, <key>)"


class Limits(NamedTuple):
    """How long and how often.

    Attributes:
        timeout: Seconds for a call with all its attempts.
        connect_timeout: Seconds for one connection.
        max_attempts: How often a request is sent at most, where sending it again is safe.
    """

    timeout: float = 10.0
    connect_timeout: float = 5.0
    max_attempts: int = 3


class World(NamedTuple):
    """Time and chance.

    Attributes:
        clock: Monotonic seconds.
        new_id: A new JSON-RPC id.
        uniform: A random number between two, for the jitter of pauses.
    """

    clock: Callable[[], float]
    new_id: Callable[[], int | None]
    uniform: Callable[[float, float], float]


class Read(Protocol[T]):
    """Turns a reply into a value or an error: `outcome.read_answer` or `outcome.read_untouched`."""

    def __call__(
        self,
        call: Call[T],
        request_id: int | None,
        reply: Reply | TransportError,
        secrets: tuple[str, ...],
    ) -> T:
        """Return the value, or raise what happened."""
        ...


def exchange(
    call: Call[T],
    identity: Identity,
    limits: Limits,
    world: World,
    read: Read[T] = outcome.read_answer,
) -> Flow[T]:
    """Make a call: send it, and again where that can't do harm, all within one deadline.

    Args:
        call: What to call.
        identity: Who calls.
        limits: How long and how often.
        world: Time and chance.
        read: How to read the answer.

    Returns:
        A flow whose value is the value of the call.
    """
    deadline = world.clock() + limits.timeout
    for attempt in count(1):
        request_id = world.new_id()
        reply = yield _request(call, identity, request_id, limits, deadline - world.clock())
        assert reply is not None  # noqa: S101 - a driver answers every request
        try:
            return read(call, request_id, reply, (identity.key,))
        except PaymeError as error:
            if isinstance(error, UnreadableAnswer) and isinstance(reply, Reply):
                yield Discard(reply)
            pause = _backoff(attempt, world.uniform)
            late = world.clock() + pause >= deadline
            if late or attempt >= limits.max_attempts or not outcome.may_resend(call.effect, error):
                raise
        yield Sleep(pause)
    raise AssertionError  # pragma: no cover - `count` has no end


def _request(
    call: Call[Any], identity: Identity, request_id: int | None, limits: Limits, left: float
) -> Request:
    return Request(
        identity.auth(call.credential),
        jsonrpc.encode(call.method, call.params, request_id),
        left,
        min(left, limits.connect_timeout),
    )


_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

# A call that has less time than this only looks like a question.
_SHORTEST_CALL: Final = 0.1


def _backoff(attempt: int, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the next attempt: full jitter, so that a crowd does not come back at once."""
    return uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1)))


_PROOFS: Final[dict[str, frozenset[ReceiptState]]] = {
    "receipts.pay": PROVES_PAY,
    "receipts.confirm_hold": PROVES_CONFIRM,
    "receipts.cancel": PROVES_CANCEL,
}


def resolve(
    lost: OutcomeUnknown, *, timeout: float, cancel: bool, world: World
) -> Inquiry[Receipt | None]:
    """Find out what became of a call whose outcome is unknown.

    Args:
        lost: The error of the call.
        timeout: Seconds to keep asking.
        cancel: Cancel the receipt when the time is over.
        world: Time and chance.

    Returns:
        A flow whose value is the receipt in a state that proves something; None for a method that
        moves no money.
    """
    proofs = _PROOFS.get(lost.method)
    if proofs is None or lost.receipt_id is None:
        if calls.METHODS.get(lost.method, calls.UNKNOWN_METHOD).effect is calls.Effect.MOVES_MONEY:
            raise _unproven(lost, "there is no receipt to look at")
        return None
    receipt = yield from _ask_until(lost.receipt_id, proofs, timeout, world)
    if receipt is None and cancel:
        receipt = yield from _give_up(lost.receipt_id, timeout, world)
    if receipt is None:
        raise _unproven(lost, "no state that proves anything yet; ask again later")
    return receipt


def _unproven(lost: OutcomeUnknown, reason: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{lost.method}: outcome still unknown: {reason}",
        method=lost.method,
        request_id=lost.request_id,
        receipt_id=lost.receipt_id,
        sent=lost.sent,
    )


def _ask_until(
    receipt_id: str, proofs: frozenset[ReceiptState], timeout: float, world: World
) -> Inquiry[Receipt | None]:
    deadline = world.clock() + timeout
    for attempt in count(1):
        try:
            receipt: Receipt = yield _within(calls.receipts_get(receipt_id), deadline, world)
        except (NotSent, OutcomeUnknown, ServiceUnavailable):
            pass
        else:
            if receipt.state in proofs:
                return receipt
        pause = _FIRST_PAUSE + _backoff(attempt, world.uniform)
        if world.clock() + pause >= deadline:
            return None
        yield Sleep(pause)
    raise AssertionError  # pragma: no cover - `count` has no end


def _within(call: Call[Any], deadline: float, world: World) -> Within:
    return Within(call, max(deadline - world.clock(), _SHORTEST_CALL))


def _give_up(receipt_id: str, timeout: float, world: World) -> Inquiry[Receipt | None]:
    """Cancel the receipt and see it cancelled.

    Cancelling is repeated only after a look at the receipt has shown that it is not cancelled; the
    receipt's id makes a second cancellation harmless. A refusal may mean that it was paid
    meanwhile.
    """
    deadline = world.clock() + timeout
    while True:
        try:
            receipt: Receipt | None = yield _within(
                calls.receipts_cancel(receipt_id), deadline, world
            )
        except (NotSent, OutcomeUnknown, Rejected):
            look = max(min(_LONGEST_PAUSE, deadline - world.clock()), 0)
            receipt = yield from _ask_until(receipt_id, PROVES_CANCEL, look, world)
        if receipt is not None and receipt.state in PROVES_CANCEL:
            return receipt
        if world.clock() + _FIRST_PAUSE >= deadline:
            return None
        yield Sleep(_FIRST_PAUSE)


class Pages:
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
