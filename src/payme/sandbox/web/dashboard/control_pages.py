"""What the sandbox can be told: faults, the clock, and whether web pages are answered."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from payme.sandbox.engine.faults import ACTIONS, WHENS
from payme.sandbox.engine.methods import METHODS
from payme.sandbox.errors import InvalidSetting
from payme.sandbox.web.dashboard.frame import Section
from payme.sandbox.web.i18n import preferred, translator
from payme.sandbox.web.pages import Form, Handler, whole

STEPS: Final = ("1m", "1h", "12h", "30d")
"""How far the buttons move the clock."""

LOSABLE: Final = (
    "receipts.pay",
    "receipts.create",
    "receipts.cancel",
    "receipts.confirm_hold",
    "receipts.check",
    "cards.create",
    "cards.get_verify_code",
    "cards.verify",
)
"""The methods whose lost answers are rehearsed most, the first of them before all others."""


class ControlPages(Section):
    """Changes what happens from now on."""

    def looks(self) -> dict[str, Handler]:
        """List what can be looked at, by path."""
        return {"/dashboard/faults": self.faults, "/dashboard/clock": self.clock}

    def acts(self) -> dict[str, Handler]:
        """List what can be done, by path."""
        return {
            "/dashboard/faults": self.add_fault,
            "/dashboard/faults/lose": self.lose,
            "/dashboard/faults/clear": self.clear_faults,
            "/dashboard/faults/cors": self.set_cors,
            "/dashboard/faults/{id}/remove": self.remove_fault,
            "/dashboard/clock": self.move_clock,
        }

    async def faults(self, request: Request, _form: Form) -> Response:
        """List the faults, and offer to set one."""
        return self._faults(request)

    async def clock(self, request: Request, _form: Form) -> Response:
        """Show the clock."""
        return self._clock(request)

    async def add_fault(self, request: Request, form: Form) -> Response:
        """Set a fault."""
        try:
            self._sandbox.faults.add_text(_rule(form))
        except InvalidSetting as error:
            return self._faults(request, error, form)
        return self._frame.go(request, "/dashboard/faults", "fault")

    async def lose(self, request: Request, form: Form) -> Response:
        """Lose the next answer of one method: the one fault that everybody should rehearse.

        Of one method and no glob: the call in between that nobody thought of, such as the check
        that a client makes first, would use it up.
        """
        method = form.get("method", "")
        if method not in METHODS:
            method = LOSABLE[0]
        self._sandbox.faults.add(method, when="after", action="drop", times=1)
        return self._frame.go(request, "/dashboard/faults", "armed")

    async def clear_faults(self, request: Request, _form: Form) -> Response:
        """Remove all faults."""
        self._sandbox.faults.clear()
        return self._frame.go(request, "/dashboard/faults", "cleared")

    async def remove_fault(self, request: Request, _form: Form) -> Response:
        """Remove one fault."""
        self._sandbox.faults.remove(whole(request.path_params["id"]))
        return self._frame.go(request, "/dashboard/faults", "removed")

    async def set_cors(self, request: Request, form: Form) -> Response:
        """Answer web pages of other origins, or refuse them as a host without CORS does."""
        self._sandbox.cors = form.get("allow") == "yes"
        return self._frame.go(request, "/dashboard/faults", "pages")

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
            return self._clock(request, error)
        return self._frame.go(request, "/dashboard/clock", done)

    def _faults(
        self, request: Request, wrong: InvalidSetting | None = None, given: Form | None = None
    ) -> Response:
        say = translator(preferred(request))
        return self._page(
            request,
            "faults.html",
            wrong,
            say("The fault was not set."),
            given=given or {},
            faults=self._sandbox.faults.list(),
            whens=WHENS,
            actions=ACTIONS,
            methods=("receipts.*", "cards.*", "*", *METHODS),
            losable=LOSABLE,
            others=[method for method in METHODS if method not in LOSABLE],
            cors=self._sandbox.cors,
        )

    def _clock(self, request: Request, wrong: InvalidSetting | None = None) -> Response:
        say = translator(preferred(request))
        told = say("The clock was not moved.")
        return self._page(request, "clock.html", wrong, told, steps=STEPS)

    def _page(
        self, request: Request, template: str, wrong: InvalidSetting | None, told: str, **shown: Any
    ) -> Response:
        """Show a page, and if its form was wrong, what was not done and why."""
        error, reason = (told, str(wrong)) if wrong else ("", "")
        return self._frame.page(request, template, error=error, reason=reason, **shown)


def _rule(form: Form) -> str:
    """Write the fault's form as the line that `faults.add_text` reads."""
    words = [form.get("method", ""), form.get("when", ""), form.get("action", "")]
    if form.get("times", "").strip():
        words.append(f"times={form['times'].strip()}")
    return " ".join([*words, form.get("more", "")])
