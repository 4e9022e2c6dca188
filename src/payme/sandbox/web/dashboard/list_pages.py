"""The overview, and the lists of cards, messages and ledgers."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.testcards import CODE, TEST_CARDS
from payme.sandbox.web.backend import Backend
from payme.sandbox.web.dashboard.control_pages import LOSABLE, STEPS
from payme.sandbox.web.dashboard.frame import Frame
from payme.sandbox.web.i18n import preferred
from payme.sandbox.web.pages import Form, Handler
from payme.sandbox.web.snippets import curl, python

WELCOME: Final = """This is a sandbox of Payme's Subscribe API (payme-uz). No money moves here.

Send your calls to POST /api.
"""

_PAGE: Final = 50
_RECENT: Final = 8


class ListPages:
    """Shows what is there.

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
        return {
            "/": self.overview,
            "/dashboard/cards": self.cards,
            "/dashboard/sms": self.sms,
            "/dashboard/ledgers": self.ledgers,
        }

    def acts(self) -> dict[str, Handler]:
        """List what can be done, by path."""
        return {}

    async def overview(self, request: Request, _form: Form) -> Response:
        """Show the newest of everything; and where there is nothing, how to begin."""
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(WELCOME)
        sandbox, language = self._sandbox, preferred(request)
        calls = await self._backend.read(sandbox.traffic.entries, _RECENT, language=language)
        address = f"{request.url.scheme}://{request.url.netloc}/api"
        return self._frame.page(
            request,
            "overview.html",
            receipts=await self._backend.read(sandbox.receipts, _RECENT),
            calls=calls,
            sms=await self._backend.read(sandbox.last_sms, 1),
            steps=STEPS,
            losable=LOSABLE,
            others=[method for method in METHODS if method not in LOSABLE],
            code=CODE,
            config=sandbox.config,
            address=address,
            python=python(address, sandbox.config),
            curl=curl(address, sandbox.config),
        )

    async def cards(self, request: Request, _form: Form) -> Response:
        """List cards."""
        found = await self._backend.read(self._sandbox.cards, _PAGE)
        return self._frame.page(
            request,
            "cards.html",
            cards=found,
            known={card.number: card for card in self._sandbox.known_cards.all()},
            usual=TEST_CARDS,
        )

    async def sms(self, request: Request, _form: Form) -> Response:
        """List the outbox, codes and all."""
        found = await self._backend.read(self._sandbox.last_sms, _PAGE)
        return self._frame.page(request, "sms.html", messages=found)

    async def ledgers(self, request: Request, _form: Form) -> Response:
        """Show Payme's ledger, the merchant's answers and where they differ."""
        entries = await self._backend.read(self._sandbox.last_entries, _PAGE)
        merchant = self._sandbox.merchant
        return self._frame.page(
            request,
            "ledgers.html",
            asked=merchant.asked,
            entries=entries,
            transactions=(await self._backend.read(merchant.ledger, _PAGE))[::-1],
            exchanges=await self._backend.read(merchant.last_exchanges, _PAGE),
            differences=(await self._backend.read(merchant.difference))[:_PAGE],
        )
