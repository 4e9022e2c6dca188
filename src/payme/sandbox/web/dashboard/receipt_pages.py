"""Receipts: the list, one of them, and what a click does to it."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from payme.errors import InvalidArgument
from payme.money import format_som, som
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.engine.shapes import title_in
from payme.sandbox.web.api_calls import Calls, Reply
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.dashboard.boxes import names_of
from payme.sandbox.web.dashboard.details import lines
from payme.sandbox.web.dashboard.frame import Frame, Section, outcome_of, refusal
from payme.sandbox.web.dashboard.timeline import timeline
from payme.sandbox.web.i18n import preferred, translator
from payme.sandbox.web.pages import Form, Handler, whole

_PAGE: Final = 50
_SEARCHED: Final = 1000
_USUAL_SUM: Final = 5_000_000
_ACCOUNT: Final = "account."
_NO_FIELDS: Final = {"order_id": "order_id"}

S = ReceiptState
_OVER: Final = frozenset({S.CANCEL_QUEUED, S.CANCELLED})


class ReceiptPages(Section):
    """Shows receipts, makes and pays and cancels them."""

    def __init__(self, backend: Backend, frame: Frame) -> None:
        super().__init__(backend, frame)
        self._calls = Calls(backend)

    def looks(self) -> dict[str, Handler]:
        """List what can be looked at, by path."""
        return {
            "/dashboard/receipts": self.receipts,
            "/dashboard/receipts/new": self.new,
            "/dashboard/receipts/{id}": self.receipt,
        }

    def acts(self) -> dict[str, Handler]:
        """List what can be done, by path."""
        return {
            "/dashboard/receipts/new": self.create,
            "/dashboard/receipts/{id}/pay": self.pay,
            "/dashboard/receipts/{id}/cancel": self.cancel,
            "/dashboard/receipts/{id}/confirm": self.confirm,
        }

    async def receipts(self, request: Request, _form: Form) -> Response:
        """List receipts, of one state or with one text in them."""
        state, text = request.query_params.get("state", ""), request.query_params.get("q", "")
        offset = whole(request.query_params.get("offset", ""))
        if state or text.strip():
            found = await self._newest(request, _SEARCHED)
            found = [row for row in found if _fits(row[0], state, text.strip())]
            page = found[offset : offset + _PAGE + 1]
        else:
            page = await self._newest(request, _PAGE + 1, offset)
        return self._frame.page(
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

    async def _newest(
        self, request: Request, count: int, offset: int = 0
    ) -> list[tuple[Receipt, str]]:
        """List the newest receipts of the cash-boxes that are shown."""
        choice, read = self._frame.choice(request), self._backend.read
        if len(choice.shown) == 1:
            return await read(choice.rows, lambda box: box.receipts(count, offset))
        # Nobody knows which cash-box the ones before the page are from.
        last = offset + count
        found = await read(
            choice.newest, lambda box: box.receipts(last), lambda one: one.create_time, last
        )
        return found[offset:]

    async def new(self, request: Request, _form: Form) -> Response:
        """Show the form that makes a receipt."""
        return self._new(request)

    async def create(self, request: Request, form: Form) -> Response:
        """Make a receipt, and open its page."""
        try:
            amount = som(form.get("amount", ""))
        except InvalidArgument:
            say = translator(preferred(request))
            error = say("Amount: soʻm such as 1 500,50, above zero.")
            return self._new(request, form, error=error)
        account = {
            name.removeprefix(_ACCOUNT): value
            for name, value in form.items()
            if name.startswith(_ACCOUNT) and value.strip()
        }
        params: dict[str, Any] = {"amount": amount, "account": account}
        if form.get("description", "").strip():
            params["description"] = form["description"].strip()
        if form.get("hold"):
            params["hold"] = True
        choice = self._frame.choice(request)
        reply = await Calls(self._backend, choice.one).back("receipts.create", **params)
        if reply.ok:
            made = f"/dashboard/receipts/{reply.result['receipt']['_id']}"
            return self._frame.go(request, made, "created")
        language = preferred(request)
        if reply.lost:
            say = translator(language)
            error = say("The answer was lost; the receipt may be in the list all the same.")
            return self._new(request, form, error=error)
        error, remedy = refusal(reply, language)
        return self._new(request, form, error=error, remedy=remedy)

    async def receipt(self, request: Request, _form: Form) -> Response:
        """Show one receipt and all that happened to it."""
        return await self._receipt(request)

    async def pay(self, request: Request, form: Form) -> Response:
        """Pay a receipt with a test card."""
        receipt = await self._found(request)
        offer = self._backend.offers.find(form.get("card", ""))
        if receipt is None or offer is None:
            return self._frame.missing(request, "receipt" if receipt is None else "card")
        calls = await self._calls.at(receipt.id)
        number = offer.card.number
        reply = await calls.pay_at_once(receipt.id, number, offer.mmyy, hold=receipt.hold)
        outcome = outcome_of(await self._backend.receipt(receipt.id)) if reply.ok else ""
        return await self._answered(request, receipt.id, reply, outcome, card=offer.reference)

    async def cancel(self, request: Request, _form: Form) -> Response:
        """Cancel a receipt."""
        return await self._act_on(request, "receipts.cancel", "cancelled")

    async def confirm(self, request: Request, _form: Form) -> Response:
        """Confirm a hold."""
        return await self._act_on(request, "receipts.confirm_hold", "confirmed")

    async def _found(self, request: Request) -> Receipt | None:
        return await self._backend.receipt(request.path_params["id"])

    async def _act_on(self, request: Request, method: str, done: str) -> Response:
        receipt = await self._found(request)
        if receipt is None:
            return self._frame.missing(request, "receipt")
        reply = await (await self._calls.at(receipt.id)).back(method, id=receipt.id)
        return await self._answered(request, receipt.id, reply, done)

    async def _answered(
        self, request: Request, receipt_id: str, reply: Reply, done: str, card: str = ""
    ) -> Response:
        """Show the receipt with what came of a call about it.

        A refusal is said on the answer to the form itself: its reason is nothing that an address
        could carry, since everybody can write one.
        """
        if reply.unknown:
            known = "lost" if reply.lost else "unsure"
            return self._frame.go(request, f"/dashboard/receipts/{receipt_id}", known)
        if reply.ok:
            return self._frame.go(request, f"/dashboard/receipts/{receipt_id}", done)
        language = preferred(request)
        error, remedy = refusal(reply, language)
        now = await self._backend.receipt(receipt_id)
        if reply.pays and now is not None and now.state in _OVER:
            # "Another card" alone would be no help: with a merchant, a refusal ends the receipt.
            say = translator(language)
            closed = say("This receipt is closed: paying takes a new one.")
            remedy = f"{remedy} {closed}".strip()
        return await self._receipt(request, error=error, remedy=remedy, card=card)

    async def _receipt(
        self, request: Request, *, error: str = "", remedy: str = "", card: str = ""
    ) -> Response:
        language = preferred(request)
        history = await self._backend.history(request.path_params["id"], language)
        if history is None:
            return self._frame.missing(request, "receipt")
        receipt = history.receipt
        home, boxes = self._backend.home(receipt.id), self._sandbox.cash_boxes
        config = home.config
        return self._frame.page(
            request,
            "receipt.html",
            error=error,
            remedy=remedy,
            receipt=receipt,
            lines=lines(receipt.detail),
            fiscal=receipt.fiscal or {},
            timeline=timeline(history, translator(language)),
            entries=[(one, "") for one in history.entries],
            calls=history.calls,
            exchanges=[(one, "") for one in history.exchanges],
            box_name=names_of(boxes)[home.merchant_id] if len(boxes) > 1 else "",
            titles={name: title_in(one, language) for name, one in config.account_fields.items()},
            config=config,
            cards=self._backend.offers.all(),
            card=card,
        )

    def _new(
        self, request: Request, form: Form | None = None, *, error: str = "", remedy: str = ""
    ) -> Response:
        config, language = self._frame.choice(request).one.config, preferred(request)
        least, most = config.min_amount or 1, config.max_amount or _USUAL_SUM
        fields = config.account_fields or _NO_FIELDS
        return self._frame.page(
            request,
            "new_receipt.html",
            one_box=True,
            error=error,
            remedy=remedy,
            given=form or {"amount": format_som(max(least, min(_USUAL_SUM, most)))},
            fields={name: title_in(title, language) for name, title in fields.items()},
        )


def _fits(receipt: Receipt, state: str, text: str) -> bool:
    if state and str(int(receipt.state)) != state:
        return False
    values = [receipt.id, receipt.description, *map(str, receipt.account.values())]
    return any(text.lower() in value.lower() for value in values)
