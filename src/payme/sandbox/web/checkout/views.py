"""What the payer sees at each step."""

from http import HTTPStatus
from typing import Any, Final, NamedTuple

from starlette.responses import Response

from payme.errors.catalogue import Language, lookup
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.engine.shapes import Title, title_in
from payme.sandbox.engine.testcards import CODE, EXPIRE
from payme.sandbox.web.api_calls import Reply, merchants_words
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.checkout.attempts import Attempt
from payme.sandbox.web.checkout.visit import Visit, return_to
from payme.sandbox.web.i18n import NAMES, TEXTS, translator
from payme.sandbox.web.offers import Offer
from payme.sandbox.web.pages import Pages

NO_MERCHANT: Final = -31601
USUAL_EXPIRE: Final = f"{EXPIRE[:2]}/{EXPIRE[2:]}"
_POLL_S: Final = 2

S = ReceiptState
GOOD: Final = frozenset({S.PAID, S.HELD})
OVER: Final = frozenset({S.CANCEL_QUEUED, S.CANCELLED})


class Typed(NamedTuple):
    """What stands in the card's inputs when the page comes.

    Only of the test cards, whose numbers are public, and of the tester's own cards with a masked
    number: no other number ever comes back from here.
    """

    number: str = ""
    expire: str = ""
    reference: str = ""
    """Of the tester's own card, which the masked number stands for."""

    @classmethod
    def of(cls, offer: Offer | None) -> "Typed":
        """Take a card that is offered; any other number is left out."""
        if offer is None:
            return cls()
        return cls(offer.shown, offer.expire, offer.reference if offer.own else "")


class Views:
    """Makes the pages of the checkout.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._backend = backend
        self._pages = pages

    def card(
        self, receipt: Receipt, visit: Visit, error: str = "", typed: Typed | None = None
    ) -> Response:
        """Ask for a card."""
        return self._receipt(
            "pay.html",
            receipt,
            visit,
            error=error,
            typed=typed or Typed(),
            cards=self._backend.offers.all(),
            usual_expire=USUAL_EXPIRE,
        )

    def code(
        self,
        receipt: Receipt,
        name: str,
        attempt: Attempt,
        visit: Visit,
        error: str = "",
        *,
        again: bool = False,
    ) -> Response:
        """Ask for the code.

        Args:
            receipt: What is paid.
            name: Name of the attempt.
            attempt: The attempt.
            visit: Where the payer comes from.
            error: What was wrong with the last code; empty for nothing.
            again: Whether a new code has just been sent.
        """
        return self._receipt(
            "code.html",
            receipt,
            visit,
            error=error,
            attempt=name,
            phone=attempt.phone,
            again=again,
            test_code=CODE,
        )

    def result(self, receipt: Receipt, attempt: Attempt, visit: Visit) -> Response:
        """Say what came of a payment."""
        outcome = _outcome(receipt, attempt)
        return self._receipt(
            "result.html",
            receipt,
            visit,
            outcome=outcome,
            reason=_failure(receipt, visit.language) if outcome == "failed" else "",
            # The time is given for a success (CONFIRMED); from a failure the payer leaves alone.
            leave_s=-(-visit.timeout_ms // 1000) if outcome in {"paid", "held"} else None,
            poll_s=_POLL_S if outcome in {"waiting", "unknown"} else None,
        )

    def gone(self, visit: Visit, receipt: Receipt | None = None) -> Response:
        """Say that there is nothing to pay, and of a payment that failed, what to do."""
        t = TEXTS[visit.language]
        if receipt is not None and _failed(receipt):
            why = f"{_failure(receipt, visit.language)} {t['new_order_note']}"
            return self._message(
                t["failed"], visit, HTTPStatus.NOT_FOUND, detail=why, receipt=receipt
            )
        return self._message(t["gone"], visit, HTTPStatus.NOT_FOUND, receipt=receipt)

    def bad_link(self, visit: Visit, detail: str) -> Response:
        """Say that a link or a form makes no sense."""
        heading = TEXTS[visit.language]["bad_link"]
        return self._message(heading, visit, HTTPStatus.NOT_FOUND, detail=detail)

    def refused(self, reply: Reply, visit: Visit) -> Response:
        """Say why no receipt was made."""
        heading = reason(reply, visit.language)
        return self._message(heading, visit, HTTPStatus.UNPROCESSABLE_ENTITY)

    def _receipt(
        self, template: str, receipt: Receipt, visit: Visit, error: str = "", **context: Any
    ) -> Response:
        config = self._backend.home(receipt.id).config
        return self._pages.page(
            template,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
            error=error,
            receipt=receipt,
            account=_account_rows(receipt, config.account_fields, visit.language),
            merchant=config.merchant_name,
            return_to=return_to(visit.back, receipt),
            **_frame(visit, f"/checkout/{receipt.id}"),
            **context,
        )

    def _message(
        self,
        heading: str,
        visit: Visit,
        status: HTTPStatus,
        *,
        detail: str = "",
        receipt: Receipt | None = None,
    ) -> Response:
        return self._pages.page(
            "message.html",
            status=status,
            heading=heading,
            detail=detail,
            return_to=return_to(visit.back, receipt),
            **_frame(visit, None),
        )


def reason(reply: Reply, language: Language) -> str:
    """Say in the payer's words why a call was refused, or that no answer came."""
    if reply.lost:
        return TEXTS[language]["no_answer"]
    if reply.code == NO_MERCHANT:
        entry = lookup(NO_MERCHANT)
        return getattr(entry.text, language) if entry else ""
    return reply.text(language)


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
    if receipt.state in OVER:
        return "failed" if _failed(receipt) else "cancelled"
    if receipt.state in GOOD:
        return "held" if receipt.state is S.HELD else "paid"
    return "unknown" if attempt.lost and receipt.state is S.CREATED else "waiting"


def _failed(receipt: Receipt) -> bool:
    """Return whether a payment failed on its way, as with a merchant that refused."""
    return receipt.state in OVER and bool(receipt.error) and not receipt.pay_time


def _failure(receipt: Receipt, language: Language) -> str:
    """Say why a payment failed on its way."""
    error = receipt.error or {}
    message = error.get("message")
    said = message if isinstance(message, str) else ""
    code = error.get("code")
    entry = lookup(code, "receipts.pay", said) if isinstance(code, int) else None
    text = getattr(entry.text, language) if entry else said
    return f"{text} {merchants_words(error.get('data'), language)}".strip()


def _account_rows(
    receipt: Receipt, titles: dict[str, Title], language: Language
) -> list[tuple[str, Any]]:
    if not receipt.account:
        return [(TEXTS[language]["receipt_number"], receipt.number)]
    return [
        (title_in(titles[name], language) if name in titles else name, value)
        for name, value in receipt.account.items()
    ]
