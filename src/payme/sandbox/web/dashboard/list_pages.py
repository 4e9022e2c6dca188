"""The overview, and the lists of cards, messages and ledgers."""

from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from payme.sandbox.engine.methods import METHODS
from payme.sandbox.engine.testcards import CODE, TEST_CARDS
from payme.sandbox.web.dashboard.boxes import names_of
from payme.sandbox.web.dashboard.control_pages import LOSABLE, STEPS
from payme.sandbox.web.dashboard.frame import Section
from payme.sandbox.web.i18n import preferred
from payme.sandbox.web.pages import HEADERS, Form, Handler
from payme.sandbox.web.snippets import curl, python

WELCOME: Final = """This is a sandbox of Payme's Subscribe API (payme-uz). No money moves here.

Send your calls to POST /api.
"""

_PAGE: Final = 50
_RECENT: Final = 8


class ListPages(Section):
    """Shows what is there."""

    def looks(self) -> dict[str, Handler]:
        """List what can be looked at, by path."""
        return {
            "/": self.overview,
            "/dashboard/cards": self.cards,
            "/dashboard/sms": self.sms,
            "/dashboard/ledgers": self.ledgers,
        }

    async def overview(self, request: Request, _form: Form) -> Response:
        """Show the newest of everything; and where there is nothing, how to begin."""
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(WELCOME, 200, HEADERS)
        choice, language = self._frame.choice(request), preferred(request)
        chosen = choice.chosen.merchant_id if choice.chosen else ""
        calls = await self._backend.calls(_RECENT, cash_box=chosen, language=language)
        config, read = choice.one.config, self._backend.read
        # As the browser sees it: a port may be mapped on the way. Starlette repeats no Host header
        # that is no address, and the snippets quote what they are given.
        address = f"{request.url.scheme}://{request.url.netloc}/api"
        return self._frame.page(
            request,
            "overview.html",
            receipts=await read(
                choice.newest,
                lambda box: box.receipts(_RECENT),
                lambda one: one.create_time,
                _RECENT,
            ),
            calls=calls,
            sms=await read(choice.newest, lambda box: box.last_sms(1), lambda one: one.time, 1),
            steps=STEPS,
            losable=LOSABLE,
            others=[method for method in METHODS if method not in LOSABLE],
            code=CODE,
            config=config,
            box_name=names_of(choice.boxes)[choice.one.merchant_id],
            address=address,
            python=python(address, config),
            curl=curl(address, config),
        )

    async def cards(self, request: Request, _form: Form) -> Response:
        """List cards."""
        rows = self._frame.choice(request).rows
        found = await self._backend.read(rows, lambda box: box.cards(_PAGE))
        return self._frame.page(
            request,
            "cards.html",
            cards=found,
            known={card.number: card for card in self._sandbox.known_cards.all()},
            usual=TEST_CARDS,
        )

    async def sms(self, request: Request, _form: Form) -> Response:
        """List the outbox, codes and all."""
        newest = self._frame.choice(request).newest
        found = await self._backend.read(
            newest, lambda box: box.last_sms(_PAGE), lambda one: one.time, _PAGE
        )
        return self._frame.page(request, "sms.html", messages=found)

    async def ledgers(self, request: Request, _form: Form) -> Response:
        """Show Payme's ledger, the merchant's answers and where they differ."""
        choice, read = self._frame.choice(request), self._backend.read
        return self._frame.page(
            request,
            "ledgers.html",
            asked=any(box.merchant.asked for box in choice.shown),
            entries=await read(
                choice.newest, lambda box: box.last_entries(_PAGE), lambda one: one.time, _PAGE
            ),
            transactions=await read(choice.rows, lambda box: box.merchant.ledger(_PAGE)[::-1]),
            exchanges=await read(
                choice.newest,
                lambda box: box.merchant.last_exchanges(_PAGE),
                lambda one: one.time,
                _PAGE,
            ),
            differences=(await read(choice.rows, lambda box: box.merchant.difference()))[:_PAGE],
        )
