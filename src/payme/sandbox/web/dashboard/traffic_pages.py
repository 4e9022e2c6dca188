"""The traffic: the last calls, one of them under an address of its own, and the export."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from payme.sandbox.traffic import CAPACITY
from payme.sandbox.web.dashboard.boxes import Choice
from payme.sandbox.web.dashboard.frame import Section
from payme.sandbox.web.export import pytest_file
from payme.sandbox.web.i18n import preferred
from payme.sandbox.web.pages import HEADERS, Form, Handler, whole

_PAGE: Final = 50
_LONGEST_SEARCH: Final = 200


class TrafficPages(Section):
    """Shows what went through the sandbox."""

    def looks(self) -> dict[str, Handler]:
        """List what can be looked at, by path."""
        return {
            "/dashboard/traffic": self.traffic,
            "/dashboard/traffic/export": self.export,
            "/dashboard/traffic/{number}": self.call,
        }

    def acts(self) -> dict[str, Handler]:
        """List what can be done, by path."""
        return {"/dashboard/traffic/clear": self.forget}

    async def traffic(self, request: Request, _form: Form) -> Response:
        """List the last calls: all, those with a text in them, or those that went wrong."""
        query = request.query_params
        only = "refused" if query.get("show") == "refused" else ""
        text = query.get("q", "").strip()[:_LONGEST_SEARCH]
        calls = await self._backend.calls(
            _PAGE,
            cash_box=_chosen_id(self._frame.choice(request)),
            refused=bool(only),
            search=text,
            language=preferred(request),
        )
        return self._frame.page(
            request,
            "traffic.html",
            calls=calls,
            only=only,
            text=text,
            most=_PAGE,
            capacity=CAPACITY,
        )

    async def call(self, request: Request, _form: Form) -> Response:
        """Show one call."""
        number = whole(request.path_params["number"])
        call = await self._backend.call(number, preferred(request))
        if call is None:
            return self._frame.missing(request, "call")
        return self._frame.page(request, "call.html", call=call)

    async def export(self, request: Request, _form: Form) -> Response:
        """Write the traffic as a test."""
        choice, recorded = self._frame.choice(request), self._sandbox.traffic.recorded()
        if choice.chosen:
            recorded = [one for one in recorded if one.cash_box == choice.chosen.merchant_id]
        sandbox = self._sandbox
        text = await self._backend.read(
            pytest_file,
            recorded,
            choice.one.config,
            sandbox.known_cards,
            sandbox.traffic.secrets,
        )
        disposition = {"Content-Disposition": 'attachment; filename="test_recorded_payme.py"'}
        return Response(text, 200, HEADERS | disposition, "text/x-python")

    async def forget(self, request: Request, _form: Form) -> Response:
        """Forget the traffic that is shown: of one cash-box, or all."""
        self._sandbox.traffic.clear(cash_box=_chosen_id(self._frame.choice(request)))
        return self._frame.go(request, "/dashboard/traffic", "forgotten")


def _chosen_id(choice: Choice) -> str:
    return choice.chosen.merchant_id if choice.chosen else ""
