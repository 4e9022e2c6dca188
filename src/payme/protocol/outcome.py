"""From what the transport saw to what is known: executed, refused, not sent, or unknown.

=========================================  ========  ==============  ====================
what happened                              READ      CREATES         MOVES_MONEY
=========================================  ========  ==============  ====================
nothing was sent                           resend    resend          resend, then NotSent
sent, and no answer to this request        resend    OutcomeUnknown  OutcomeUnknown
interrupted after a byte may have left     -         OutcomeUnknown  OutcomeUnknown
JSON-RPC error with a final code           Rejected  Rejected        Rejected
-32400, or a code not in the catalogue     resend    OutcomeUnknown  OutcomeUnknown
processing unavailable                     Rejected  Rejected        OutcomeUnknown
=========================================  ========  ==============  ====================

An interruption (Ctrl+C, a task that is cancelled, Celery's time limit) goes on as it came; the
`OutcomeUnknown` is its context, where `payme.errors.lost_in` finds it.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec

from payme import redact
from payme.errors import (
    NotSent,
    OutcomeUnknown,
    PaymeError,
    ProtocolError,
    Rejected,
    UnreadableAnswer,
    catalogue,
)
from payme.protocol import jsonrpc
from payme.protocol.calls import Call, Effect
from payme.protocol.models import Receipt
from payme.redact import Secret
from payme.transport.base import Reply, TransportError

T = TypeVar("T")
E = TypeVar("E", bound=PaymeError)

HTTP_OK: Final = 200

_WHAT_NOW: Final[dict[Effect, str]] = {
    Effect.READ: "reading again is safe",
    Effect.CREATES: "Payme may have executed it; no money moved, and doing it again is safe",
    Effect.MOVES_MONEY: (
        "Payme may have executed it: ask with receipts.resolve(error), and do not create another "
        "receipt before it answers"
    ),
}
_WHAT_NOW_OF: Final[dict[str, str]] = {
    "cards.verify": (
        "Payme may have executed it: ask cards.check before you repeat it, for a code that was "
        "accepted is refused the second time"
    ),
}

# The processing centre, or Payme's way to it, is out of order. For what moves money that is no
# proof that nothing was executed: the debit may have been on its way (INFERRED).
_DOUBTFUL_WITH_MONEY: Final = frozenset({-31001, -31002, -31100, -31620, -31624})


def what_now(call: Call[Any]) -> str:
    """Say what to do after an outcome that is not known."""
    return _WHAT_NOW_OF.get(call.method, _WHAT_NOW[call.effect])


def read_answer(
    call: Call[T],
    request_id: int | None,
    reply: Reply | TransportError,
    secrets: Iterable[Secret] = (),
) -> T:
    """Turn what the transport brought into a value.

    Args:
        call: What was called.
        request_id: JSON-RPC id that was sent.
        reply: The answer, or how far the request came.
        secrets: Strings that must not appear in an error, beside those of the call.

    Returns:
        The value of the call.

    Raises:
        NotSent: The request did not leave.
        OutcomeUnknown: It left, and no usable answer came.
        Rejected: Payme answered no.
    """
    value: T = _Reader(call, request_id, (*call.secrets, *secrets)).value(reply)
    return value


def read_untouched(
    call: Call[dict[str, Any]],
    request_id: int | None,
    reply: Reply | TransportError,
    secrets: Iterable[Secret] = (),
) -> dict[str, Any]:
    """Turn what the transport brought into the JSON that the server sent, an error included.

    Args:
        call: What was called.
        request_id: JSON-RPC id that was sent; None if none was.
        reply: The answer, or how far the request came.
        secrets: Strings that must not appear in an error, beside those of the call.

    Returns:
        The answer as a plain dict. An error without an id is the caller's, too: it moves no money
        to show it.

    Raises:
        NotSent: The request did not leave.
        OutcomeUnknown: It left, and no usable answer came.
    """
    reader = _Reader(call, request_id, (*call.secrets, *secrets), strict=False)
    reader.envelope(reply)
    assert isinstance(reply, Reply)  # noqa: S101 - `envelope` raises for anything else
    whole: dict[str, Any] = msgspec.json.decode(reply.body)
    return whole


def may_resend(effect: Effect, error: PaymeError) -> bool:
    """Return whether a failed call may be sent again without being asked.

    Args:
        effect: What the call does.
        error: How it failed.

    Returns:
        True when a second request can't do harm: nothing was sent, or nothing is changed.
    """
    if isinstance(error, NotSent):
        return True
    if effect is not Effect.READ:
        return False
    return isinstance(error, OutcomeUnknown) or (
        isinstance(error, Rejected) and not is_final(error, effect)
    )


def is_final(error: Rejected, effect: Effect) -> bool:
    """Return whether a refusal is certain: nothing was executed, nor will be.

    Args:
        error: The refusal.
        effect: What the call does.

    Returns:
        False for Payme's system error and for codes that nobody has documented: they may come from
        half way through. False for what moves money when the processing centre is out of order.
    """
    if effect is Effect.MOVES_MONEY and error.code in _DOUBTFUL_WITH_MONEY:
        return False
    known = catalogue.lookup(error.code, error.method, error.message)
    return known is not None and error.code != catalogue.SYSTEM_ERROR


def interrupt(call: Call[Any], request_id: int | None, interruption: BaseException) -> None:
    """Note on an interruption that a request may have left and nobody will hear its answer.

    Args:
        call: What was called.
        request_id: JSON-RPC id that was sent.
        interruption: What ended the call, such as a `KeyboardInterrupt`. It gets a note, and an
            `OutcomeUnknown` as its context.
    """
    kind = type(interruption).__name__
    lost = _Reader(call, request_id, call.secrets).error(
        OutcomeUnknown, f"interrupted by {kind} and not answered; {what_now(call)}", "maybe"
    )
    attach(lost, interruption)


def attach(lost: OutcomeUnknown, interruption: BaseException) -> None:
    """Make an unknown outcome the context of the exception that hides it.

    Args:
        lost: What is not known.
        interruption: What goes on to the caller.
    """
    about = f" (receipt {redact.scrub(lost.receipt_id)})" if lost.receipt_id else ""
    interruption.add_note(
        f"{lost.method}{about} was interrupted: Payme may have executed it. "
        f"payme.lost_in(exception) returns the OutcomeUnknown."
    )
    lost.__context__ = interruption.__context__
    interruption.__context__ = lost


class _Reader:
    """Reads the reply to one request."""

    def __init__(
        self,
        call: Call[Any],
        request_id: int | None,
        secrets: tuple[Secret, ...],
        *,
        strict: bool = True,
    ) -> None:
        self.call = call
        self.request_id = request_id
        self.secrets = secrets
        self.strict = strict

    def value(self, reply: Reply | TransportError) -> Any:
        envelope = self.envelope(reply)
        if envelope.error is not None:
            raise self.refusal(envelope.error)
        try:
            value = self.call.read(bytes(envelope.result))
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            raise self.unreadable(f"wrong shape of result: {error}") from None
        self.check_subject(envelope, value)
        return value

    def envelope(self, reply: Reply | TransportError) -> jsonrpc.Envelope:
        if isinstance(reply, TransportError):
            raise self.lost(reply)
        if reply.status != HTTP_OK:
            shown = jsonrpc.excerpt(reply.body, self.secrets)
            raise self.unreadable(f"HTTP status {reply.status} instead of 200: {shown}")
        try:
            envelope = jsonrpc.decode(reply.body, self.secrets)
        except ProtocolError as error:
            raise self.unreadable(str(error)) from None
        anonymous = envelope.error is not None and envelope.id is None and not self.strict
        if jsonrpc.is_for(envelope, self.request_id) is False and not anonymous:
            raise self.unreadable(f"an answer for request {envelope.id}, not for {self.request_id}")
        return envelope

    def check_subject(self, envelope: jsonrpc.Envelope, value: Any) -> None:
        """See that the answer is about the receipt that was asked for.

        An answer without an id must prove by the receipt inside that it is ours. `receipts.send`
        has none, and its own sample prints no id.
        """
        about = value.id if isinstance(value, Receipt) else None
        if about is not None and self.call.receipt_id not in (None, about):
            raise self.unreadable(
                f"an answer about receipt {about}, not about {self.call.receipt_id}"
            )
        vouched = about is not None and about == self.call.receipt_id
        if jsonrpc.is_for(envelope, self.request_id) is None and not (
            vouched or self.call.method == "receipts.send"
        ):
            raise self.unreadable("an answer without id, and nothing in it shows that it is ours")

    def lost(self, reply: TransportError) -> PaymeError:
        if not reply.sent:
            return self.error(NotSent, f"not sent: {reply.reason}", "no")
        return self.error(
            OutcomeUnknown,
            f"sent, and no answer: {reply.reason}; {what_now(self.call)}",
            "maybe",
        )

    def unreadable(self, reason: str) -> PaymeError:
        return self.error(UnreadableAnswer, f"{reason}; {what_now(self.call)}", "yes")

    def refusal(self, error: jsonrpc.RpcError) -> PaymeError:
        rejected = Rejected.of(
            error.code,
            redact.scrub(error.text, self.secrets),
            redact.tree(error.data, secrets=self.secrets),
            method=self.call.method,
            request_id=self.request_id,
            receipt_id=self.call.receipt_id,
        )
        if self.call.effect is Effect.READ or is_final(rejected, self.call.effect):
            return rejected
        unknown = self.error(
            OutcomeUnknown,
            f"answered {error.code} {error.text}; {what_now(self.call)}",
            "yes",
        )
        unknown.__cause__ = rejected
        return unknown

    def error(self, kind: type[E], text: str, sent: Any) -> E:
        return kind(
            redact.scrub(f"{self.call.method}: {text}", self.secrets),
            method=self.call.method,
            request_id=self.request_id,
            receipt_id=self.call.receipt_id,
            sent=sent,
        )
