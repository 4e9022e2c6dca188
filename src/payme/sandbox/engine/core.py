"""From a request to an answer."""

from random import Random
from typing import Any, NamedTuple, cast

from payme.sandbox.engine import receipts, wire
from payme.sandbox.engine.auth import authenticate
from payme.sandbox.engine.call import Call, Config
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.model import State
from payme.sandbox.engine.refusals import Reason, Refused
from payme.sandbox.engine.shapes import ReceiptShapes

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

    def __repr__(self) -> str:
        # The body may hold a token.
        return f"Answer({self.method!r}, {self.receipt_id!r}, code={self.code}, {self.reason!r})"


class Engine:
    """Payme's side of the Subscribe API.

    Args:
        config: Settings.
        rng: Source of ids and tokens.
    """

    def __init__(self, config: Config, rng: Random) -> None:
        self.config = config
        self._rng = rng
        self._shapes = ReceiptShapes(config.merchant_id, config.account_fields)

    def answer(self, request: bytes, x_auth: str | None, state: State, now: int) -> Answer:
        """Serve one call.

        Args:
            request: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
            state: Storage, inside one transaction. What is written stays written when the call is
                refused: a wrong SMS code is counted.
            now: Time in ms.

        Returns:
            The answer. Only a fault of the storage or of the sandbox itself raises.
        """
        # Null until an id was read, as JSON-RPC asks of answers to calls that can't be read.
        call_id: wire.CallId = None
        method = ""
        document: dict[str, Any] = {}
        try:
            document = wire.decode(request)
            call_id = wire.identifier(document)
            method = self._permit(wire.method_name(document), x_auth)
            result = self._serve(method, document, state, now)
            return Answer(
                wire.result(call_id, result), method=method, receipt_id=_subject(document, result)
            )
        except Refused as refused:
            return Answer(
                wire.error(call_id, refused),
                refused.delay_ms,
                method,
                _subject(document),
                refused.code,
                refused.reason,
            )

    def settle(self, state: State, now: int) -> None:
        """Make every move that is due by the clock, of receipts that nobody asks about too.

        Args:
            state: Storage, inside one transaction.
            now: Time in ms.
        """
        call = self._call(state, now)
        for receipt in state.due_receipts(now):
            receipts.settled(call, receipt)

    def _permit(self, name: str, x_auth: str | None) -> str:
        has_key = authenticate(x_auth, self.config.merchant_id, self.config.key)
        method = METHODS.get(name)
        if method is None:
            raise Refused(Reason.UNKNOWN_METHOD, wire.shorten(name))
        if method.needs_key and not has_key:
            raise Refused(Reason.KEY_NEEDED)
        return name

    def _serve(self, name: str, document: dict[str, Any], state: State, now: int) -> Any:
        method = METHODS[name]
        return method.handler(self._call(state, now), wire.params(document, method.params))

    def _call(self, state: State, now: int) -> Call:
        return Call(state, now, self._rng, self.config, self._shapes)


def refuse(reason: Reason, request: bytes = b"") -> Answer:
    """Answer a request that never reached the engine, or broke it.

    Args:
        reason: Why.
        request: Body of the request if it was read; its `id` is echoed when there is one.
    """
    refused = Refused(reason)
    return Answer(wire.error(_readable_id(request), refused), code=refused.code, reason=reason)


def _readable_id(request: bytes) -> wire.CallId:
    try:
        return wire.identifier(wire.decode(request))
    except Refused:
        return None


def _subject(document: dict[str, Any], result: Any = None) -> str:
    """Name the receipt that a call is about, if what it names has the form of a receipt's id."""
    named = _member(_member(result, "receipt"), "_id") or _member(_member(document, "params"), "id")
    return named if isinstance(named, str) and _is_object_id(named) else ""


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _is_object_id(text: str) -> bool:
    return len(text) == 24 and all(char in "0123456789abcdef" for char in text)
