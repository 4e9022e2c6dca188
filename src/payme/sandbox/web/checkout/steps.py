"""The way of a payer: order, card, code, payment, result."""

import re
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from payme.checkout import parse_link
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.engine.ids import is_object_id
from payme.sandbox.web.api_calls import Calls, Reply
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.checkout.attempts import Attempt, Attempts
from payme.sandbox.web.checkout.orders import order
from payme.sandbox.web.checkout.views import GOOD, NO_MERCHANT, OVER, Typed, Views, reason
from payme.sandbox.web.checkout.visit import DEFAULT_TIMEOUT_MS, Visit, address, timeout
from payme.sandbox.web.i18n import DEFAULT, TEXTS, payers
from payme.sandbox.web.pages import Form, Pages, RestRoute, see_other

_NOT_PAYABLE: Final = -31602

_SEPARATORS: Final = re.compile(r"[\s\-]")
_NUMBER: Final = re.compile(r"[0-9]{13,18}")
_EXPIRE: Final = re.compile(r"(0[1-9]|1[0-2])/?([0-9]{2})")
_CODE: Final = re.compile(r"[0-9]{1,10}")

S = ReceiptState


class Checkout:
    """Serves the pages that payers see.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages
        self._views = Views(backend, pages)
        self._calls = Calls(backend)
        self._attempts = Attempts()

    def routes(self) -> list[Route]:
        """List the routes; the last one takes every path that is left."""
        route = self._pages.route
        return [
            route("/", self.form, post=True, open_to_all=True),
            route("/checkout", self.form, post=True, open_to_all=True),
            route("/checkout/{receipt_id}", self.receipt),
            route("/checkout/{receipt_id}/card", self.card, post=True),
            route("/checkout/{receipt_id}/{attempt}", self.attempt),
            route("/checkout/{receipt_id}/{attempt}/code", self.code, post=True),
            route("/checkout/{receipt_id}/{attempt}/resend", self.resend, post=True),
            # The address of a refusal, without JavaScript, when it is opened once more.
            route("/checkout/{receipt_id}/{attempt}/{step}", self.attempt),
            route("/{link:path}", self.link, kind=RestRoute),
        ]

    async def link(self, request: Request, _form: Form) -> Response:
        """Open a receipt by its id, or make one from a Base64 link."""
        path: str = request.path_params["link"]
        if is_object_id(path):
            return see_other(f"/checkout/{path}", Visit.of(request).query())
        try:
            # The raw path: `+` and `/` of Base64 stay what they are.
            said = parse_link(path)
        except InvalidArgument as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise HTTPException(HTTPStatus.NOT_FOUND) from None
            return self._views.bad_link(Visit(DEFAULT, "", DEFAULT_TIMEOUT_MS), str(error))
        if request.method == "HEAD":
            return Response()
        visit = Visit(
            said.language or DEFAULT, address(said.callback), timeout(said.callback_timeout)
        )
        params = {"amount": said.amount, "account": said.account}
        return await self._create(said.merchant_id, params, visit)

    async def form(self, request: Request, form: Form) -> Response:
        """Make a receipt from the form that a merchant's page posts."""
        visit = Visit(
            payers(form.get("lang")),
            address(form.get("callback") or request.headers.get("referer")),
            timeout(form.get("callback_timeout")),
        )
        try:
            params = order(form, visit.language)
        except ValueError as error:
            return self._views.bad_link(visit, str(error))
        return await self._create(form.get("merchant", ""), params, visit)

    async def receipt(self, request: Request, _form: Form) -> Response:
        """Show a receipt and ask for a card."""
        visit = Visit.of(request)
        receipt = await self._backend.receipt(request.path_params["receipt_id"])
        if receipt is None or receipt.state is not S.CREATED:
            return self._views.gone(visit, receipt)
        typed = Typed.of(self._backend.offers.find(request.query_params.get("card", "")))
        return self._views.card(receipt, visit, typed=typed)

    async def card(self, request: Request, form: Form) -> Response:
        """Take a card, and have its code sent."""
        visit = Visit.of(request)
        receipt = await self._backend.receipt(request.path_params["receipt_id"])
        if receipt is None or receipt.state is not S.CREATED:
            return self._views.gone(visit, receipt)
        number = _SEPARATORS.sub("", form.get("number", ""))
        expire = _EXPIRE.fullmatch(_SEPARATORS.sub("", form.get("expire", "")))
        offer = self._backend.offers.typed(number, form.get("known", ""))
        typed = Typed.of(offer)
        number = offer.card.number if offer else number
        if not _NUMBER.fullmatch(number) or expire is None:
            return self._views.card(receipt, visit, TEXTS[visit.language]["bad_card"], typed)
        calls = await self._calls.at(receipt.id)
        bound = await calls.bind(number, expire[1] + expire[2])
        if not bound.ok:
            return self._views.card(receipt, visit, reason(bound, visit.language), typed)
        name = self._attempts.add(Attempt(receipt.id, bound.result["token"], bound.result["phone"]))
        return see_other(f"/checkout/{receipt.id}/{name}", visit.query())

    async def attempt(self, request: Request, _form: Form) -> Response:
        """Ask for the code, or show what came of the payment."""
        visit = Visit.of(request)
        name, attempt, receipt = await self._found(request)
        if attempt is None or receipt is None:
            return self._begin_again(receipt, visit)
        if _waits_for_code(attempt, receipt):
            again = request.query_params.get("sent") == "again"
            return self._views.code(receipt, name, attempt, visit, again=again)
        return self._views.result(await self._checked(receipt), attempt, visit)

    async def code(self, request: Request, form: Form) -> Response:
        """Take the code, and pay."""
        visit = Visit.of(request)
        name, attempt, receipt = await self._found(request)
        if attempt is None or receipt is None:
            return self._begin_again(receipt, visit)
        if _waits_for_code(attempt, receipt):
            wrong = await self._verify(attempt, form.get("code", "").strip(), visit.language)
            if wrong:
                return self._views.code(receipt, name, attempt, visit, wrong)
            refusal = await self._pay(receipt, attempt, visit.language)
            if refusal:
                now = await self._backend.receipt(receipt.id)
                if now is not None and now.state is S.CREATED:
                    return self._views.card(now, visit, refusal)
                # With a merchant it ended the receipt: the transaction was cancelled there, and a
                # receipt has only one. The attempt's page says so, as often as it is looked at.
        return see_other(f"/checkout/{receipt.id}/{name}", visit.query())

    async def resend(self, request: Request, _form: Form) -> Response:
        """Have a new code sent."""
        visit = Visit.of(request)
        name, attempt, receipt = await self._found(request)
        if attempt is None or receipt is None:
            return self._begin_again(receipt, visit)
        if not _waits_for_code(attempt, receipt):
            return see_other(f"/checkout/{receipt.id}/{name}", visit.query())
        calls = await self._calls.at(receipt.id)
        sent = await calls.front("cards.get_verify_code", token=attempt.token)
        if not sent.ok:
            error = reason(sent, visit.language)
            return self._views.code(receipt, name, attempt, visit, error)
        return see_other(f"/checkout/{receipt.id}/{name}", visit.query(sent="again"))

    def _begin_again(self, receipt: Receipt | None, visit: Visit) -> Response:
        """Ask for the card anew if the attempt is forgotten: it lives as long as the process."""
        if receipt is None or receipt.state is not S.CREATED:
            return self._views.gone(visit, receipt)
        return see_other(f"/checkout/{receipt.id}", visit.query())

    async def _found(self, request: Request) -> tuple[str, Attempt | None, Receipt | None]:
        """Find what the address names: an attempt, and the receipt that it is about."""
        receipt_id, name = request.path_params["receipt_id"], request.path_params["attempt"]
        attempt = self._attempts.find(name, receipt_id)
        return name, attempt, await self._backend.receipt(receipt_id)

    async def _create(self, merchant_id: str, params: dict[str, Any], visit: Visit) -> Response:
        box = self._backend.sandbox.cash_box(merchant_id)
        if box is None:
            reply = Reply(method="receipts.create", error={"code": NO_MERCHANT})
        else:
            reply = await Calls(self._backend, box).back("receipts.create", **params)
        if not reply.ok:
            return self._views.refused(reply, visit)
        receipt_id = reply.result["receipt"]["_id"]
        return see_other(f"/checkout/{receipt_id}", visit.query())

    async def _verify(self, attempt: Attempt, code: str, language: Language) -> str:
        """Hold the code against the card. Returns what is wrong, empty when nothing is."""
        if attempt.verified:
            return ""
        if not _CODE.fullmatch(code):
            return TEXTS[language]["bad_code"]
        calls = await self._calls.at(attempt.receipt_id)
        reply = await calls.front("cards.verify", token=attempt.token, code=code)
        attempt.verified = reply.ok
        return "" if reply.ok else reason(reply, language)

    async def _pay(self, receipt: Receipt, attempt: Attempt, language: Language) -> str:
        """Pay. Returns why it was refused; empty when it was done, or perhaps done."""
        attempt.submitted = True
        calls = await self._calls.at(receipt.id)
        reply = await calls.pay(receipt.id, attempt.token, hold=receipt.hold)
        attempt.lost = reply.unknown
        # A receipt that is "not found or paid" may have been paid a moment ago: look at it.
        if reply.ok or reply.unknown or reply.code == _NOT_PAYABLE:
            return ""
        attempt.submitted = False
        return reason(reply, language)

    async def _checked(self, receipt: Receipt) -> Receipt:
        """Ask for the state, as a merchant's server would, while it is not the last one."""
        if receipt.state in GOOD | OVER:
            return receipt
        await (await self._calls.at(receipt.id)).back("receipts.check", id=receipt.id)
        return await self._backend.receipt(receipt.id) or receipt


def _waits_for_code(attempt: Attempt, receipt: Receipt) -> bool:
    """Return whether an attempt can still pay.

    It can't once another one has paid, or once a merchant's receipt was closed by a refusal: a
    payer who comes back to its address is told so, and asked for no code.
    """
    return not attempt.submitted and receipt.state is S.CREATED
