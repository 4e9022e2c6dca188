"""The control API: what a test or a script may see and change in a running sandbox, as JSON.

It lives under `/_sandbox/`, answers this computer alone or whoever has the password, and wants
every POST to be JSON, which no form on a foreign page can send. Nothing that it says holds a
secret.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from payme import redact
from payme.sandbox import access
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import masking
from payme.sandbox.engine.durations import iso
from payme.sandbox.engine.model import Card, LedgerEntry, Receipt, Sms, mask_number
from payme.sandbox.errors import InvalidSetting, SandboxError
from payme.sandbox.scenarios import SCENARIOS
from payme.sandbox.web.security import allowed_host

if TYPE_CHECKING:
    from payme.sandbox.sandbox import Sandbox

PREFIX: Final = "/_sandbox"

_NO_PASSWORD: Final = 401
_MAX_BODY: Final = 64 * 1024
_BODY_TIMEOUT_S: Final = 30.0
_PAGE: Final = 50
_MAX_PAGE: Final = 500
_MAX_OFFSET: Final = 10**9

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder[Any](Any).decode


class Asked(NamedTuple):
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


Handler = Callable[["Sandbox", Asked], Any]


def routes(sandbox: "Sandbox") -> list[Route]:
    """Make the routes of the control API."""
    return [
        Route(f"{PREFIX}{path}", _endpoint(sandbox, handlers), methods=[*handlers])
        for path, handlers in _TABLE.items()
    ]


def set_clock(clock: SandboxClock, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Do one thing to the clock.

    Args:
        clock: The clock.
        asked: One of `{"advance": "12h"}`, `{"freeze": true}` or a moment in place of true,
            `{"resume": true}`, `{"reset": true}`.

    Returns:
        Where the clock stands after it.

    Raises:
        InvalidSetting: If it is none of these.
    """
    match dict(asked):
        case {"advance": by, **rest} if not rest:
            clock.advance(by)
        case {"freeze": at, **rest} if not rest:
            clock.freeze(None if at is True else at)
        case {"resume": True, **rest} if not rest:
            clock.resume()
        case {"reset": True, **rest} if not rest:
            clock.reset()
        case _:
            raise InvalidSetting(
                "clock",
                asked,
                'one of {"advance": "12h"}, {"freeze": true or a moment}, {"resume": true}, '
                '{"reset": true}',
            )
    return _clock_json(clock)


def _endpoint(sandbox: "Sandbox", handlers: Mapping[str, Handler]) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Response:
        try:
            handler = handlers["GET" if request.method == "HEAD" else request.method]
            asked = await _asked(sandbox, request)
            # A thread of its own: a database in a file makes the handler wait for the disk.
            value = await run_in_threadpool(handler, sandbox, asked)
        except Refusal as refusal:
            answer = _json({"error": {"message": refusal.message}}, refusal.status)
            answer.headers.update(access.CHALLENGE if refusal.status == _NO_PASSWORD else {})
            return answer
        except InvalidSetting as error:
            return _json({"error": _explained(error)}, 400)
        except SandboxError as error:
            return _json({"error": {"message": str(error)}}, 409)
        return _json(value, 201 if handler is _add_fault else 200)

    return endpoint


async def _asked(sandbox: "Sandbox", request: Request) -> Asked:
    if not allowed_host(request.scope, sandbox.host):
        raise Refusal(403, "the Host header must name this computer")
    if not access.knows(sandbox.password, request.scope["headers"]):
        raise Refusal(_NO_PASSWORD, "this sandbox asks for the password that it printed at start")
    body: Mapping[str, Any] = await _document(request) if request.method == "POST" else {}
    return Asked(body, request.path_params, request.query_params)


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


def _faults(sandbox: "Sandbox", _asked: Asked) -> Any:
    return {"faults": [fault.as_json() for fault in sandbox.faults.list()]}


def _add_fault(sandbox: "Sandbox", asked: Asked) -> Any:
    if set(asked.body) == {"rule"} and isinstance(asked.body["rule"], str):
        return sandbox.faults.add_text(asked.body["rule"]).as_json()
    return sandbox.faults.add_json(asked.body).as_json()


def _clear_faults(sandbox: "Sandbox", _asked: Asked) -> Any:
    return {"removed": sandbox.faults.clear()}


def _remove_fault(sandbox: "Sandbox", asked: Asked) -> Any:
    text = asked.path["id"]
    if not _is_number(text) or not sandbox.faults.remove(int(text)):
        raise Refusal(404, "there is no fault with that id")
    return {"removed": 1}


def _clock(sandbox: "Sandbox", _asked: Asked) -> Any:
    return _clock_json(sandbox.clock)


def _set_clock(sandbox: "Sandbox", asked: Asked) -> Any:
    return set_clock(sandbox.clock, asked.body)


def _clock_json(clock: SandboxClock) -> dict[str, Any]:
    now = clock.now()
    return {"now": now, "iso": iso(now), "frozen": clock.frozen}


def _receipts(sandbox: "Sandbox", asked: Asked) -> Any:
    return {"receipts": [_receipt(one) for one in sandbox.receipts(**_page(asked))]}


def _cards(sandbox: "Sandbox", asked: Asked) -> Any:
    return {"cards": [_card(one) for one in sandbox.cards(_count(asked))]}


def _sms(sandbox: "Sandbox", asked: Asked) -> Any:
    return {"sms": [_message(one) for one in sandbox.last_sms(_count(asked))]}


def _ledger(sandbox: "Sandbox", asked: Asked) -> Any:
    return {"ledger": [_entry(one) for one in sandbox.last_entries(_count(asked))]}


def _exchanges(sandbox: "Sandbox", asked: Asked) -> Any:
    # Stored without secrets, so they go out as they are.
    exchanges = sandbox.merchant.last_exchanges(_count(asked))
    return {"exchanges": [msgspec.to_builtins(one) for one in exchanges]}


def _difference(sandbox: "Sandbox", _asked: Asked) -> Any:
    rows = sandbox.merchant.difference()
    return {"difference": [masking.tree(row._asdict()) for row in rows]}


def _cors(sandbox: "Sandbox", _asked: Asked) -> Any:
    return {"allow": sandbox.cors}


def _set_cors(sandbox: "Sandbox", asked: Asked) -> Any:
    match dict(asked.body):
        case {"allow": bool(allow), **rest} if not rest:
            sandbox.cors = allow
        case _:
            raise InvalidSetting("cors", asked.body, '{"allow": true} or {"allow": false}')
    return _cors(sandbox, asked)


def _scenarios(_sandbox: "Sandbox", _asked: Asked) -> Any:
    return {"scenarios": [scenario.describe() for scenario in SCENARIOS.values()]}


def _play(sandbox: "Sandbox", asked: Asked) -> Any:
    for name in asked.body:
        if name != "name":
            raise InvalidSetting(name, asked.body[name], "no such argument, but name")
    return sandbox.play(asked.body.get("name", "")).describe()


def _reset(sandbox: "Sandbox", _asked: Asked) -> Any:
    sandbox.reset()
    return {"reset": True}


def _page(asked: Asked) -> dict[str, int]:
    return {
        "count": _count(asked),
        "offset": _number(asked, "offset", default=0, low=0, high=_MAX_OFFSET),
    }


def _count(asked: Asked) -> int:
    return _number(asked, "count", default=_PAGE, low=1, high=_MAX_PAGE)


def _number(asked: Asked, name: str, *, default: int, low: int, high: int) -> int:
    text = asked.query.get(name)
    if text is None:
        return default
    if not _is_number(text) or not low <= int(text) <= high:
        raise InvalidSetting(name, text, f"a whole number from {low} to {high}")
    return int(text)


def _is_number(text: str) -> bool:
    # More digits than any number that fits are not worth converting.
    return text.isascii() and text.isdigit() and len(text) < 16


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "state": receipt.state,
        "state_name": receipt.state.name,
        "amount": receipt.amount,
        "account": redact.tree(receipt.account, "account"),
        "hold": receipt.hold,
        "card": receipt.card_number,
        "create_time": receipt.create_time,
        "pay_time": receipt.pay_time,
        "cancel_time": receipt.cancel_time,
        "due_at": receipt.due_at,
    }


def _card(card: Card) -> dict[str, Any]:
    return {
        "number": mask_number(card.number),
        "recurrent": card.recurrent,
        "verified": card.verified,
        "removed": card.removed,
        "code_sent_at": card.code_sent_at,
        "wrong_codes": card.wrong_codes,
    }


def _message(sms: Sms) -> dict[str, Any]:
    shown: dict[str, Any] = redact.tree(msgspec.to_builtins(sms))
    return shown


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(entry)
    return members


_TABLE: Final[dict[str, dict[str, Handler]]] = {
    "/faults": {"GET": _faults, "POST": _add_fault, "DELETE": _clear_faults},
    "/faults/{id}": {"DELETE": _remove_fault},
    "/clock": {"GET": _clock, "POST": _set_clock},
    "/receipts": {"GET": _receipts},
    "/cards": {"GET": _cards},
    "/sms": {"GET": _sms},
    "/ledger": {"GET": _ledger},
    "/exchanges": {"GET": _exchanges},
    "/difference": {"GET": _difference},
    "/cors": {"GET": _cors, "POST": _set_cors},
    "/scenarios": {"GET": _scenarios},
    "/scenario": {"POST": _play},
    "/reset": {"POST": _reset},
}
