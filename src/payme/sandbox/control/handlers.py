"""What each path of the control API does."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.routing import Route

from payme.sandbox.clock import SandboxClock
from payme.sandbox.control import shapes
from payme.sandbox.control.requests import ControlRequest, Handlers, Refusal, endpoint
from payme.sandbox.engine import masking
from payme.sandbox.errors import InvalidSetting, UnknownArgument
from payme.sandbox.records import Records
from payme.sandbox.scenarios import SCENARIOS
from payme.sandbox.settings import CashBoxSettings
from payme.sandbox.simulator import Simulator

PREFIX: Final = "/_sandbox"

_PAGE: Final = 50
_MAX_PAGE: Final = 500
_MAX_OFFSET: Final = 10**9
_TEST_CARD: Final = ("number", "outcome", "expire")


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
    return shapes.clock(clock)


def _faults(sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"faults": [fault.as_json() for fault in sandbox.faults.list()]}


def _add_fault(sandbox: Simulator, request: ControlRequest) -> Any:
    if set(request.body) == {"rule"} and isinstance(request.body["rule"], str):
        return sandbox.faults.add_text(request.body["rule"]).as_json()
    return sandbox.faults.add_json(request.body).as_json()


def _clear_faults(sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"removed": sandbox.faults.clear()}


def _remove_fault(sandbox: Simulator, request: ControlRequest) -> Any:
    text = request.path["id"]
    if not _is_number(text) or not sandbox.faults.remove(int(text)):
        raise Refusal(404, "there is no fault with that id")
    return {"removed": 1}


def _clock(sandbox: Simulator, _request: ControlRequest) -> Any:
    return shapes.clock(sandbox.clock)


def _set_clock(sandbox: Simulator, request: ControlRequest) -> Any:
    return set_clock(sandbox.clock, request.body)


def _cash_boxes(sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"cash_boxes": [shapes.cash_box(box) for box in sandbox.cash_boxes]}


def _add_cash_box(sandbox: Simulator, request: ControlRequest) -> Any:
    given = dict(request.body)
    # A function can't come by HTTP. A key must: no answer holds one, so a new one would be unknown.
    if "merchant" in given:
        raise UnknownArgument("merchant", given["merchant"], ["merchant_url"])
    if given.get("key") is None:
        raise InvalidSetting("key", None, "the key that the new cash-box will have")
    return shapes.cash_box(sandbox.open_cash_box(CashBoxSettings.read(given)))


def _box(sandbox: Simulator, request: ControlRequest) -> Records:
    """Find the cash-box that a request is about: the first one unless it names another."""
    named = request.query.get("cash_box")
    box = sandbox.first if named is None else sandbox.cash_box(named)
    if box is None:
        raise Refusal(404, "there is no cash-box with that id")
    return box


def _receipts(sandbox: Simulator, request: ControlRequest) -> Any:
    return {
        "receipts": [
            shapes.receipt(one, sandbox.traffic.secrets)
            for one in _box(sandbox, request).receipts(**_page(request))
        ]
    }


def _cards(sandbox: Simulator, request: ControlRequest) -> Any:
    return {"cards": [shapes.card(one) for one in _box(sandbox, request).cards(_count(request))]}


def _sms(sandbox: Simulator, request: ControlRequest) -> Any:
    return {"sms": [shapes.sms(one) for one in _box(sandbox, request).last_sms(_count(request))]}


def _ledger(sandbox: Simulator, request: ControlRequest) -> Any:
    return {
        "ledger": [
            shapes.entry(one) for one in _box(sandbox, request).last_entries(_count(request))
        ]
    }


def _exchanges(sandbox: Simulator, request: ControlRequest) -> Any:
    # Stored without secrets, so they go out as they are.
    exchanges = _box(sandbox, request).merchant.last_exchanges(_count(request))
    return {"exchanges": [msgspec.to_builtins(one) for one in exchanges]}


def _difference(sandbox: Simulator, request: ControlRequest) -> Any:
    rows = _box(sandbox, request).merchant.difference()
    return {"difference": [masking.tree(row._asdict()) for row in rows]}


def _cors(sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"allow": sandbox.cors}


def _set_cors(sandbox: Simulator, request: ControlRequest) -> Any:
    match dict(request.body):
        case {"allow": bool(allow), **rest} if not rest:
            sandbox.cors = allow
        case _:
            raise InvalidSetting("cors", request.body, '{"allow": true} or {"allow": false}')
    return _cors(sandbox, request)


def _scenarios(_sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"scenarios": [scenario.describe() for scenario in SCENARIOS.values()]}


def _play(sandbox: Simulator, request: ControlRequest) -> Any:
    for name in request.body:
        if name != "name":
            raise UnknownArgument(name, request.body[name], ["name"])
    return sandbox.play(request.body.get("name", "")).describe()


def _reset(sandbox: Simulator, _request: ControlRequest) -> Any:
    sandbox.reset()
    return {"reset": True}


def _page(request: ControlRequest) -> dict[str, int]:
    return {
        "count": _count(request),
        "offset": _number(request, "offset", default=0, low=0, high=_MAX_OFFSET),
    }


def _count(request: ControlRequest) -> int:
    return _number(request, "count", default=_PAGE, low=1, high=_MAX_PAGE)


def _test_cards(sandbox: Simulator, _request: ControlRequest) -> Any:
    return {"test_cards": [shapes.known_card(card) for card in sandbox.known_cards.all()]}


def _set_test_card(sandbox: Simulator, request: ControlRequest) -> Any:
    given = dict(request.body)
    for name, value in given.items():
        if name not in _TEST_CARD:
            raise UnknownArgument(name, value, _TEST_CARD)
    card = sandbox.known_cards.set(
        given.get("number", ""), given.get("outcome", ""), given.get("expire")
    )
    return shapes.known_card(card)


def _number(request: ControlRequest, name: str, *, default: int, low: int, high: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not _is_number(text) or not low <= int(text) <= high:
        raise InvalidSetting(name, text, f"a whole number from {low} to {high}")
    return int(text)


def _is_number(text: str) -> bool:
    # More digits than any number that fits are not worth converting.
    return text.isascii() and text.isdigit() and len(text) < 16


_TABLE: Final[dict[str, Handlers]] = {
    "/cash_boxes": Handlers({"GET": _cash_boxes, "POST": _add_cash_box}, made=201),
    "/faults": Handlers({"GET": _faults, "POST": _add_fault, "DELETE": _clear_faults}, made=201),
    "/faults/{id}": Handlers({"DELETE": _remove_fault}),
    "/clock": Handlers({"GET": _clock, "POST": _set_clock}),
    "/receipts": Handlers({"GET": _receipts}),
    "/cards": Handlers({"GET": _cards}),
    "/test_cards": Handlers({"GET": _test_cards, "POST": _set_test_card}),
    "/sms": Handlers({"GET": _sms}),
    "/ledger": Handlers({"GET": _ledger}),
    "/exchanges": Handlers({"GET": _exchanges}),
    "/difference": Handlers({"GET": _difference}),
    "/cors": Handlers({"GET": _cors, "POST": _set_cors}),
    "/scenarios": Handlers({"GET": _scenarios}),
    "/scenario": Handlers({"POST": _play}),
    "/reset": Handlers({"POST": _reset}),
}


def routes(sandbox: Simulator) -> list[Route]:
    """Make the routes of the control API."""
    return [
        Route(f"{PREFIX}{path}", endpoint(sandbox, handlers), methods=[*handlers.by_method])
        for path, handlers in _TABLE.items()
    ]
