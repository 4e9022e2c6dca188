"""The last calls that the sandbox served, for the dashboard and for the export.

Recording is one append, since every call pays for it. Bodies are kept as they came and are redacted
when somebody looks: what leaves this module through `entries` holds no secret.
"""

import itertools
import json
import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from payme import redact
from payme.errors.catalogue import Language, lookup
from payme.sandbox.engine import Answer, masking

Credential = Literal["none", "id", "id:key"]

CAPACITY: Final = 500
"""How many calls are remembered."""

MAX_KEPT: Final = 16 * 1024
"""Longest body that is remembered, in bytes: a ring of pages of receipts must not fill memory."""

_MAX_SHOWN: Final = 2000

_DIGITS: Final = re.compile(r"[0-9]{4,}")

_read_json = msgspec.json.Decoder[Any](Any).decode


class Recorded(NamedTuple):
    """One call as it was, secrets and all; only the export reads it."""

    number: int
    at: int
    credential: Credential
    request: bytes | None
    """None when it was too long to keep."""
    response: bytes | None
    """None when it was too long to keep."""
    answer: Answer
    """Without its body if that was too long to keep."""
    cash_box: str = ""
    """Id of the cash-box that was called; empty when the call named none of this sandbox."""

    def __repr__(self) -> str:
        return f"Recorded({self.number}, {self.answer.method!r})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One call as anybody may see it.

    Attributes:
        number: Place in the order of calls, from 1.
        at: When it was answered, in ms.
        method: Name of the method; empty when the call did not name one that exists.
        receipt_id: The receipt that it was about; empty when there was none.
        credential: What the X-Auth header carried.
        code: `error.code`; None for a result.
        reason: Why it was refused; empty for a result.
        message: `error.message`; empty for a result.
        remedy: What the developer should do about it; empty for a result.
        fault: The fault that struck it; empty when there was none.
        delay_ms: How long the answer was held back, in ms.
        remarks: What a developer should know about the call although the answer does not say it.
        request: Body of the request, redacted.
        response: Body of the answer, redacted.
        cash_box: Id of the cash-box that was called; empty when the call named none of this
            sandbox.
    """

    number: int
    at: int
    method: str
    receipt_id: str
    credential: Credential
    code: int | None
    reason: str
    message: str
    remedy: str
    fault: str
    delay_ms: int
    remarks: tuple[str, ...]
    request: str
    response: str
    cash_box: str = ""

    @property
    def refused(self) -> bool:
        """Whether the answer was an error."""
        return self.code is not None


class Traffic:
    """A ring of the last calls.

    Args:
        secrets: Strings that are secret here whatever they look like, such as the key. The
            collection may grow.
        capacity: How many calls are remembered.
    """

    def __init__(self, secrets: Collection[str] = (), *, capacity: int = CAPACITY) -> None:
        self._secrets = secrets
        self._ring: deque[Recorded] = deque(maxlen=capacity)
        self._numbers = itertools.count(1)
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Traffic({len(self._ring)} calls)"

    def record(
        self, at: int, request: bytes, x_auth: str | None, answer: Answer, cash_box: str = ""
    ) -> None:
        """Remember a call.

        Args:
            at: Time of the answer in ms.
            request: Body of the request.
            x_auth: Value of the X-Auth header; only its form is remembered.
            answer: The answer.
            cash_box: Id of the cash-box that was called.
        """
        body = answer.body
        with self._lock:
            self._ring.append(
                Recorded(
                    next(self._numbers),
                    at,
                    "none" if x_auth is None else "id:key" if ":" in x_auth else "id",
                    request if len(request) <= MAX_KEPT else None,
                    body if len(body) <= MAX_KEPT else None,
                    answer if len(body) <= MAX_KEPT else answer._replace(body=b""),
                    cash_box,
                )
            )

    def recorded(self) -> list[Recorded]:
        """List the calls as they were, the oldest first. They hold secrets."""
        with self._lock:
            return list(self._ring)

    def entries(
        self,
        count: int = CAPACITY,
        *,
        receipt_id: str = "",
        refused: bool = False,
        cash_box: str = "",
        language: Language = "en",
    ) -> list[Entry]:
        """List the calls, the newest first, without secrets.

        Args:
            count: How many at most.
            receipt_id: Only the calls about this receipt; empty for all.
            refused: Only the calls that were refused or struck by a fault.
            cash_box: Only the calls to the cash-box with this id; empty for all.
            language: Language of the remedies.
        """
        # Chosen before they are redacted, which takes a thousand times as long.
        found = (
            call
            for call in reversed(self.recorded())
            if (not receipt_id or call.answer.receipt_id == receipt_id)
            and (not cash_box or call.cash_box == cash_box)
            and (not refused or call.answer.code is not None or call.answer.fault)
        )
        return [self._shown(call, language) for call in itertools.islice(found, count)]

    def clear(self) -> None:
        """Forget every call."""
        with self._lock:
            self._ring.clear()

    def _shown(self, call: Recorded, language: Language) -> Entry:
        answer = call.answer
        response = _parsed(call.response)
        message = redact.scrub(_message(response), self._secrets)
        return Entry(
            number=call.number,
            at=call.at,
            method=answer.method,
            receipt_id=answer.receipt_id,
            credential=call.credential,
            code=answer.code,
            reason=answer.reason or "",
            message=message,
            remedy=_remedy(answer, message, language),
            fault=answer.fault,
            delay_ms=answer.delay_ms,
            remarks=tuple(redact.scrub(one, self._secrets) for one in answer.remarks),
            request=self._text(call.request, _parsed(call.request)),
            response=self._text(call.response, response),
            cash_box=call.cash_box,
        )

    def _text(self, body: bytes | None, parsed: Any) -> str:
        if body is None:
            return f"(more than {MAX_KEPT} bytes, not kept)"
        try:
            if isinstance(parsed, dict | list):
                return _written(_redacted(cast("Any", parsed), self._secrets))
            text = redact.scrub(body.decode("utf-8", "replace"), self._secrets)
            # Nothing tells an SMS code from another number where there are no names.
            return _DIGITS.sub("<digits>", text)[:_MAX_SHOWN]
        except RecursionError:
            return "(nested too deeply to show)"


def _parsed(body: bytes | None) -> Any:
    try:
        return _read_json(body or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _redacted(document: Any, secrets: Collection[str]) -> Any:
    clean = _without_payers(masking.tree(document, secrets))
    # `code` is masked wherever it stands, because SMS codes are called so; an error's is no secret.
    code = _member(_member(document, "error"), "code")
    if isinstance(code, int):
        clean["error"]["code"] = code
    return clean


def _without_payers(document: Any) -> Any:
    """Mask who paid: a name or an address looks like any other text."""
    if isinstance(document, list):
        return [_without_payers(one) for one in cast("list[Any]", document)]
    if not isinstance(document, dict):
        return document
    members = cast("dict[str, Any]", document)
    return {
        name: _masked_payer(member) if name == "payer" else _without_payers(member)
        for name, member in members.items()
    }


def _masked_payer(payer: Any) -> Any:
    if not isinstance(payer, dict):
        return None if payer is None else "<redacted>"
    members = cast("dict[str, Any]", payer)
    return {
        name: member if name in {"phone", "email"} else "<redacted>"
        for name, member in members.items()
    }


def _written(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _message(response: Any) -> str:
    found = _member(_member(response, "error"), "message")
    return found if isinstance(found, str) else ""


def _member(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def _remedy(answer: Answer, message: str, language: Language) -> str:
    if answer.code is None:
        return ""
    meaning = lookup(answer.code, answer.method, message)
    return getattr(meaning.remedy, language).replace("`", "") if meaning else ""
