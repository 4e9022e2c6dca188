"""What every page of the dashboard has: its language, its clock, and what the last button did."""

from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from payme.errors.catalogue import Language
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.web.api_calls import Reply
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.dashboard.boxes import Choice
from payme.sandbox.web.i18n import COOKIE, NAMES, chosen, preferred, translator
from payme.sandbox.web.pages import Handler, Pages, see_other

_YEAR_S: Final = 365 * 24 * 60 * 60


class Notice(NamedTuple):
    """What is said above a page about the button that led to it.

    Attributes:
        kind: `good` for what was done, `held` for a hold, which is no payment, `wait` for what is
            not known, `bad` for what was refused.
        text: A text of ours, in English.
    """

    kind: Literal["good", "held", "wait", "bad"]
    text: str


# A word of ours for each, so that nobody's link can put words on a page.
NOTICES: Final = {
    "created": Notice("good", "The receipt was created."),
    "paid": Notice("good", "The receipt was paid."),
    "held": Notice("held", "The amount is held on the card."),
    "going": Notice(
        "wait", "The payment is on its way: receipts.check or the clock moves its state on."
    ),
    "lost": Notice("wait", "The answer was lost; whether the card was debited, the receipt says."),
    "unsure": Notice(
        "wait", "A system error came; whether the card was debited, the receipt says."
    ),
    "cancelled": Notice("good", "The receipt was cancelled, or is in the queue for it."),
    "confirmed": Notice("good", "The hold was confirmed."),
    "armed": Notice("wait", "The next call of that method is served, and its answer is lost."),
    "fault": Notice("good", "The fault was set."),
    "removed": Notice("good", "The fault was removed."),
    "pages": Notice("good", "The setting for web pages was changed."),
    "cleared": Notice("good", "All faults were removed."),
    "moved": Notice("good", "The clock was moved."),
    "frozen": Notice("good", "The clock stands."),
    "resumed": Notice("good", "The clock runs."),
    "forgotten": Notice("good", "The traffic was forgotten."),
}

MISSING: Final = {
    "page": "There is no such page.",
    "receipt": "There is no receipt with this id here.",
    "call": "This call is not remembered: only the last 500 are, and not after a restart.",
    "card": "There is no such test card.",
}


class Frame:
    """Makes the pages of the dashboard.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._sandbox = backend.sandbox
        self._pages = pages

    def choice(self, request: Request) -> Choice:
        """Read which cash-boxes a page was asked for."""
        return Choice.of(self._sandbox.cash_boxes, request)

    def go(self, request: Request, path: str, done: str) -> Response:
        """Send the browser to another page after a button, to the same cash-boxes.

        Args:
            request: The button's.
            path: The page.
            done: What the button did: a key of `NOTICES`.
        """
        return see_other(self.choice(request).to(path, done=done))

    def page(
        self,
        request: Request,
        template: str,
        *,
        error: str = "",
        remedy: str = "",
        reason: str = "",
        status: HTTPStatus | None = None,
        one_box: bool = False,
        **context: Any,
    ) -> Response:
        """Render a page.

        Args:
            request: Asks for it.
            template: Name of the file.
            error: What was wrong with the last form; empty for nothing.
            remedy: What to do about it.
            reason: What exactly was wrong, as the control API says it: in English.
            status: HTTP status; by default it follows from `error`.
            one_box: Whether the page is about one cash-box, and can't show all.
            context: What the page shows besides.
        """
        choice = self.choice(request)
        clock = self._sandbox.clock
        language = preferred(request)
        usual = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
        page = self._pages.page(
            template,
            status=status or usual,
            error=error,
            remedy=remedy,
            reason=reason,
            notice=NOTICES.get(request.query_params.get("done", "")) if not error else None,
            language=language,
            languages=NAMES,
            switch=_switch(request),
            to=choice.to,
            names=choice.names,
            box_id=choice.chosen.merchant_id if choice.chosen else "",
            box_links=choice.links(request, one=one_box),
            _=translator(language),
            here=request.url.path,
            now=clock.now(),
            frozen=clock.frozen,
            armed=sum(fault.left != 0 for fault in self._sandbox.faults.list()),
            **context,
        )
        if chosen(request):
            page.set_cookie(COOKIE, language, max_age=_YEAR_S, httponly=True, samesite="lax")
        return page

    def missing(self, request: Request, what: str) -> Response:
        """Say what was not found: a page for a person, JSON for a program.

        Args:
            request: Asks for it.
            what: A key of `MISSING`.
        """
        if "text/html" not in request.headers.get("accept", ""):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return self.page(request, "missing.html", status=HTTPStatus.NOT_FOUND, text=MISSING[what])


def refusal(reply: Reply, language: Language) -> tuple[str, str]:
    """Say what was refused and why, and what to do about it.

    Args:
        reply: The refusal.
        language: The developer's language.
    """
    say = translator(language)
    what = say("The payment was refused.") if reply.pays else say("The call was refused.")
    reason = f"{reply.text(language)} ({reply.method}, {reply.code})"
    return f"{what} {reason}", reply.remedy(language)


def outcome_of(receipt: Receipt | None) -> str:
    """Name what came of a payment that was not refused: a key of `NOTICES`."""
    if receipt is not None and receipt.state is ReceiptState.HELD:
        return "held"
    return "paid" if receipt is not None and receipt.pay_time else "going"


def _switch(request: Request) -> dict[str, dict[str, str]]:
    """Write the query of the same page in each language."""
    kept = {name: value for name, value in request.query_params.items() if name != "done"}
    return {code: {**kept, "lang": code} for code in NAMES}


class Section:
    """A part of the dashboard: pages on one subject.

    Args:
        backend: The sandbox.
        frame: Makes the pages.
    """

    def __init__(self, backend: Backend, frame: Frame) -> None:
        self._backend = backend
        self._sandbox = backend.sandbox
        self._frame = frame

    def looks(self) -> dict[str, Handler]:
        """List what can be looked at, by path."""
        return {}

    def acts(self) -> dict[str, Handler]:
        """List what can be done, by path."""
        return {}
