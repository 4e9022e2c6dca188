"""JSON-RPC as the sandbox reads and writes it. It shares no line with the client's, on purpose."""

from typing import Any, Final, TypeVar, cast

import msgspec

from payme.sandbox.engine import leniency
from payme.sandbox.engine.params import Params
from payme.sandbox.engine.refusals import Reason, Refused

MAX_BODY: Final = 1024 * 1024
"""Largest body that is read, in bytes."""

_MAX_ECHO: Final = 100

CallId = str | int | float | None | msgspec.UnsetType
"""`id` of a call: None for null, UNSET when the call carries none."""

P = TypeVar("P", bound=Params)

_decode = msgspec.json.Decoder[Any](Any).decode
_encode = msgspec.json.Encoder().encode


def decode(body: bytes) -> dict[str, Any]:
    """Read the body of a request.

    Args:
        body: What the caller sent.

    Returns:
        The JSON object in it.

    Raises:
        Refused: If the body is too long, is not JSON or is not an object.
    """
    if len(body) > MAX_BODY:
        raise Refused(Reason.TOO_LARGE)
    try:
        document = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refused(Reason.MALFORMED_JSON) from None
    if isinstance(document, list):
        raise Refused(Reason.INVALID_REQUEST, detail="Batches are not served.")
    if not isinstance(document, dict):
        raise Refused(Reason.INVALID_REQUEST, detail="A call is a JSON object.")
    return cast("dict[str, Any]", document)


def identifier(document: dict[str, Any]) -> CallId:
    """Take `id` out of a call.

    Raises:
        Refused: If it is neither a string nor a number nor null.
    """
    value = document.get("id", msgspec.UNSET)
    if isinstance(value, bool) or not isinstance(
        value, str | int | float | None | msgspec.UnsetType
    ):
        raise Refused(Reason.INVALID_REQUEST, "id", detail="`id` must be a number or a string.")
    return value


def method_name(document: dict[str, Any]) -> str:
    """Take `method` out of a call.

    Raises:
        Refused: If it is missing or not a string, or if the call names another version of JSON-RPC.
    """
    if document.get("jsonrpc", "2.0") != "2.0":
        raise Refused(Reason.INVALID_REQUEST, "jsonrpc", detail='`jsonrpc` must be "2.0".')
    name = document.get("method")
    if not isinstance(name, str):
        raise Refused(Reason.INVALID_REQUEST, "method", detail="`method` must be a string.")
    return name


def params(document: dict[str, Any], spec: type[P], *, strict: bool) -> tuple[P, tuple[str, ...]]:
    """Take `params` out of a call and hold them against a method's specification.

    Args:
        document: The call.
        spec: Struct that names every param of the method.
        strict: Refuse what Payme lets pass.

    Returns:
        The params, and what was let pass.

    Raises:
        Refused: If params are not an object, or one is missing or of the wrong type; if strict,
            also if one is unknown.
    """
    raw = document.get("params")
    if not isinstance(raw, dict):
        raise Refused(Reason.INVALID_REQUEST, "params", detail="`params` must be an object.")
    named = {name: _integral(value) for name, value in cast("dict[str, Any]", raw).items()}
    try:
        return leniency.read(named, spec, strict=strict)
    except msgspec.ValidationError as error:
        text, name = _explain(str(error))
        raise Refused(Reason.INVALID_PARAMS, name, detail=text) from None


def result(call_id: CallId, value: Any) -> bytes:
    """Write an answer."""
    if call_id is msgspec.UNSET:
        return _encode({"jsonrpc": "2.0", "result": value})
    return _encode({"jsonrpc": "2.0", "id": call_id, "result": value})


def error(call_id: CallId, refused: Refused) -> bytes:
    """Write the answer of a refusal."""
    return error_of(call_id, refused.code, refused.message, refused.data)


def error_of(call_id: CallId, code: int, message: str, data: Any) -> bytes:
    """Write an error answer."""
    value = {"code": code, "message": message, "data": data}
    if call_id is msgspec.UNSET:
        return _encode({"jsonrpc": "2.0", "error": value})
    return _encode({"jsonrpc": "2.0", "id": call_id, "error": value})


def shorten(text: str) -> str:
    """Cut a text of the caller's before it is said back."""
    return text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}…"


def _integral(value: Any) -> Any:
    # 10000.0 is an integer to JSON, and the Android SDK sends its sums as doubles.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _explain(text: str) -> tuple[str, str]:
    """Split msgspec's complaint into a sentence and the dotted name of the param."""
    sentence, _, path = text.partition(" - at `$")
    name = path.rstrip("`").lstrip(".")
    if sentence.startswith("Object "):
        field = sentence.partition("`")[2].rstrip("`")
        name = f"{name}.{field}" if name else field
        sentence = "Unknown param" if "unknown field" in sentence else "Missing param"
    elif "matching regex" in sentence:
        sentence = "Not in the documented form"
    name = shorten(name or "params")
    return f"{shorten(sentence)}: {name}.", name
