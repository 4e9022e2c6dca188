"""The dashboard at `/`: what is in the sandbox, what went through it, and what it can be told."""

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import LedgerEntry, Receipt
from payme.sandbox.engine.faults import ACTIONS, WHENS
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.errors import InvalidSetting
from payme.sandbox.traffic import Entry
from payme.sandbox.web.backend import Backend, History
from payme.sandbox.web.calls import Calls, Reply
from payme.sandbox.web.export import pytest_file
from payme.sandbox.web.pages import HEADERS, Form, Pages, see_other
from payme.sandbox.web.texts import NAMES
from payme.sandbox.web.words import COOKIE, Say, chosen, preferred, translator

WELCOME: Final = """This is a sandbox of Payme's Subscribe API (payme-uz). No money moves here.

Send your calls to POST /api.
"""

STEPS: Final = ("1m", "1h", "12h", "30d")
"""How far the buttons move the clock."""

_PAGE: Final = 50
_SEARCHED: Final = 1000
_RECENT: Final = 8
_YEAR_S: Final = 365 * 24 * 60 * 60
_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {"sandbox.css": "text/css", "live.js": "text/javascript"}
_DONE: Final = {
    "paid": "The receipt was paid.",
    "refused": "The payment was refused; the reason is in the traffic.",
    "lost": "The answer was lost; whether the card was debited, the receipt says.",
    "cancelled": "The receipt was cancelled, or is in the queue for it.",
    "confirmed": "The hold was confirmed.",
    "no": "The call was refused; the reason is in the traffic.",
    "armed": "The answer to the next receipts.* call will be lost after its effect.",
    "fault": "The fault was set.",
    "removed": "The fault was removed.",
    "pages": "The setting for web pages was changed.",
    "cleared": "All faults were removed.",
    "moved": "The clock was moved.",
    "frozen": "The clock stands.",
    "resumed": "The clock runs.",
    "forgotten": "The traffic was forgotten.",
}

S = ReceiptState


class Event(NamedTuple):
    """One line of a receipt's timeline."""

    at: int
    what: str


class Dashboard:
    """Serves the dashboard.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._sandbox = backend.sandbox
        self._pages = pages
        self._calls = Calls(backend)

    def routes(self) -> list[Route]:
        """List the routes."""
        route = self._pages.route
        looks = {
            "/": self.overview,
            "/dashboard/receipts": self.receipts,
            "/dashboard/receipts/{id}": self.receipt,
            "/dashboard/cards": self.cards,
            "/dashboard/sms": self.sms,
            "/dashboard/traffic": self.traffic,
            "/dashboard/traffic/export": self.export,
            "/dashboard/faults": self.faults,
            "/dashboard/clock": self.clock,
            "/dashboard/ledgers": self.ledgers,
        }
        acts = {
            "/dashboard/receipts/{id}/pay": self.pay,
            "/dashboard/receipts/{id}/cancel": self.cancel,
            "/dashboard/receipts/{id}/confirm": self.confirm,
            "/dashboard/traffic/clear": self.forget,
            "/dashboard/faults": self.add_fault,
            "/dashboard/faults/lose": self.lose,
            "/dashboard/faults/clear": self.clear_faults,
            "/dashboard/faults/cors": self.set_cors,
            "/dashboard/faults/{id}/remove": self.remove_fault,
            "/dashboard/clock": self.move_clock,
        }
        return [
            # The checkout page needs it, too.
            route("/dashboard/static/{name}", self.static),
            *(route(path, handler, guarded=True) for path, handler in looks.items()),
            *(route(path, handler, post=True, guarded=True) for path, handler in acts.items()),
        ]

    async def overview(self, request: Request, _form: Form) -> Response:
        """Show the newest of everything."""
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(WELCOME)
        return self._page(
            request,
            "overview.html",
            receipts=await self._backend.read(self._sandbox.receipts, _RECENT),
            calls=await self._calls_in(request, _RECENT),
            sms=await self._backend.read(self._sandbox.last_sms, 1),
            steps=STEPS,
            cards=TEST_CARDS.values(),
            config=self._sandbox.config,
        )

    async def receipts(self, request: Request, _form: Form) -> Response:
        """List receipts, of one state or with one text in them."""
        state, text = request.query_params.get("state", ""), request.query_params.get("q", "")
        offset = _whole(request.query_params.get("offset", ""))
        if state or text.strip():
            found = await self._backend.read(self._sandbox.receipts, _SEARCHED)
            found = [one for one in found if _fits(one, state, text.strip())]
            page = found[offset : offset + _PAGE + 1]
        else:
            page = await self._backend.read(self._sandbox.receipts, _PAGE + 1, offset)
        return self._page(
            request,
            "receipts.html",
            receipts=page[:_PAGE],
            state=state,
            text=text,
            states=list(S),
            searched=_SEARCHED,
            earlier=offset + _PAGE if len(page) > _PAGE else None,
            later=max(offset - _PAGE, 0) if offset else None,
        )

    async def receipt(self, request: Request, _form: Form) -> Response:
        """Show one receipt and all that happened to it."""
        language = preferred(request)
        history = await self._backend.history(request.path_params["id"], language)
        if history is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return self._page(
            request,
            "receipt.html",
            receipt=history.receipt,
            timeline=_timeline(history, translator(language)),
            entries=history.entries,
            calls=history.calls,
            exchanges=history.exchanges,
            config=self._sandbox.config,
            cards=TEST_CARDS.values(),
        )

    async def cards(self, request: Request, _form: Form) -> Response:
        """List cards."""
        found = await self._backend.read(self._sandbox.cards, _PAGE)
        return self._page(
            request,
            "cards.html",
            cards=found,
            known={card.number: card for card in self._sandbox.known_cards.all()},
            usual=TEST_CARDS,
        )

    async def sms(self, request: Request, _form: Form) -> Response:
        """List the outbox, codes and all."""
        found = await self._backend.read(self._sandbox.last_sms, _PAGE)
        return self._page(request, "sms.html", messages=found)

    async def traffic(self, request: Request, _form: Form) -> Response:
        """List the last calls."""
        chosen = request.query_params.get("show", "")
        calls = await self._calls_in(request, _PAGE, refused=chosen == "refused")
        return self._page(request, "traffic.html", calls=calls, chosen=chosen)

    async def export(self, _request: Request, _form: Form) -> Response:
        """Write the traffic as a test."""
        sandbox = self._sandbox
        text = await self._backend.read(pytest_file, sandbox.traffic.recorded(), sandbox.config)
        disposition = {"Content-Disposition": 'attachment; filename="test_recorded_payme.py"'}
        return Response(text, 200, HEADERS | disposition, "text/x-python")

    async def faults(self, request: Request, _form: Form) -> Response:
        """List the faults, and offer to set one."""
        return self._faults(request)

    async def clock(self, request: Request, _form: Form) -> Response:
        """Show the clock."""
        return self._clock(request)

    async def ledgers(self, request: Request, _form: Form) -> Response:
        """Show Payme's ledger, the merchant's answers and where they differ."""
        entries = await self._backend.read(self._sandbox.last_entries, _PAGE)
        merchant = self._sandbox.merchant
        return self._page(
            request,
            "ledgers.html",
            asked=merchant.asked,
            entries=entries,
            transactions=(await self._backend.read(merchant.ledger, _PAGE))[::-1],
            exchanges=await self._backend.read(merchant.last_exchanges, _PAGE),
            differences=(await self._backend.read(merchant.difference))[:_PAGE],
        )

    async def static(self, request: Request, _form: Form) -> Response:
        """Serve a file that the pages need."""
        name: str = request.path_params["name"]
        if name not in _FILES:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return FileResponse(_STATIC / name, 200, HEADERS, _FILES[name])

    async def pay(self, request: Request, form: Form) -> Response:
        """Pay a receipt with a test card."""
        receipt = await self._backend.receipt(request.path_params["id"])
        card = TEST_CARDS.get(form.get("card", ""))
        if receipt is None or card is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        reply = await self._calls.pay_at_once(
            receipt.id, card.number, card.expire, hold=receipt.hold
        )
        return _back_to_receipt(receipt.id, reply, "paid", "refused")

    async def cancel(self, request: Request, _form: Form) -> Response:
        """Cancel a receipt."""
        return await self._act_on(request, "receipts.cancel", "cancelled")

    async def confirm(self, request: Request, _form: Form) -> Response:
        """Confirm a hold."""
        return await self._act_on(request, "receipts.confirm_hold", "confirmed")

    async def forget(self, _request: Request, _form: Form) -> Response:
        """Forget the traffic."""
        self._sandbox.traffic.clear()
        return see_other("/dashboard/traffic", {"done": "forgotten"})

    async def add_fault(self, request: Request, form: Form) -> Response:
        """Set a fault."""
        try:
            self._sandbox.faults.add_text(_rule(form))
        except InvalidSetting as error:
            return self._faults(request, str(error), form)
        return see_other("/dashboard/faults", {"done": "fault"})

    async def lose(self, _request: Request, _form: Form) -> Response:
        """Lose the next answer: the one fault that everybody should rehearse."""
        self._sandbox.faults.add("receipts.*", when="after", action="drop", times=1)
        return see_other("/dashboard/faults", {"done": "armed"})

    async def clear_faults(self, _request: Request, _form: Form) -> Response:
        """Remove all faults."""
        self._sandbox.faults.clear()
        return see_other("/dashboard/faults", {"done": "cleared"})

    async def remove_fault(self, request: Request, _form: Form) -> Response:
        """Remove one fault."""
        self._sandbox.faults.remove(_whole(request.path_params["id"]))
        return see_other("/dashboard/faults", {"done": "removed"})

    async def set_cors(self, _request: Request, form: Form) -> Response:
        """Answer web pages of other origins, or refuse them as a host without CORS does."""
        self._sandbox.cors = form.get("allow") == "yes"
        return see_other("/dashboard/faults", {"done": "pages"})

    async def move_clock(self, request: Request, form: Form) -> Response:
        """Move, stop or start the clock."""
        clock = self._sandbox.clock
        try:
            match form.get("do"):
                case "advance":
                    await self._backend.read(clock.advance, form.get("by", ""))
                    done = "moved"
                case "freeze":
                    await self._backend.read(clock.freeze)
                    done = "frozen"
                case _:
                    clock.resume()
                    done = "resumed"
        except InvalidSetting as error:
            return self._clock(request, str(error))
        return see_other("/dashboard/clock", {"done": done})

    def _faults(self, request: Request, error: str = "", given: Form | None = None) -> Response:
        return self._page(
            request,
            "faults.html",
            error=error,
            given=given or {},
            faults=self._sandbox.faults.list(),
            whens=WHENS,
            actions=ACTIONS,
            methods=("receipts.*", "cards.*", "*", *METHODS),
            cors=self._sandbox.cors,
        )

    def _clock(self, request: Request, error: str = "") -> Response:
        return self._page(request, "clock.html", error=error, steps=STEPS)

    async def _act_on(self, request: Request, method: str, done: str) -> Response:
        receipt = await self._backend.receipt(request.path_params["id"])
        if receipt is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        reply = await self._calls.back(method, id=receipt.id)
        return _back_to_receipt(receipt.id, reply, done, "no")

    async def _calls_in(
        self, request: Request, count: int, *, refused: bool = False
    ) -> list[Entry]:
        language, entries = preferred(request), self._sandbox.traffic.entries
        return await self._backend.read(entries, count, refused=refused, language=language)

    def _page(
        self, request: Request, template: str, *, error: str = "", **context: Any
    ) -> Response:
        clock = self._sandbox.clock
        language = preferred(request)
        say = translator(language)
        page = self._pages.page(
            template,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            error=error,
            # A word of ours for each, so that nobody's link can put words on the page.
            done=say(_DONE[done]) if (done := request.query_params.get("done")) in _DONE else "",
            language=language,
            languages=NAMES,
            _=say,
            here=request.url.path,
            now=clock.now(),
            frozen=clock.frozen,
            armed=sum(fault.left != 0 for fault in self._sandbox.faults.list()),
            **context,
        )
        if chosen(request):
            page.set_cookie(COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="lax")
        return page


def _back_to_receipt(receipt_id: str, reply: Reply, done: str, refused: str) -> Response:
    outcome = "lost" if reply.lost else done if reply.ok else refused
    return see_other(f"/dashboard/receipts/{receipt_id}", {"done": outcome})


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _fits(receipt: Receipt, state: str, text: str) -> bool:
    if state and str(int(receipt.state)) != state:
        return False
    values = [receipt.id, receipt.description, *map(str, receipt.account.values())]
    return any(text.lower() in value.lower() for value in values)


def _rule(form: Form) -> str:
    """Write the fault's form as the line that `faults.add_text` reads."""
    words = [form.get("method", ""), form.get("when", ""), form.get("action", "")]
    if form.get("times", "").strip():
        words.append(f"times={form['times'].strip()}")
    return " ".join([*words, form.get("more", "")])


def _timeline(history: History, say: Say) -> list[Event]:
    """Put all that happened to a receipt in the order of time."""
    receipt = history.receipt
    # Events of the same moment stay in this order: the call, then what it did.
    events = [
        *_calls(history),
        Event(receipt.create_time, say("created")),
        *(Event(entry.time, _movement(entry, say)) for entry in history.entries),
        *_moments(receipt, say),
    ]
    return sorted(events, key=lambda event: event.at)


def _calls(history: History) -> Iterable[Event]:
    for call in reversed(history.calls):
        outcome = "ok" if call.code is None else f"{call.code} {call.reason or call.message}"
        fault = f", {call.fault}" if call.fault else ""
        yield Event(call.at, f"{call.method}: {outcome}{fault}")


def _movement(entry: LedgerEntry, say: Say) -> str:
    return say("{kind} on the card {card}").format(kind=say(entry.kind), card=entry.card)


def _moments(receipt: Receipt, say: Say) -> Iterable[Event]:
    if receipt.pay_time:
        yield Event(receipt.pay_time, say("paid"))
    if receipt.cancel_time:
        yield Event(receipt.cancel_time, say("cancelled"))
    if receipt.due_at is not None:
        due = say("due: leaves state {state} by itself").format(state=int(receipt.state))
        yield Event(receipt.due_at, due)
