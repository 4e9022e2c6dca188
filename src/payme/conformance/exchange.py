"""Calls an endpoint as Payme does, and keeps what was said."""

import base64
import html
import itertools
import json
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol, cast
from urllib.parse import quote

import msgspec

from payme import redact
from payme.protocol.merchant_headers import HEADERS, TEST_OPERATION

LOGIN: Final = "Paycom"
"""Login of Payme's requests in its templates; its page says to ask Payme (OBSERVED)."""

MOST_BYTES: Final = 8 << 20
"""Bytes of an answer that are read (our choice)."""

_SHOWN: Final = 2000


class HttpAnswer(NamedTuple):
    """What came back over HTTP.

    Attributes:
        status: HTTP status.
        content_type: Value of the header.
        body: Body.
        location: Where a redirect points to.
    """

    status: int
    content_type: str
    body: bytes
    location: str = ""


class NoAnswer(Exception):
    """No usable answer came; the text says why."""


class MerchantTransport(Protocol):
    """Carries one request to the endpoint. Used from several threads at once."""

    def send(self, verb: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Send a request.

        Raises:
            NoAnswer: None came in time, or it was too long.
        """
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class Exchange(NamedTuple):
    """One request and what came back.

    Attributes:
        method: Method of the Merchant API; empty for bytes that are none.
        request: Body that was sent.
        status: HTTP status; 0 when no answer came.
        response: Body that came, or why none did.
        sent_id: The `id` that must be echoed; None if none was sent.
        content_type: Type of the answer.
        location: Where a redirect points to.
        note: What was unusual about the request, such as its credentials, without secrets.
        began: When it was sent, in ms since 1970 UTC.
        ended: When the answer was there, in ms.
    """

    method: str
    request: bytes
    status: int
    response: bytes
    sent_id: int | None = None
    content_type: str = ""
    location: str = ""
    note: str = ""
    began: int = 0
    ended: int = 0

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object that came; empty if it is none."""
        return _object(_decoded(self.response))

    @property
    def has_result(self) -> bool:
        """There is a `result` that is not null."""
        return self.answer.get("result") is not None

    @property
    def result(self) -> dict[str, Any]:
        """The `result` member; empty if there is none, or it is no object."""
        return _object(self.answer.get("result"))

    @property
    def error(self) -> dict[str, Any]:
        """The `error` member; empty if there is none."""
        return _object(self.answer.get("error"))

    @property
    def code(self) -> int | None:
        """`error.code`; None for a result."""
        code = self.error.get("code")
        return code if isinstance(code, int) and not isinstance(code, bool) else None

    @property
    def is_rpc(self) -> bool:
        """The answer is an object with either a result or an error, whose code is an integer."""
        refused = self.answer.get("error") is not None
        return self.has_result != refused and (not refused or self.code is not None)

    def shown(self) -> dict[str, Any]:
        """Return what a report prints: the bodies, decoded, redacted and cut."""
        return {
            "method": self.method,
            "note": self.note,
            "request": shown_body(self.request),
            "status": self.status,
            "response": shown_body(self.response),
        }


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def shown_body(body: bytes) -> str:
    """Return a body for people: JSON with its texts decoded, redacted, and cut."""
    decoded = _decoded(body) if len(body) <= MOST_BYTES else None
    if isinstance(decoded, dict | list) and decoded:
        text = json.dumps(redact.tree(decoded), ensure_ascii=False, separators=(",", ":"))
    else:
        text = body[: 4 * _SHOWN].decode("utf-8", "replace")
    text = redact.scrub(text[: 2 * _SHOWN])
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def basic(password: str, login: str = LOGIN) -> str:
    """Return an `Authorization` value."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


def now() -> int:
    """Return the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Credentials(NamedTuple):
    """What a request says about who sends it.

    Attributes:
        authorization: Value of the header; empty for none.
        note: What is tried with it, for the report, without secrets.
        test_operation: The header of Payme's test stand is sent, too.
    """

    authorization: str
    note: str
    test_operation: bool = False


class Caller:
    """Payme's side of one endpoint. Safe to use from several threads.

    Args:
        transport: Carries the requests.
        key: Key of the cash-box.
        login: Login of the Basic scheme.
    """

    def __init__(self, transport: MerchantTransport, key: str, login: str = LOGIN) -> None:
        self._transport = transport
        self.key = key
        self.login = login
        self._forms = _forms(key, login)
        self._ids = itertools.count(1)

    def __repr__(self) -> str:
        return f"Caller({redact.KEY})"

    def call(
        self,
        method: str,
        params: Mapping[str, Any],
        credentials: Credentials | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        jsonrpc: bool = True,
    ) -> Exchange:
        """Call a method.

        Args:
            method: Name of the method.
            params: Its params.
            credentials: Who calls; None for the right ones.
            headers: Headers that are sent instead of the usual ones of the same name.
            jsonrpc: Send `"jsonrpc":"2.0"`, as Payme's test stand does and its page does not.
        """
        number = next(self._ids)
        version = {"jsonrpc": "2.0"} if jsonrpc else {}
        call = {**version, "id": number, "method": method, "params": params}
        said = self.send(msgspec.json.encode(call), credentials, headers=headers)
        return said._replace(method=method, sent_id=number)

    def send(
        self,
        body: bytes,
        credentials: Credentials | None = None,
        *,
        verb: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send bytes.

        Args:
            body: Any bytes.
            credentials: As for `call`.
            verb: HTTP method.
            headers: As for `call`.
        """
        sent, began = {**self._headers(credentials), **(headers or {})}, now()
        note = (
            credentials.note if credentials else ", ".join(map(": ".join, (headers or {}).items()))
        )
        try:
            came = self._transport.send(verb, sent, body)
        except NoAnswer as none:
            why = str(none).encode()
            return Exchange("", body, 0, why, note=note, began=began, ended=now())
        return Exchange(
            "",
            body,
            came.status,
            self._clean(came.body),
            content_type=came.content_type,
            location=came.location,
            note=note,
            began=began,
            ended=now(),
        )

    def _headers(self, credentials: Credentials | None) -> dict[str, str]:
        if credentials is None:
            return {**HEADERS, "Authorization": basic(self.key, self.login)}
        headers = dict(HEADERS)
        if not credentials.test_operation:
            # What is looked at is the credentials alone.
            del headers[TEST_OPERATION]
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
        return headers

    def _clean(self, body: bytes) -> bytes:
        """Take out the key: an endpoint that is being debugged may show the headers it got."""
        for form in self._forms:
            body = body.replace(form, redact.KEY.encode())
        return body

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def _forms(key: str, login: str) -> tuple[bytes, ...]:
    """Return the key as a page, a JSON text or a header may have it, the longest first."""
    encoded = basic(key, login).partition(" ")[2]
    plain = {key, encoded}
    written = {
        write(one) for one in plain for write in (str, html.escape, quote, _in_json, _slashed)
    }
    return tuple(sorted((one.encode() for one in written), key=len, reverse=True))


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _slashed(text: str) -> str:
    """Write it as PHP's `json_encode` does."""
    return _in_json(text).replace("/", "\\/")
