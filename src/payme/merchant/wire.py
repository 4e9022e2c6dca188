"""JSON-RPC as Payme speaks it to merchants: any bytes in, a request or a documented refusal out.

Source: https://developer.help.paycom.uz/protokol-merchant-api/
"""

from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import msgspec

from payme.errors.catalogue import Text
from payme.merchant import entities
from payme.merchant.entities import Answer, Refusal, Request

MAX_BODY: Final = 1 << 20
"""Bytes of a request that are read; Payme's own have less than ten thousand (our choice)."""

_METHODS: Final[dict[str, type[Request]]] = {
    "CheckPerformTransaction": entities.CheckPerform,
    "CreateTransaction": entities.Create,
    "PerformTransaction": entities.Perform,
    "CancelTransaction": entities.Cancel,
    "CheckTransaction": entities.Check,
    "GetStatement": entities.Statement,
    "SetFiscalData": entities.SetFiscalData,
    "ChangePassword": entities.ChangePassword,
}

NOT_POST: Final = Refusal(
    -32300, Text("Faqat POST qabul qilinadi.", "Принимается только POST.", "Only POST is taken.")
)
NOT_JSON: Final = Refusal(
    -32700, Text("Soʻrov JSON emas.", "Запрос не является JSON.", "The request is not JSON.")
)
NOT_RPC: Final = Refusal(
    -32600, Text("Soʻrov notoʻgʻri.", "Неверный запрос.", "The request is malformed.")
)
ACCESS_DENIED: Final = Refusal(
    -32504, Text("Ruxsat yoʻq.", "Недостаточно привилегий.", "Access denied.")
)
SYSTEM_ERROR: Final = Refusal(-32400, Text("Tizim xatosi.", "Системная ошибка.", "System error."))
_NO_METHOD: Final = Text("Bunday metod yoʻq.", "Метод не найден.", "There is no such method.")

UNSTORABLE: Final = Refusal(
    -32602,
    Text(
        "Parametrlarda NUL belgisi yoki juda katta son bor.",
        "В параметрах символ NUL или слишком большое число.",
        "The params have a NUL or a number that is too large.",
    ),
)

LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999: a later `time` is no time in ms, and would never expire."""

_BIGGEST: Final = 2**63 - 1

CallId = int | float | str | None


OTHER: Final = "_OTHER"
"""Stands for a method that is not Payme's, whose name anybody may have made up."""


class Parsed(NamedTuple):
    """A request, or why it is none.

    Attributes:
        id: To be echoed.
        request: What Payme asks, or the refusal to answer.
        method: Name of the method; `OTHER` for one that is not in the protocol.
    """

    id: CallId
    request: Request | Refusal
    method: str = OTHER

    @property
    def asked(self) -> Request:
        """The request, of which is known that it is no refusal."""
        assert not isinstance(self.request, Refusal)  # noqa: S101
        return self.request


_ERRORS: Final = (msgspec.DecodeError, RecursionError, UnicodeError)


def parse(body: bytes) -> Parsed:
    """Read a request.

    Args:
        body: Any bytes.

    Returns:
        The request, or the refusal that Payme documents for what it is instead.
    """
    if len(body) > MAX_BODY:
        return Parsed(None, NOT_RPC)
    try:
        document: Any = msgspec.json.decode(body)
    except _ERRORS:
        return Parsed(None, NOT_JSON)
    if not isinstance(document, dict):
        return Parsed(None, NOT_RPC)
    members = cast("dict[str, Any]", document)
    call_id = members.get("id")
    method = members.get("method")
    return Parsed(
        call_id if isinstance(call_id, int | float | str) else None,
        _request(method, members.get("params")),
        method if isinstance(method, str) and method in _METHODS else OTHER,
    )


def _request(method: Any, params: Any) -> Request | Refusal:
    if not isinstance(method, str) or not isinstance(params, dict):
        return NOT_RPC
    kind = _METHODS.get(method)
    if kind is None:
        return refuse_method(method)
    try:
        request = msgspec.convert(params, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        named = cast("dict[str, Any]", params).get("id")
        return _bad_params(kind, str(error)) if is_storable(named) else UNSTORABLE
    return request if _fits_columns(request) else UNSTORABLE


def _fits_columns(request: Request) -> bool:
    """Return whether a database can be asked for what the request names.

    The bounds of a statement may be any numbers: what lies outside of a database lists nothing.
    """
    if getattr(request, "time", 0) > LATEST_MS:
        return False
    return all(is_storable(getattr(request, name, 0)) for name in ("id", "time", "reason"))


def is_storable(value: Any) -> bool:
    """Return whether any database takes a value as text or as a number.

    Args:
        value: Any JSON value.

    Returns:
        False for text with a NUL, for a number of more than 64 bits, and for what holds one.
    """
    match value:
        case str():
            return "\0" not in value
        case int():
            return -_BIGGEST <= value <= _BIGGEST
        case dict():
            parts = cast("dict[str, Any]", value)
            return all(is_storable(part) for part in (*parts, *parts.values()))
        case list():
            return all(is_storable(part) for part in cast("list[Any]", value))
        case _:
            return True


def _bad_params(kind: type[Request], reason: str) -> Refusal:
    """Refuse params: -32602 where a page lists it, -32600 elsewhere (CONFIRMED)."""
    named = Text(*(f"{sentence} {reason}" for sentence in NOT_RPC.message))
    return Refusal(-32602 if kind is entities.SetFiscalData else -32600, named)


def refuse_method(name: str) -> Refusal:
    """Make the refusal of a method that is not there.

    Args:
        name: Name of the method.

    Returns:
        -32601 with the name in `data`.
    """
    return Refusal(-32601, _NO_METHOD, name[:64])


class StatementWriter:
    """The answer to GetStatement, as a text that grows by a row at a time.

    A day may have a hundred thousand transactions. Nothing but their text is held, and that once:
    what it is written into gives it away without a copy.
    """

    def __init__(self) -> None:
        self._text = BytesIO()
        self._text.write(b'{"jsonrpc":"2.0","result":{"transactions":[')
        self._between = b""

    def add(self, row: dict[str, Any]) -> None:
        """Write a row.

        Args:
            row: From `decisions.statement_row`.
        """
        self._text.write(self._between + msgspec.json.encode(row))
        self._between = b","

    def close(self, call_id: CallId) -> bytes:
        """Write the end, after the last row.

        Args:
            call_id: The `id` of the request; only now is it known here.

        Returns:
            JSON text.
        """
        self._text.write(b']},"id":' + msgspec.json.encode(call_id) + b"}")
        return self._text.getvalue()


def encode(call_id: CallId, answer: Answer | StatementWriter) -> bytes:
    """Write an answer.

    Args:
        call_id: The `id` of the request.
        answer: The result, or the refusal. A statement can be written once.

    Returns:
        JSON text, for a body with HTTP status 200: any other status Payme reads as -32400.
    """
    if isinstance(answer, StatementWriter):
        return answer.close(call_id)
    if isinstance(answer, Refusal):
        error = {"code": answer.code, "message": answer.message._asdict(), "data": answer.data}
        return msgspec.json.encode({"jsonrpc": "2.0", "id": call_id, "error": error})
    return msgspec.json.encode({"jsonrpc": "2.0", "id": call_id, "result": answer})
