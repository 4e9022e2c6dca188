"""JSON-RPC as Payme speaks it: requests out, answers in.

Source: https://developer.help.paycom.uz/protokol-subscribe-api/
"""

import re
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec

from payme import redact
from payme.errors import ProtocolError
from payme.redact import Secret

# Errors that Payme may answer without an id, because it could not read the request that held it.
_UNREADABLE_REQUEST: Final = frozenset({-32300, -32600, -32700})

_LOOK: Final = 4096
"""How many bytes of a body an excerpt looks at."""


def opened(given: object) -> str:
    """Open a secret where JSON is made of it, as msgspec's `enc_hook`."""
    if isinstance(given, Secret):
        return given.open()
    raise NotImplementedError(type(given).__name__)


_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=opened)


class RpcError(msgspec.Struct, frozen=True):
    """The `error` member of an answer."""

    code: int
    message: Any = ""
    data: Any = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("code", self.code)]

    def __repr__(self) -> str:
        return f"RpcError({self.code})"

    @property
    def text(self) -> str:
        """The message as text; Payme sends a string, but an object of languages was seen too."""
        message: Any = self.message
        if isinstance(message, dict):
            spoken = cast("dict[str, Any]", message)
            return str(spoken.get("ru") or spoken.get("en") or spoken.get("uz") or "")
        return "" if self.message is None else str(self.message)


class Envelope(msgspec.Struct, frozen=True):
    """An answer. Both `result: null` beside an error and the reverse were seen."""

    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: RpcError | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("error", self.error)]

    def __repr__(self) -> str:
        return f"Envelope(id={self.id!r}, error={self.error!r})"


_DECODER: Final = msgspec.json.Decoder(Envelope)


def encode(method: str, params: dict[str, Any], request_id: int | None) -> bytes:
    """Write a request.

    Args:
        method: Name of the method.
        params: Members of `params`.
        request_id: The `id`; None leaves it out.

    Returns:
        JSON text. It has no `jsonrpc` member, as none of Payme's samples has.
    """
    request: dict[str, Any] = {"method": method, "params": params}
    if request_id is not None:
        request = {"id": request_id, **request}
    return _ENCODER.encode(request)


def decode(body: bytes, secrets: Iterable[Secret] = ()) -> Envelope:
    """Read an answer.

    Args:
        body: Bytes of the HTTP body, whatever they are.
        secrets: Strings that must not appear in the error.

    Returns:
        The envelope, with exactly one of an error and a result.

    Raises:
        ProtocolError: The bytes are not a JSON-RPC answer.
    """
    try:
        envelope = _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise ProtocolError(f"not a JSON-RPC answer: {error}: {excerpt(body, secrets)}") from None
    if (envelope.error is None) == (bytes(envelope.result) == b"null"):
        raise ProtocolError(f"neither or both of result and error: {excerpt(body, secrets)}")
    return envelope


def is_for(envelope: Envelope, request_id: int | None) -> bool | None:
    """Compare the id of an answer with that of a request.

    Args:
        envelope: The answer.
        request_id: The `id` that was sent; None if none was.

    Returns:
        True or False if the ids say so. None if the answer has no id: Payme's own pages print such
        answers, so what is inside must tell.
    """
    if request_id is None or envelope.id == request_id:
        return True
    if envelope.id is not None:
        return False
    if envelope.error is not None:
        return envelope.error.code in _UNREADABLE_REQUEST
    return None


def excerpt(body: bytes, secrets: Iterable[Secret] = ()) -> str:
    """Show the beginning of a body, for an error.

    Args:
        body: Any bytes.
        secrets: Strings known to be secret.

    Returns:
        At most 120 characters, redacted.
    """
    # Redacted before it is cut, and without a word that was cut: half a token does not look like
    # one.
    text = body[:_LOOK].decode("utf-8", "replace")
    if len(body) > _LOOK:
        text = re.sub(r"\S+$", "", text)
    return repr(redact.scrub(text, secrets)[:120])
