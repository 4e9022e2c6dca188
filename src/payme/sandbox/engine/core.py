"""From a request to an answer."""

import contextlib
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Literal, NamedTuple, TypeVar, cast

from payme.sandbox.engine import flows, ids, merchant_calls, payments, wire
from payme.sandbox.engine.auth import UNPROVEN, authenticate, explain
from payme.sandbox.engine.call import Call, Config, Delivery
from payme.sandbox.engine.flows import Flow
from payme.sandbox.engine.merchant_calls import MerchantCall, MerchantReply
from payme.sandbox.engine.methods import METHODS, Method
from payme.sandbox.engine.model import State
from payme.sandbox.engine.refusals import Reason, Refused
from payme.sandbox.engine.shapes import ReceiptShapes
from payme.sandbox.engine.testcards import KnownCards

__all__ = ["Answer", "Config", "Engine"]


class Answer(NamedTuple):
    """What to send, when, and what a log or a dashboard may say about it."""

    body: bytes
    delay_ms: int = 0
    """How long to wait before sending."""
    method: str = ""
    """Name of the method; empty when the call did not name one that exists."""
    receipt_id: str = ""
    """Id of the receipt that the call is about; empty when there is none."""
    code: int | None = None
    """`error.code`; None for a result."""
    reason: Reason | None = None
    """Why the call was refused; None for a result."""
    status: int = 200
    """HTTP status; only a fault makes it another."""
    arrives: Literal["whole", "half", "none"] = "whole"
    """How much of the answer goes out before the connection is closed; only a fault cuts it."""
    pause_ms: int = 0
    """How long to wait half way through the body."""
    fault: str = ""
    """Which fault struck the call; empty for none."""
    remarks: tuple[str, ...] = ()
    """What a developer should know about the call although the answer does not say it."""
    cash_box: str = ""
    """Id of the cash-box that was called, for whoever listens; empty when the call named none."""

    def __repr__(self) -> str:
        # The body may hold a token.
        return f"Answer({self.method!r}, {self.receipt_id!r}, code={self.code}, {self.reason!r})"


T = TypeVar("T")


class Suspended(NamedTuple):
    """A flow that waits for the merchant; what it has written is to be committed now."""

    asked: MerchantCall | None
    """What to send; None when the flow goes on as soon as the commit is done."""
    flow: Flow[Any]
    to_answer: Callable[[Any], Any]
    """Turns what the flow returns, or the `Refused` that ends it, into the outcome."""
    life: int
    """The life of the sandbox in which the flow began; a reset begins a new one."""

    def __repr__(self) -> str:
        return f"Suspended({self.asked!r})"


class Engine:
    """Payme's side of the Subscribe API.

    Args:
        config: Settings.
        rng: Source of ids and tokens.
        known_cards: The cards that exist, and what each does; by default the test cards.
    """

    def __init__(self, config: Config, rng: Random, known_cards: KnownCards | None = None) -> None:
        self.config = config
        self.known_cards = known_cards or KnownCards()
        self._rng = rng
        self._shapes = ReceiptShapes(
            config.merchant_id, config.account_fields, config.merchant_name
        )
        # Of this process alone: after a restart nobody is being asked.
        self._asked: set[str] = set()
        self._life = 0
        self.secrets: list[str] = []
        """What no text may show: the keys, and what a merchant is sent for them."""
        self.others: tuple[str, ...] = ()
        """Ids of the cash-boxes beside this one, for who calls none of them."""
        self.keep_secret(config.key)
        self.keep_secret(config.merchant_key)

    def answer(
        self, request: bytes, x_auth: str | None, state: State, now: int, *, page: bool = False
    ) -> Answer | Suspended:
        """Serve one call.

        Args:
            request: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
            state: Storage, inside one transaction. What is written stays written when the call is
                refused: a wrong SMS code is counted.
            now: Time in ms.
            page: Whether a web page of another origin asks.

        Returns:
            The answer; or, when the merchant is to be asked first, what `resume` goes on with.
            Only a fault of the storage or of the sandbox itself raises.
        """
        # Null until an id was read, as JSON-RPC asks of answers to calls that can't be read.
        call_id: wire.CallId = None
        name = ""
        document: dict[str, Any] = {}
        remarks: tuple[str, ...] = ()
        try:
            document = wire.decode(request)
            call_id = wire.identifier(document)
            named = wire.method_name(document)
            name = named if named in METHODS else ""
            method = self._permitted(named, x_auth, page=page)
            args, remarks = wire.params(document, method.params, strict=self.config.strict)
            handled = method.handler(self._call(state, now), args)
            to_answer = partial(_to_answer, call_id, name, document, remarks)
            if method.is_flow:
                return cast("Answer | Suspended", _go_on(handled, to_answer, self._life, None))
            return to_answer(handled)
        except Refused as refused:
            if refused.reason in UNPROVEN:
                remarks = (explain(x_auth, self.config.merchant_id, self.others),)
            return _refusal(call_id, name, document, remarks, refused)

    def begin(
        self, start: Callable[[Call], Flow[T]], state: State, now: int
    ) -> T | Refused | Suspended:
        """Begin a flow that is no call of the Subscribe API.

        Args:
            start: Makes the flow.
            state: Storage, inside one transaction.
            now: Time in ms.

        Returns:
            What the flow returns, or what refused it; or what `resume` goes on with.
        """
        flow = start(self._call(state, now))
        return cast("T | Refused | Suspended", _go_on(flow, _as_it_is, self._life, None))

    def resume(
        self, suspended: Suspended, reply: MerchantReply | None, state: State, now: int
    ) -> Any:
        """Go on with a flow.

        Args:
            suspended: What `answer`, `begin` or `resume` returned.
            reply: What the merchant answered; None if it was not asked.
            state: Storage, inside one transaction.
            now: Time in ms.

        Returns:
            The outcome, or what to ask next.
        """
        if self.has_forgotten(suspended):
            # What it would write now, no receipt would belong to.
            suspended.flow.close()
            return suspended.to_answer(
                Refused(Reason.SYSTEM_ERROR, detail="The sandbox was reset.")
            )
        return _go_on(
            suspended.flow, suspended.to_answer, suspended.life, (self._call(state, now), reply)
        )

    def forget(self) -> None:
        """End every flow that waits for the merchant: a reset takes away what it is about."""
        self._life += 1
        # Another set: a flow that ends late takes its receipt out of the old one.
        self._asked = set()

    def has_forgotten(self, suspended: Suspended) -> bool:
        """Return whether a flow began before the last reset."""
        return suspended.life != self._life

    def keep_secret(self, password: str) -> None:
        """Have no record show a password, nor the Base64 that the merchant is sent for it."""
        if password:
            # Some write Base64 without its padding.
            self.secrets += [password, merchant_calls.credentials(password).rstrip("=")]

    def overdue(self, state: State, now: int) -> list[str]:
        """Make every move that is due by the clock, and list the receipts that need the merchant.

        Each move is made at its own time, and the earlier before the later ones, whichever receipt
        they are about: so the ledger is the same, whether the clock came here at once or by and by.
        With a merchant, who is asked now, it is the clock that stops on its way.

        Args:
            state: Storage, inside one transaction.
            now: Time in ms.
        """
        moment = -1
        while (found := state.next_due(moment, now)) is not None:
            moment = found
            call = self._call(state, now if self.config.merchant else moment)
            for receipt in state.due_receipts(moment, moment):
                flows.apply_due(call, receipt)
        due = state.due_receipts(now)
        return [one.id for one in due if payments.is_due(one, now) and one.id not in self._asked]

    def next_due(self, state: State, after: int, until: int) -> int | None:
        """Find the first moment after another at which something becomes due; None for none."""
        return state.next_due(after, until)

    def apply_due(self, state: State, now: int) -> None:
        """Make every move that is due by the clock, of receipts that nobody asks about too.

        Args:
            state: Storage, inside one transaction.
            now: Time in ms.
        """
        self.overdue(state, now)

    def _permitted(self, name: str, x_auth: str | None, *, page: bool) -> Method:
        # Before the key is looked at: a page must not learn whether it is the right one.
        if page and ":" in (x_auth or ""):
            raise Refused(Reason.KEY_IN_PAGE, "key_in_page")
        has_key = authenticate(x_auth, self.config.merchant_id, self.config.key)
        method = METHODS.get(name)
        if method is None:
            raise Refused(Reason.UNKNOWN_METHOD, wire.shorten(name))
        if method.needs_key and not has_key:
            raise Refused(Reason.KEY_NEEDED)
        if page and not method.for_pages:
            raise Refused(Reason.NOT_FOR_PAGES, "not_for_pages")
        return method

    def _call(self, state: State, now: int) -> Call:
        return Call(
            state,
            now,
            self._rng,
            self.config,
            self._shapes,
            self._asked,
            self.known_cards,
            self.secrets,
        )


def _go_on(
    flow: Flow[Any],
    to_answer: Callable[[Any], Any],
    life: int,
    message: tuple[Call, MerchantReply | None] | None,
) -> Any:
    # One step and no loop, so not `payme.flow.run`: between two steps the transaction is committed
    # and the merchant asked, which only the caller can do.
    try:
        asked = next(flow) if message is None else flow.send(message)
    except StopIteration as done:
        return to_answer(done.value)
    except Refused as refused:
        return to_answer(refused)
    return Suspended(asked, flow, to_answer, life)


def _to_answer(
    call_id: wire.CallId,
    method: str,
    document: dict[str, Any],
    remarks: tuple[str, ...],
    outcome: Any,
) -> Answer:
    if isinstance(outcome, Refused):
        return _refusal(call_id, method, document, remarks, outcome)
    if isinstance(outcome, Delivery):
        answer = _to_answer(call_id, method, document, remarks, outcome.result)
        if outcome.lost:
            answer = answer._replace(arrives="none", fault=outcome.lost)
        return answer._replace(delay_ms=outcome.delay_ms)
    body, receipt_id = wire.result(call_id, outcome), _subject(document, outcome)
    return Answer(body, method=method, receipt_id=receipt_id, remarks=remarks)


def _refusal(
    call_id: wire.CallId,
    method: str,
    document: dict[str, Any],
    remarks: tuple[str, ...],
    refused: Refused,
) -> Answer:
    return Answer(
        wire.error(call_id, refused),
        refused.delay_ms,
        method,
        _subject(document),
        refused.code,
        refused.reason,
        remarks=remarks,
    )


def _as_it_is(outcome: T) -> T:
    return outcome


def refuse(reason: Reason, request: bytes = b"", remark: str = "") -> Answer:
    """Answer a request that never reached the engine, or broke it.

    Args:
        reason: Why.
        request: Body of the request if it was read; its `id` is echoed when there is one.
        remark: What a developer should know about it; empty for nothing.
    """
    call_id: wire.CallId = None
    document: dict[str, Any] = {}
    name = ""
    with contextlib.suppress(Refused):
        document = wire.decode(request)
        call_id = wire.identifier(document)
        named = wire.method_name(document)
        name = named if named in METHODS else ""
    remarks = (remark,) if remark else ()
    return _refusal(call_id, name, document, remarks, Refused(reason))


def _subject(document: dict[str, Any], result: Any = None) -> str:
    """Name the receipt that a call is about, if what it names has the form of a receipt's id."""
    named = _member(_member(result, "receipt"), "_id") or _member(_member(document, "params"), "id")
    return named if isinstance(named, str) and ids.is_object_id(named) else ""


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
