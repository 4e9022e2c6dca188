"""What Payme asks the merchant's billing, and how the answer is read.

The Merchant API is JSON-RPC the other way round: Payme calls, the merchant answers. Its requests
carry `method`, `params` and an integer `id`, and no `jsonrpc` (CONFIRMED).

Source: https://developer.help.paycom.uz/protokol-merchant-api/format-zaprosa
"""

import base64
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from payme import redact
from payme.sandbox.engine import masking
from payme.sandbox.engine.model import Exchange, Outcome, Receipt

MAX_ANSWER: Final = 1024 * 1024
"""Longest answer of a merchant that is read, in bytes (our choice)."""

NOT_FOUND: Final = -31003
CANNOT_CANCEL: Final = -31007
SYSTEM_ERROR: Final = -32400

METHODS: Final = (
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CancelTransaction",
    "CheckTransaction",
    "GetStatement",
    "SetFiscalData",
    "ChangePassword",
)
"""What the merchant may be asked."""

CREATED, PERFORMED, CANCELLED, CANCELLED_AFTER_PERFORM = 1, 2, -1, -2
"""States of a transaction at the merchant (CONFIRMED)."""

LOGIN: Final = "Paycom"
"""Login of the Basic authorization (CONFIRMED in Payme's templates)."""

_MAX_TEXT: Final = 2000
_MAX_KEPT: Final = 16 * 1024

_STATES: Final[dict[str, frozenset[int]]] = {
    "CreateTransaction": frozenset({CREATED}),
    "PerformTransaction": frozenset({PERFORMED}),
    "CancelTransaction": frozenset({CANCELLED, CANCELLED_AFTER_PERFORM}),
    "CheckTransaction": frozenset({CREATED, PERFORMED, CANCELLED, CANCELLED_AFTER_PERFORM}),
}

_decode = msgspec.json.Decoder[Any](Any).decode
_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class MerchantRequest(NamedTuple):
    """One request to the merchant."""

    id: int
    method: str
    params: dict[str, Any]

    def body(self) -> bytes:
        """Write the request as it is sent."""
        return _encode({"method": self.method, "params": self.params, "id": self.id})

    def __repr__(self) -> str:
        # The params may hold a phone or a new password.
        return f"MerchantRequest({self.id}, {self.method!r})"


class MerchantCall(NamedTuple):
    """A request on its way: what to send, and after which pause."""

    request: MerchantRequest
    receipt_id: str
    """Empty when it is about no receipt."""
    attempt: int
    """1 for the first time."""
    pause_ms: int = 0
    """How long to wait before it is sent, in ms of real time."""


class MerchantReply(NamedTuple):
    """What came back."""

    outcome: Outcome
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    """The merchant's whole error object; a made-up one when the answer broke the protocol."""
    status: int | None = None
    """HTTP status."""
    text: str = ""
    """The beginning of a body that is not the protocol's."""
    elapsed_ms: int = 0

    def __repr__(self) -> str:
        return f"MerchantReply({self.outcome!r}, status={self.status})"

    @property
    def agreed(self) -> bool:
        """Whether the merchant did what it was asked."""
        return self.outcome == "result"

    @property
    def refused(self) -> bool:
        """Whether the merchant certainly did not do it: it said so itself."""
        return self.outcome == "error" and self.code != SYSTEM_ERROR

    @property
    def lost(self) -> bool:
        """Whether the merchant may have done it without our hearing of it."""
        return not (self.agreed or self.refused or self.outcome == "unreachable")

    @property
    def code(self) -> int | None:
        """`error.code`."""
        return None if self.error is None else cast("int", self.error["code"])

    @property
    def state(self) -> int | None:
        """State of the transaction that the merchant tells."""
        return None if self.result is None else self.result.get("state")


def credentials(password: str) -> str:
    """Write what stands after `Basic` in the Authorization header."""
    return base64.b64encode(f"{LOGIN}:{password}".encode()).decode()


def check_perform(number: int, amount: int, account: dict[str, Any]) -> MerchantRequest:
    """Ask whether an account can be paid for."""
    return MerchantRequest(
        number, "CheckPerformTransaction", {"amount": amount, "account": account}
    )


def create_transaction(number: int, receipt: Receipt, time: int) -> MerchantRequest:
    """Ask to make the transaction. Its id is the receipt's (INFERRED)."""
    params = {
        "id": receipt.id,
        "time": time,
        "amount": receipt.amount,
        "account": receipt.account,
    }
    return MerchantRequest(number, "CreateTransaction", params)


def perform_transaction(number: int, receipt: Receipt) -> MerchantRequest:
    """Tell that the money is there."""
    return MerchantRequest(number, "PerformTransaction", {"id": receipt.id})


def cancel_transaction(number: int, receipt: Receipt, reason: int) -> MerchantRequest:
    """Ask to cancel the transaction."""
    return MerchantRequest(number, "CancelTransaction", {"id": receipt.id, "reason": reason})


def set_fiscal_data(
    number: int, receipt: Receipt, kind: Literal["PERFORM", "CANCEL"], fiscal: dict[str, Any]
) -> MerchantRequest:
    """Hand over a fiscal receipt."""
    params = {"id": receipt.id, "type": kind, "fiscal_data": fiscal}
    return MerchantRequest(number, "SetFiscalData", params)


def read(request: MerchantRequest, status: int, body: bytes) -> MerchantReply:
    """Read an answer.

    Args:
        request: What was asked.
        status: HTTP status. Any other than 200 counts as the error -32400 (CONFIRMED).
        body: Body of the answer.
    """
    if status != 200:
        return _broken("status", f"HTTP status {status}", status, body)
    if len(body) > MAX_ANSWER:
        return _broken("malformed", f"more than {MAX_ANSWER} bytes", status, b"")
    try:
        document = _decode(body)
        # A number of more than 64 bits can be read, but neither stored nor passed on.
        _pack(document)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return _broken("malformed", "the answer is not JSON", status, body)
    return _read_document(request, document, body)


def silence(outcome: Outcome, fault: str = "") -> MerchantReply:
    """Note that no answer came.

    Args:
        outcome: Why: `unreachable`, `timeout` or `lost`.
        fault: The fault that was the reason; empty for none.
    """
    return MerchantReply(outcome, text=fault)


def exchange(
    call: MerchantCall, reply: MerchantReply, time: int, secrets: Sequence[str]
) -> Exchange:
    """Record what was asked and answered, without secrets.

    Args:
        call: The request.
        reply: What came back.
        time: When, in ms.
        secrets: Strings to take out whatever they look like: the keys.
    """
    shown = _shown(reply, secrets)
    kept = len(_encode(shown)) <= _MAX_KEPT
    return Exchange(
        number=call.request.id,
        time=time,
        receipt_id=call.receipt_id,
        method=call.request.method,
        attempt=call.attempt,
        request=_short(masking.tree(call.request.params, secrets)),
        outcome=reply.outcome,
        # A statement of a whole year would fill the store.
        answer=shown if kept else None,
        code=reply.code,
        status=reply.status,
        text=redact.scrub(reply.text, secrets) if kept else f"{len(_encode(shown))} bytes",
        elapsed_ms=reply.elapsed_ms,
    )


def _short(params: dict[str, Any]) -> dict[str, Any]:
    size = len(_encode(params))
    return params if size <= _MAX_KEPT else {"not kept": f"{size} bytes"}


def _shown(reply: MerchantReply, secrets: Sequence[str]) -> dict[str, Any] | None:
    shown = masking.tree(reply.result if reply.agreed else reply.error, secrets)
    if reply.code is not None:
        # To the redaction a member called `code` is an SMS code; this one names an error.
        shown["code"] = reply.code
    return cast("dict[str, Any] | None", shown)


def _read_document(request: MerchantRequest, document: Any, body: bytes) -> MerchantReply:
    if not isinstance(document, dict):
        return _broken("malformed", "the answer is not an object", 200, body)
    members = cast("dict[str, Any]", document)
    # An answer without `id` passes: some merchants leave it out of errors.
    answered = members.get("id")
    if answered is not None and (answered != request.id or isinstance(answered, bool)):
        return _broken("malformed", "the answer is for another id", 200, body)
    if members.get("error") is not None:
        return _read_error(members["error"], body)
    return _read_result(request.method, members.get("result"), body)


def _read_error(error: Any, body: bytes) -> MerchantReply:
    code = cast("dict[str, Any]", error).get("code") if isinstance(error, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return _broken("malformed", "`error.code` is not an integer", 200, body)
    return MerchantReply("error", error=cast("dict[str, Any]", error), status=200)


def _read_result(method: str, result: Any, body: bytes) -> MerchantReply:
    if not isinstance(result, dict):
        return _broken("malformed", "`result` is not an object", 200, body)
    members = cast("dict[str, Any]", result)
    complaint = _complaint(method, members)
    if complaint:
        return _broken("malformed", complaint, 200, body)
    return MerchantReply("result", result=members, status=200)


def _complaint(method: str, result: dict[str, Any]) -> str:
    """Say what is wrong with a result, as far as the payment hangs on it; else nothing."""
    if method == "CheckPerformTransaction" and result.get("allow") is not True:
        return "`allow` is not true"
    if method == "GetStatement" and not _is_list_of_objects(result.get("transactions")):
        return "`transactions` is not a list of objects"
    allowed = _STATES.get(method)
    state = result.get("state")
    if allowed is not None and not (type(state) is int and state in allowed):
        return f"`state` is not {' or '.join(str(number) for number in sorted(allowed))}"
    return ""


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(member, dict) for member in cast("list[Any]", value)
    )


def _broken(outcome: Outcome, why: str, status: int, body: bytes) -> MerchantReply:
    error = {"code": SYSTEM_ERROR, "message": f"{why[0].upper()}{why[1:]}.", "data": None}
    text = body[:_MAX_TEXT].decode("utf-8", "replace")
    return MerchantReply(outcome, error=error, status=status, text=text)
