"""The control API's side of HTTP: who may ask, and how a request is read and answered."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from payme.sandbox import access
from payme.sandbox.errors import InvalidSetting, SandboxError
from payme.sandbox.simulator import Simulator
from payme.sandbox.web.security import allowed_host, from_elsewhere

_NO_PASSWORD: Final = 401
_MAX_BODY: Final = 64 * 1024
_BODY_TIMEOUT_S: Final = 30.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder[Any](Any).decode


class ControlRequest(NamedTuple):
    """A request, as far as a handler needs it."""

    body: Mapping[str, Any]
    path: Mapping[str, str]
    query: Mapping[str, str]


class Refusal(Exception):
    """Ends a request with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


Handler = Callable[[Simulator, ControlRequest], Any]


class Handlers(NamedTuple):
    """What a path answers to each method."""

    by_method: Mapping[str, Handler]
    made: int = 200
    """HTTP status of a POST."""


def endpoint(sandbox: Simulator, handlers: Handlers) -> Callable[[Request], Awaitable[Response]]:
    """Make what answers the requests to one path.

    Args:
        sandbox: The sandbox to look into and to change.
        handlers: What the path answers.
    """

    async def answer(request: Request) -> Response:
        try:
            handler = handlers.by_method["GET" if request.method == "HEAD" else request.method]
            read = await _read(sandbox, request)
            # A thread of its own: a database in a file makes the handler wait for the disk.
            value = await run_in_threadpool(handler, sandbox, read)
        except Refusal as refusal:
            refused = _json({"error": {"message": refusal.message}}, refusal.status)
            refused.headers.update(access.CHALLENGE if refusal.status == _NO_PASSWORD else {})
            return refused
        except InvalidSetting as error:
            return _json({"error": _explained(error)}, 400)
        except SandboxError as error:
            return _json({"error": {"message": str(error)}}, 409)
        return _json(value, handlers.made if request.method == "POST" else 200)

    return answer


async def _read(sandbox: Simulator, request: Request) -> ControlRequest:
    if not allowed_host(request.scope, sandbox.host):
        raise Refusal(403, "the Host header must name this computer")
    if not access.knows(sandbox.password, request.scope["headers"]):
        raise Refusal(_NO_PASSWORD, "this sandbox asks for the password that it printed at start")
    # A browser asks before it sends JSON for a page of another origin, and is told nothing. That
    # must not be all that stands between such a page and a reset.
    if request.method in {"POST", "DELETE"} and from_elsewhere(request.scope):
        raise Refusal(403, "a page of another origin may change nothing here")
    body: Mapping[str, Any] = await _document(request) if request.method == "POST" else {}
    return ControlRequest(body, request.path_params, request.query_params)


async def _document(request: Request) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "send JSON, with the header Content-Type: application/json")
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            document = _decode(await _body(request) or b"{}")
    except (ClientDisconnect, TimeoutError):
        raise Refusal(400, "the body did not arrive in full") from None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refusal(400, "the body must be a JSON object")
    return cast("dict[str, Any]", document)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise Refusal(413, f"the body is longer than {_MAX_BODY} bytes")
    return bytes(body)


def _json(value: Any, status: int) -> Response:
    # A page of another site can't read this, and no cache may keep it.
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(_encode(value), status, headers, "application/json")


def _explained(error: InvalidSetting) -> dict[str, str]:
    return {
        "argument": error.argument,
        "given": error.given,
        "expected": error.expected,
        "message": str(error),
    }
