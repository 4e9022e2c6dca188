"""The checkout page: from a link or a form to a paid receipt, and back to the merchant.

It works without JavaScript and keeps no cookie. The token of the payer's card stays here, under the
name of an attempt; the browser only learns that name.
"""

import base64
import binascii
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from payme.checkout import parse_link
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language, lookup
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.engine.ids import is_object_id
from payme.sandbox.engine.testcards import TEST_CARDS
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.calls import Calls, Reply
from payme.sandbox.web.pages import Form, Pages, RestRoute, see_other
from payme.sandbox.web.texts import NAMES, TEXTS, language
from payme.sandbox.web.words import translator

DEFAULT_TIMEOUT_MS: Final = 15_000
"""How long the payer sees the result; live pages show this figure (OBSERVED)."""

_MAX_TIMEOUT_MS: Final = 2**31 - 1
_MAX_ATTEMPTS: Final = 1000
_NO_MERCHANT: Final = -31601
_NOT_PAYABLE: Final = -31602
_POLL_S: Final = 2

_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_ACCOUNT_INPUT: Final = re.compile(r"account\[([^\[\]]+)\]")
_PLACEHOLDER: Final = re.compile(r":(?:transaction|account\.([0-9A-Za-z_\-]+))")
_SEPARATORS: Final = re.compile(r"[\s\-]")
_NUMBER: Final = re.compile(r"[0-9]{13,18}")
_EXPIRE: Final = re.compile(r"(0[1-9]|1[0-2])/?([0-9]{2})")
_CODE: Final = re.compile(r"[0-9]{1,10}")

S = ReceiptState
_GOOD: Final = frozenset({S.PAID, S.HELD})
_OVER: Final = frozenset({S.CANCEL_QUEUED, S.CANCELLED})


@dataclass(frozen=True)
class Visit:
    """What the address of a receipt's page carries.

    Attributes:
        language: Language of the page.
        back: Where the payer returns to, placeholders and all; empty for nowhere.
        timeout_ms: How long the payer sees the result before that.
    """

    language: Language
    back: str
    timeout_ms: int

    @classmethod
    def of(cls, request: Request) -> "Visit":
        """Read it from an address."""
        query = request.query_params
        return cls(
            language(query.get("lang")), _address(query.get("back")), _timeout(query.get("timeout"))
        )

    def query(self, **changes: str) -> dict[str, str]:
        """Write it as an address has it: `back` is `null` when there is none (OBSERVED)."""
        written = {
            "back": self.back or "null",
            "timeout": str(self.timeout_ms),
            "lang": self.language,
        }
        return {**written, **changes}


@dataclass
class Attempt:
    """One try to pay a receipt with one card."""

    receipt_id: str
    token: str
    phone: str
    """Masked."""
    verified: bool = False
    submitted: bool = False
    """Whether `receipts.pay` was called, and perhaps executed."""
    lost: bool = False
    """Whether its answer was lost."""

    def __repr__(self) -> str:
        return f"Attempt({self.receipt_id!r})"


class Attempts:
    """The tries that are under way; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, Attempt] = OrderedDict()

    def add(self, attempt: Attempt) -> str:
        """Remember a try, and return its name."""
        name = secrets.token_urlsafe(12)
        self._attempts[name] = attempt
        if len(self._attempts) > _MAX_ATTEMPTS:
            self._attempts.popitem(last=False)
        return name

    def find(self, name: str, receipt_id: str) -> Attempt | None:
        """Find a try to pay a receipt by its name."""
        attempt = self._attempts.get(name)
        return attempt if attempt is not None and attempt.receipt_id == receipt_id else None


class Checkout:
    """Serves the checkout page.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages
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
            route("/{link:path}", self.link, kind=RestRoute),
        ]

    async def link(self, request: Request, _form: Form) -> Response:
        """Open a receipt by its id, or make one from a Base64 link."""
        path: str = request.path_params["link"]
        if is_object_id(path):
            visit = Visit.of(request)
            return see_other(f"/checkout/{path}", visit.query())
        try:
            # The raw path: `+` and `/` of Base64 stay what they are.
            said = parse_link(path)
        except InvalidArgument as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise HTTPException(HTTPStatus.NOT_FOUND) from None
            return self._message(language(None), "bad_link", detail=str(error))
        if request.method == "HEAD":
            return Response()
        visit = Visit(
            said.language or language(None),
            _address(said.callback),
            _timeout(said.callback_timeout),
        )
        params = {"amount": said.amount, "account": said.account}
        return await self._create(said.merchant_id, params, visit)

    async def form(self, request: Request, form: Form) -> Response:
        """Make a receipt from the form that a merchant's page posts."""
        referer = request.headers.get("referer")
        visit = Visit(
            language(form.get("lang")),
            _address(form.get("callback") or referer),
            _timeout(form.get("callback_timeout")),
        )
        try:
            params = _params(form, visit.language)
        except ValueError as error:
            return self._message(visit.language, "bad_link", visit=visit, detail=str(error))
        return await self._create(form.get("merchant", ""), params, visit)

    async def receipt(self, request: Request, _form: Form) -> Response:
        """Show a receipt and ask for a card."""
        visit = Visit.of(request)
        receipt = await self._backend.receipt(request.path_params["receipt_id"])
        if receipt is None or receipt.state is not S.CREATED:
            return self._message(visit.language, "gone", visit=visit)
        return self._ask_card(receipt, visit)

    async def card(self, request: Request, form: Form) -> Response:
        """Take a card, and have its code sent."""
        visit = Visit.of(request)
        receipt = await self._backend.receipt(request.path_params["receipt_id"])
        if receipt is None or receipt.state is not S.CREATED:
            return self._message(visit.language, "gone", visit=visit)
        number = _SEPARATORS.sub("", form.get("number", ""))
        expire = _EXPIRE.fullmatch(_SEPARATORS.sub("", form.get("expire", "")))
        if not _NUMBER.fullmatch(number) or expire is None:
            return self._ask_card(receipt, visit, TEXTS[visit.language]["bad_card"])
        bound = await self._calls.bind(number, expire[1] + expire[2])
        if not bound.ok:
            return self._ask_card(receipt, visit, _reason(bound, visit.language))
        name = self._attempts.add(Attempt(receipt.id, bound.result["token"], bound.result["phone"]))
        return see_other(f"/checkout/{receipt.id}/{name}", visit.query())

    async def attempt(self, request: Request, _form: Form) -> Response:
        """Ask for the code, or show what came of the payment."""
        visit = Visit.of(request)
        receipt_id, name = request.path_params["receipt_id"], request.path_params["attempt"]
        attempt = self._attempts.find(name, receipt_id)
        receipt = await self._backend.receipt(receipt_id)
        if attempt is None or receipt is None:
            return self._message(visit.language, "gone", visit=visit)
        if not attempt.submitted:
            return self._ask_code(receipt, name, attempt, visit)
        return self._result(await self._checked(receipt), attempt, visit)

    async def code(self, request: Request, form: Form) -> Response:
        """Take the code, and pay."""
        visit = Visit.of(request)
        receipt_id, name = request.path_params["receipt_id"], request.path_params["attempt"]
        attempt = self._attempts.find(name, receipt_id)
        receipt = await self._backend.receipt(receipt_id)
        if attempt is None or receipt is None:
            return self._message(visit.language, "gone", visit=visit)
        if not attempt.submitted:
            wrong = await self._verify(attempt, form.get("code", "").strip(), visit.language)
            if wrong:
                return self._ask_code(receipt, name, attempt, visit, wrong)
            refusal = await self._pay(receipt, attempt, visit.language)
            if refusal:
                return await self._after_refusal(receipt, visit, refusal)
        return see_other(f"/checkout/{receipt_id}/{name}", visit.query())

    async def resend(self, request: Request, _form: Form) -> Response:
        """Have a new code sent."""
        visit = Visit.of(request)
        receipt_id, name = request.path_params["receipt_id"], request.path_params["attempt"]
        attempt = self._attempts.find(name, receipt_id)
        receipt = await self._backend.receipt(receipt_id)
        if attempt is None or receipt is None:
            return self._message(visit.language, "gone", visit=visit)
        sent = await self._calls.front("cards.get_verify_code", token=attempt.token)
        if not sent.ok:
            return self._ask_code(receipt, name, attempt, visit, _reason(sent, visit.language))
        return see_other(f"/checkout/{receipt_id}/{name}", visit.query())

    async def _create(self, merchant_id: str, params: dict[str, Any], visit: Visit) -> Response:
        if merchant_id != self._backend.sandbox.config.merchant_id:
            error = {"code": _NO_MERCHANT}
            reply = Reply(method="receipts.create", error=error)
        else:
            reply = await self._calls.back("receipts.create", **params)
        if not reply.ok:
            return self._refusal(reply, visit)
        receipt_id = reply.result["receipt"]["_id"]
        return see_other(f"/checkout/{receipt_id}", visit.query())

    async def _verify(self, attempt: Attempt, code: str, spoken: Language) -> str:
        """Hold the code against the card. Returns what is wrong, empty when nothing is."""
        if attempt.verified:
            return ""
        if not _CODE.fullmatch(code):
            return TEXTS[spoken]["bad_code"]
        reply = await self._calls.front("cards.verify", token=attempt.token, code=code)
        attempt.verified = reply.ok
        return "" if reply.ok else _reason(reply, spoken)

    async def _pay(self, receipt: Receipt, attempt: Attempt, spoken: Language) -> str:
        """Pay. Returns why it was refused; empty when it was done, or perhaps done."""
        attempt.submitted = True
        reply = await self._calls.pay(receipt.id, attempt.token, hold=receipt.hold)
        attempt.lost = reply.unknown
        # A receipt that is "not found or paid" may have been paid a moment ago: look at it.
        if reply.ok or reply.unknown or reply.code == _NOT_PAYABLE:
            return ""
        attempt.submitted = False
        return _reason(reply, spoken)

    async def _after_refusal(self, receipt: Receipt, visit: Visit, refusal: str) -> Response:
        """Ask for another card, if the receipt can still be paid.

        With a merchant it can't: the transaction was cancelled there, and a receipt has only one.
        """
        now = await self._backend.receipt(receipt.id)
        if now is not None and now.state is S.CREATED:
            return self._ask_card(now, visit, refusal)
        return self._pages.page(
            "message.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            heading=TEXTS[visit.language]["new_order"],
            detail=refusal,
            return_to=_return_to(now or receipt, visit.back),
            **_frame(visit, None),
        )

    async def _checked(self, receipt: Receipt) -> Receipt:
        """Ask for the state, as a merchant's server would, while it is not the last one."""
        if receipt.state in _GOOD | _OVER:
            return receipt
        await self._calls.back("receipts.check", id=receipt.id)
        return await self._backend.receipt(receipt.id) or receipt

    def _ask_card(self, receipt: Receipt, visit: Visit, error: str = "") -> Response:
        return self._show("pay.html", receipt, visit, error=error, cards=TEST_CARDS.values())

    def _ask_code(
        self, receipt: Receipt, name: str, attempt: Attempt, visit: Visit, error: str = ""
    ) -> Response:
        return self._show(
            "code.html", receipt, visit, error=error, attempt=name, phone=attempt.phone
        )

    def _result(self, receipt: Receipt, attempt: Attempt, visit: Visit) -> Response:
        outcome = _outcome(receipt, attempt)
        return self._show(
            "result.html",
            receipt,
            visit,
            outcome=outcome,
            # The time is given for a success (CONFIRMED); from a failure the payer leaves alone.
            leave_s=-(-visit.timeout_ms // 1000) if outcome in {"paid", "held"} else None,
            poll_s=_POLL_S if outcome in {"waiting", "unknown"} else None,
        )

    def _show(
        self, template: str, receipt: Receipt, visit: Visit, error: str = "", **context: Any
    ) -> Response:
        return self._pages.page(
            template,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            error=error,
            receipt=receipt,
            account=_account_rows(
                receipt, self._backend.sandbox.config.account_fields, visit.language
            ),
            merchant=self._backend.sandbox.config.merchant_id,
            return_to=_return_to(receipt, visit.back),
            **_frame(visit, f"/checkout/{receipt.id}"),
            **context,
        )

    def _refusal(self, reply: Reply, visit: Visit) -> Response:
        return self._pages.page(
            "message.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            heading=_reason(reply, visit.language),
            detail="",
            return_to=_fill(visit.back, None, {}),
            **_frame(visit, None),
        )

    def _message(
        self, spoken: Language, name: str, *, visit: Visit | None = None, detail: str = ""
    ) -> Response:
        visit = visit or Visit(spoken, "", DEFAULT_TIMEOUT_MS)
        return self._pages.page(
            "message.html",
            status=HTTPStatus.NOT_FOUND,
            heading=TEXTS[spoken][name],
            detail=detail,
            return_to=_fill(visit.back, None, {}),
            **_frame(visit, None),
        )


def _frame(visit: Visit, path: str | None) -> dict[str, Any]:
    """Collect what every page of the checkout shows."""
    return {
        "t": TEXTS[visit.language],
        "_": translator(visit.language),
        "lang": visit.language,
        "path": path,
        "query": visit.query(),
        "languages": {name: visit.query(lang=name) for name in NAMES} if path else {},
        "names": NAMES,
    }


def _outcome(receipt: Receipt, attempt: Attempt) -> str:
    """Name what came of a payment: the key of its text."""
    if receipt.state in _OVER:
        return "cancelled"
    if receipt.state in _GOOD:
        return "held" if receipt.state is S.HELD else "paid"
    return "unknown" if attempt.lost and receipt.state is S.CREATED else "waiting"


def _reason(reply: Reply, spoken: Language) -> str:
    if reply.lost:
        return TEXTS[spoken]["no_answer"]
    if reply.code == _NO_MERCHANT:
        entry = lookup(_NO_MERCHANT)
        return getattr(entry.text, spoken) if entry else ""
    return reply.text(spoken)


def _account_rows(
    receipt: Receipt, titles: dict[str, str], spoken: Language
) -> list[tuple[str, Any]]:
    if not receipt.account:
        return [(TEXTS[spoken]["receipt_number"], receipt.number)]
    return [(titles.get(name, name), value) for name, value in receipt.account.items()]


def _return_to(receipt: Receipt, back: str) -> str:
    # The transaction in the merchant's billing bears the receipt's id (INFERRED), and begins when
    # the payer pays.
    begun = receipt.state is not S.CREATED
    return _fill(back, receipt.id if begun else None, receipt.account)


def _fill(back: str, transaction: str | None, account: dict[str, Any]) -> str:
    """Fill in `:transaction` and `:account.<field>`; unknown fields stay as they are."""

    def value(found: re.Match[str]) -> str:
        name: str | None = found[1]
        if name is None:
            return transaction or "null"
        return quote(str(account[name]), safe="") if name in account else found[0]

    return _PLACEHOLDER.sub(value, back)


def _address(given: str | None) -> str:
    return given if given and _ADDRESS.fullmatch(given) else ""


def _timeout(given: str | int | None) -> int:
    text = str(given)
    fits = text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= _MAX_TIMEOUT_MS
    return int(text) if fits else DEFAULT_TIMEOUT_MS


def _params(form: Form, spoken: Language) -> dict[str, Any]:
    """Turn the merchant's form into params of `receipts.create`.

    Raises:
        ValueError: If an input is not as it must be; the text names it.
    """
    amount = form.get("amount", "")
    if not (amount.isascii() and amount.isdigit() and len(amount) <= 16):
        raise ValueError("amount: tiyin as a whole number")
    account = {
        found[1]: value for name, value in form.items() if (found := _ACCOUNT_INPUT.fullmatch(name))
    }
    params: dict[str, Any] = {"amount": int(amount), "account": account}
    description = form.get(f"description[{spoken}]") or form.get("description")
    if description:
        params["description"] = description
    if form.get("detail"):
        params["detail"] = _detail(form["detail"])
    return params


def _detail(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=dict[str, Any])
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError):
        raise ValueError("detail: Base64 of a JSON object") from None
