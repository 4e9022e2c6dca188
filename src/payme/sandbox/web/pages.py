"""How a page is made: templates, headers that let nothing in from outside, forms."""

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Collection
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from payme import redact
from payme.money import format_som
from payme.protocol.states import ReceiptState
from payme.sandbox import access
from payme.sandbox.web.i18n import Say
from payme.sandbox.web.i18n.remarks import in_words
from payme.sandbox.web.security import FIELD, Guard, allowed_host

if TYPE_CHECKING:
    from jinja2.runtime import Context

MAX_FORM: Final = 256 * 1024
"""Longest form that is read, in bytes."""

_MAX_FIELDS: Final = 500
_OWN: Final = ("/_sandbox", "/api", "/checkout", "/dashboard")
_BODY_TIMEOUT_S: Final = 30.0

# Everything comes from this server, and nothing may frame its pages: a click on "pay" must be the
# user's own.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_SCRIPT: Final = "x-sandbox-script"
_NEXT: Final = "X-Sandbox-Next"

_LOCKED: Final = "This sandbox asks for the password that it printed at its start.\n"

# Tashkent keeps one time all year round.
_TASHKENT: Final = dt.timezone(dt.timedelta(hours=5))

Form = dict[str, str]
Handler = Callable[[Request, Form], Awaitable[Response]]


class RestRoute(Route):
    """Takes what no other route is meant for: a link is any path, but not everything is a link."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave other verbs, and the paths of the sandbox's own pages, to be not found."""
        own: str = scope["path"]
        if scope["method"] not in {"GET", "HEAD"} or own.startswith(_OWN):
            return Match.NONE, {}
        return super().matches(scope)


class Pages:
    """Renders templates.

    Args:
        bound: Host that the server was told to listen on.
        password: What guarded pages ask for; None for nothing.
        secrets: Strings that no page shows, whatever they look like, but where they are to be
            copied. The collection may grow.
    """

    def __init__(
        self, bound: str = "", password: str | None = None, secrets: Collection[str] = ()
    ) -> None:
        self._bound = bound
        self._password = password
        self._secrets = secrets
        self._guard = Guard()

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Render a template.

        Args:
            template: Name of the file.
            status: HTTP status.
            context: What the template shows.
        """
        text = self._templates.get_template(template).render(
            csrf_field=FIELD, csrf_token=self._guard.token, **context
        )
        return HTMLResponse(text, status, HEADERS)

    def route(
        self,
        path: str,
        handler: Handler,
        *,
        post: bool = False,
        open_to_all: bool = False,
        guarded: bool = False,
        kind: type[Route] = Route,
    ) -> Route:
        """Make a route whose requests are checked first.

        Args:
            path: Path.
            handler: Called with the request and the form; the form is empty for GET.
            post: Serve POST in place of GET.
            open_to_all: Take forms without our token: the merchant's own page posts them.
            guarded: Ask for the password: the page shows what is not the payer's.
            kind: Class of the route.
        """

        async def endpoint(request: Request) -> Response:
            if not allowed_host(request.scope, self._bound):
                return refused("This sandbox answers under the names of this computer only.")
            if guarded and not access.knows(self._password, request.scope["headers"]):
                return PlainTextResponse(_LOCKED, 401, HEADERS | access.CHALLENGE)
            form = await read_form(request) if post else {}
            if (
                post
                and not open_to_all
                and not self._guard.accepts(request.scope, form.get(FIELD, ""))
            ):
                return refused("The form is not from this sandbox, or from before its last start.")
            answer = await handler(request, form)
            return _without_redirect(answer) if _SCRIPT in request.headers else answer

        return kind(path, endpoint, methods=["POST"] if post else ["GET"])

    @cached_property
    def _templates(self) -> Any:
        # Loaded with the first page: a sandbox that only serves calls needs no templates.
        from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context

        environment = Environment(
            loader=PackageLoader("payme.sandbox.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters: dict[str, Any] = {
            "som": format_som,
            "time": format_time,
            "took": format_took,
            "state": pass_context(_state),
            "phone": redact.phone,
            "card": redact.card_number,
            "account": self._account_value,
            "scrub": self._scrub,
            "in_words": in_words,
            "pretty": pretty,
        }
        environment.filters.update(filters)
        return environment

    def _scrub(self, text: str) -> str:
        return redact.scrub(text, self._secrets)

    def _account_value(self, value: object) -> object:
        return redact.account_value(self._scrub(value) if isinstance(value, str) else value)


def _without_redirect(answer: Response) -> Response:
    """Tell our script where to go in place of sending it there.

    `fetch` follows a redirect unasked, and the page behind it would then be asked for twice: that
    may be a call to Payme's, which is counted.
    """
    if answer.status_code != HTTPStatus.SEE_OTHER:
        return answer
    return Response(
        status_code=HTTPStatus.NO_CONTENT, headers=HEADERS | {_NEXT: answer.headers["location"]}
    )


def refused(text: str) -> Response:
    """Refuse a request that is none of a user's."""
    return PlainTextResponse(f"{text}\n", 403, HEADERS)


def see_other(path: str, query: dict[str, str] | None = None) -> Response:
    """Send the browser to another page of ours, as a GET."""
    address = f"{path}?{urlencode(query)}" if query else path
    return RedirectResponse(address, 303, HEADERS)


async def read_form(request: Request) -> Form:
    """Read an urlencoded form; of a field that is there twice, the last one counts.

    Raises:
        HTTPException: If it is too long, or does not come.
    """
    body = b""
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_FORM:
                    raise HTTPException(413)
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except TimeoutError:
        raise HTTPException(408) from None
    except ValueError:
        raise HTTPException(400) from None


def whole(text: str) -> int:
    """Read a whole number of an address; what is none is 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def format_took(ms: float) -> str:
    """Write how long a call took: to the tenth of a ms below ten, else in ms or seconds."""
    if ms < 0.05:
        return "< 0.1 ms"
    if ms < 10:
        return f"{ms:.1f} ms"
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"


def format_time(ms: int) -> str:
    """Write a moment as it is in Tashkent; what is none, such as microseconds, as it came."""
    try:
        moment = dt.datetime.fromtimestamp(ms / 1000, _TASHKENT)
    except (ValueError, OverflowError, OSError):
        return str(ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def pretty(value: object) -> str:
    """Write a JSON value over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def state_name(state: int, say: Say) -> str:
    """Write a state as number and name: `4 paid`."""
    return f"{int(state)} {say(ReceiptState(state).name.lower().replace('_', ' '))}"


def _state(context: "Context", state: int) -> str:
    return state_name(state, context["_"])
