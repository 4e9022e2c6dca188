"""Calls an endpoint as Payme does, and keeps what was said."""

import base64
import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import httpcore2
import msgspec

from payme import redact
from payme.merchant.auth import LOGIN

_MOST: Final = 8 << 20
_SHOWN: Final = 2000


class Exchange(NamedTuple):
    """One request and what came back.

    Attributes:
        method: Method of the Merchant API; empty for bytes that are none.
        request: Body that was sent.
        status: HTTP status; 0 when no answer came.
        response: Body that came, or what went wrong.
        sent_id: The `id` that must be echoed; None if none was sent.
    """

    method: str
    request: bytes
    status: int
    response: bytes
    sent_id: int | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object that came; empty if it is none."""
        try:
            value: Any = msgspec.json.decode(self.response)
        except (msgspec.DecodeError, RecursionError):
            return {}
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    @property
    def result(self) -> dict[str, Any]:
        """The `result` member; empty if there is none."""
        return _object(self.answer.get("result"))

    @property
    def error(self) -> dict[str, Any]:
        """The `error` member; empty if there is none."""
        return _object(self.answer.get("error"))

    @property
    def code(self) -> int | None:
        """`error.code`; None for a result."""
        code = self.error.get("code")
        return code if isinstance(code, int) else None

    @property
    def is_rpc(self) -> bool:
        """The answer came with HTTP 200, is JSON-RPC, and echoes the id."""
        if self.status != 200 or bool(self.result) == bool(self.error):
            return False
        return self.sent_id is None or self.answer.get("id") == self.sent_id

    def shown(self) -> dict[str, Any]:
        """Make what a report prints: the bodies, redacted and cut."""
        return {
            "method": self.method,
            "request": _text(self.request),
            "status": self.status,
            "response": _text(self.response),
        }


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(body: bytes) -> str:
    return redact.scrub(body[:_SHOWN].decode("utf-8", "replace"))


def basic(password: str, login: str = LOGIN) -> str:
    """Make an `Authorization` value."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


class Caller:
    """Payme's side of one endpoint. Safe to use from several threads.

    Args:
        url: Address of the endpoint.
        key: Key of the cash-box.
        timeout: Seconds for an exchange.
    """

    def __init__(self, url: str, key: str, timeout: float = 10.0) -> None:
        self._url = url
        self._auth = basic(key)
        self._secrets = (key.encode(), self._auth.partition(" ")[2].encode())
        self._pool = httpcore2.ConnectionPool(max_connections=8)
        self._timeout = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
        self._ids = itertools.count(1)

    def call(self, method: str, auth: str | None = None, /, **params: Any) -> Exchange:
        """Call a method.

        Args:
            method: Name of the method.
            auth: `Authorization` value; None for the right one, empty for no header.
            **params: Members of `params`.
        """
        number = next(self._ids)
        body = msgspec.json.encode({"method": method, "params": params, "id": number})
        return self.send(body, auth, method=method)._replace(sent_id=number)

    def send(
        self, body: bytes, auth: str | None = None, *, method: str = "", verb: str = "POST"
    ) -> Exchange:
        """Send bytes.

        Args:
            body: Any bytes.
            auth: As for `call`.
            method: Name of the method, for the report.
            verb: HTTP method.
        """
        authorization = self._auth if auth is None else auth
        headers = [("Content-Type", "text/json; charset=UTF-8")]
        headers += [("Authorization", authorization)] if authorization else []
        try:
            with self._pool.stream(
                verb,
                self._url,
                headers=headers,
                content=body,
                extensions={"timeout": self._timeout},
            ) as response:
                came = self._clean(_read(response.iter_stream))
                return Exchange(method, body, response.status, came)
        except _FAILURES as error:
            return Exchange(method, body, 0, f"{type(error).__name__}: {error}".encode())

    def _clean(self, body: bytes) -> bytes:
        """Take out the key: an endpoint that is being debugged may show the headers it got."""
        for secret in self._secrets:
            body = body.replace(secret, b"<key>")
        return body

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


_FAILURES: Final = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    OSError,
)


def _read(parts: Callable[[], Any]) -> bytes:
    body = bytearray()
    for part in parts():
        body += part
        if len(body) > _MOST:
            break
    return bytes(body)
