"""The last calls that the sandbox served, for the dashboard and for the export.

Recording is one append, since every call pays for it. Bodies are kept as they came and are redacted
when somebody looks: what leaves this module through `entries` holds no secret.
"""

import functools
import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final, Literal, NamedTuple, cast

import msgspec

from payme import redact
from payme.errors.catalogue import Language, lookup
from payme.money import format_som
from payme.sandbox.engine import Answer, masking

Credential = Literal["none", "id", "id:key"]

About = Callable[[str], "Subject | None"]
"""Finds what a receipt is about by its id; None when there is no such receipt."""

CAPACITY: Final = 500
"""How many calls are remembered."""

MAX_KEPT: Final = 16 * 1024
"""Longest body that is remembered, in bytes: a ring of pages of receipts must not fill memory."""

_MAX_SHOWN: Final = 2000
_EXACT: Final = 2**53

_DIGITS: Final = re.compile(r"[0-9]{4,}")

# What a misspelt method may look like. Without digits it is no card, phone, code or token.
_NAME: Final = re.compile(r"[A-Za-z_.]{1,40}")

_read_json = msgspec.json.Decoder[Any](Any).decode


class Subject(NamedTuple):
    """What a receipt is about."""

    amount: int | None
    """Tiyin; None when it is not known."""
    account: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Subject({self.amount})"


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
    elapsed_ms: float = 0.0
    """How long it was served, in ms of real time."""
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
        method: Name of the method, also when its credentials were refused, or when there is none of
            that name; empty when the call named nothing that looks like a method.
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
        amount: Amount of the receipt that was made or answered, in tiyin; else of the one that the
            call is about, if it can be found; None when there was none.
        account: Account of that receipt, masked.
        took_ms: How long the caller waited for the answer, in ms: served, and held back.
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
    amount: int | None = None
    account: Mapping[str, object] = field(default_factory=dict[str, object])
    took_ms: float = 0.0
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

    @property
    def secrets(self) -> Collection[str]:
        """Strings that are secret here whatever they look like; more may come."""
        return self._secrets

    def record(
        self,
        at: int,
        request: bytes,
        x_auth: str | None,
        answer: Answer,
        elapsed_ms: float = 0.0,
        cash_box: str = "",
    ) -> None:
        """Remember a call.

        Args:
            at: Time of the answer in ms.
            request: Body of the request.
            x_auth: Value of the X-Auth header; only its form is remembered.
            answer: The answer.
            elapsed_ms: How long it was served, in ms of real time.
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
                    elapsed_ms,
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
        search: str = "",
        cash_box: str = "",
        language: Language = "en",
        about: About | None = None,
    ) -> list[Entry]:
        """List the calls, the newest first, without secrets.

        Args:
            count: How many at most.
            receipt_id: Only the calls about this receipt; empty for all.
            refused: Only the calls that were refused or struck by a fault.
            search: Only the calls with this text in their number, method, receipt, code, reason,
                fault, amount or account, as they are shown; without case. Bodies are not searched.
            cash_box: Only the calls to the cash-box with this id; empty for all.
            language: Language of the remedies.
            about: Finds the receipts of calls that say nothing of their amount, such as a payment
                that was refused, so that they are shown with it and found by it.
        """
        about = None if about is None else functools.cache(about)
        # Chosen before they are redacted, which takes a thousand times as long.
        found = (
            call
            for call in reversed(self.recorded())
            if (not receipt_id or call.answer.receipt_id == receipt_id)
            and (not cash_box or call.cash_box == cash_box)
            and (not refused or call.answer.code is not None or call.answer.fault)
            and (not search or search.casefold() in self._searched(call, about))
        )
        return [self._shown(call, language, about) for call in itertools.islice(found, count)]

    def entry(
        self, number: int, *, language: Language = "en", about: About | None = None
    ) -> Entry | None:
        """Find one call by its number; None when there is none, or it was forgotten.

        Args:
            number: Its place in the order of calls.
            language: Language of the remedy.
            about: Finds the receipt of a call that says nothing of its amount.
        """
        found = (call for call in self.recorded() if call.number == number)
        return next((self._shown(call, language, about) for call in found), None)

    def clear(self, *, cash_box: str = "") -> None:
        """Forget the calls to one cash-box, or every call.

        Args:
            cash_box: Id of the cash-box; empty for all.
        """
        with self._lock:
            kept = [call for call in self._ring if cash_box and call.cash_box != cash_box]
            self._ring.clear()
            self._ring.extend(kept)

    def _shown(self, call: Recorded, language: Language, about: About | None) -> Entry:
        answer = call.answer
        request, response = _parsed(call.request), _parsed(call.response)
        subject = _subject(answer, request, response, about, self._secrets)
        message = redact.scrub(_message(response), self._secrets)
        return Entry(
            number=call.number,
            at=call.at,
            method=_named(answer, request, self._secrets),
            receipt_id=answer.receipt_id,
            credential=call.credential,
            code=answer.code,
            reason=answer.reason or "",
            message=message,
            remedy=_remedy(answer, message, language),
            fault=answer.fault,
            delay_ms=answer.delay_ms,
            remarks=tuple(redact.scrub(one, self._secrets) for one in answer.remarks),
            request=self._text(call.request, request),
            response=self._text(call.response, response),
            amount=subject.amount,
            account=subject.account,
            took_ms=round(call.elapsed_ms + answer.delay_ms + answer.pause_ms, 1),
            cash_box=call.cash_box,
        )

    def _searched(self, call: Recorded, about: About | None) -> str:
        """Write what a search goes through; no bodies, whose words were not masked yet."""
        answer, request = call.answer, _parsed(call.request)
        subject = _subject(answer, request, _parsed(call.response), about, self._secrets)
        sums = [] if subject.amount is None else [str(subject.amount), format_som(subject.amount)]
        fields = [f"{name} {value}" for name, value in subject.account.items()]
        words = [
            f"#{call.number}",
            _named(answer, request, self._secrets),
            answer.receipt_id,
            "" if answer.code is None else str(answer.code),
            answer.reason or "",
            answer.fault,
            *sums,
            *fields,
        ]
        return "\n".join(words).casefold()

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


def _named(answer: Answer, request: Any, secrets: Collection[str]) -> str:
    """Name the method that was called; one that does not exist as it was sent, if it is a name."""
    sent = answer.method or _member(request, "method")
    return redact.scrub(sent, secrets) if isinstance(sent, str) and _NAME.fullmatch(sent) else ""


def _subject(
    answer: Answer, request: Any, response: Any, about: About | None, secrets: Collection[str]
) -> Subject:
    """Find the receipt that a call made, was answered with or names, as anybody may see it."""
    receipt = _member(_member(response, "result"), "receipt")
    params = _member(request, "params")
    amount = _member(receipt, "amount") if receipt else _member(params, "amount")
    whole = isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) <= _EXACT
    found = None if whole or about is None else about(answer.receipt_id)
    if found is not None:
        return Subject(found.amount, redact.account(found.account, secrets))
    account = _account(_member(params, "account"), receipt)
    return Subject(amount if whole else None, redact.account(account, secrets))


def _account(sent: Any, receipt: Any) -> dict[str, object]:
    """Take the account that was sent, else the one that the receipt shows."""
    if not isinstance(sent, dict):
        rows = _member(receipt, "account")
        fields = cast("list[Any]", rows) if isinstance(rows, list) else []
        sent = {str(_member(row, "name")): _member(row, "value") for row in fields}
    return cast("dict[str, object]", sent)


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
