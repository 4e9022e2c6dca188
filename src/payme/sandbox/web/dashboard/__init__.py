"""The dashboard: what is in the sandbox, what went through it, and what it can be told."""

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from payme.sandbox.web.backend import Backend
from payme.sandbox.web.dashboard.control_pages import ControlPages
from payme.sandbox.web.dashboard.frame import Frame
from payme.sandbox.web.dashboard.list_pages import ListPages
from payme.sandbox.web.dashboard.receipt_pages import ReceiptPages
from payme.sandbox.web.dashboard.traffic_pages import TrafficPages
from payme.sandbox.web.pages import HEADERS, Form, Pages, see_other

__all__ = ["Dashboard"]

_STATIC: Final = Path(__file__).parents[1] / "static"
_FILES: Final = {
    "sandbox.css": "text/css",
    "live.js": "text/javascript",
    "copy.js": "text/javascript",
    "checkout.js": "text/javascript",
}


class Dashboard:
    """Serves the dashboard.

    Args:
        backend: The sandbox.
        pages: Renders.
    """

    def __init__(self, backend: Backend, pages: Pages) -> None:
        self._pages = pages
        self._frame = Frame(backend, pages)
        self._parts = (
            ListPages(backend, self._frame),
            ReceiptPages(backend, self._frame),
            TrafficPages(backend, self._frame),
            ControlPages(backend, self._frame),
        )

    def routes(self) -> list[Route]:
        """List the routes."""
        route = self._pages.route
        looks = {path: look for part in self._parts for path, look in part.looks().items()}
        acts = {path: act for part in self._parts for path, act in part.acts().items()}
        return [
            # The checkout page needs it, too.
            route("/dashboard/static/{name}", self.static),
            *(route(path, handler, guarded=True) for path, handler in looks.items()),
            *(route(path, handler, post=True, guarded=True) for path, handler in acts.items()),
            route("/dashboard/{rest:path}", self.missing, guarded=True),
        ]

    async def static(self, request: Request, _form: Form) -> Response:
        """Serve a file that the pages need."""
        name: str = request.path_params["name"]
        if name not in _FILES:
            raise HTTPException(404)
        return FileResponse(_STATIC / name, 200, HEADERS, _FILES[name])

    async def missing(self, request: Request, _form: Form) -> Response:
        """Say that there is no such page, and lead who asks for the dashboard to it."""
        if not request.path_params["rest"]:
            return see_other("/")
        return self._frame.missing(request, "page")
