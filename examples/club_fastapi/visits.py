"""A request, read once: who it comes from, in which language, and whether to believe it."""

import hmac
import secrets
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from examples.club import web
from examples.club.club import Club
from examples.club.members import Member
from examples.club.pages import Reader
from examples.club.settings import Settings
from examples.club.texts import choose, speak
from examples.club_fastapi.members import SqlMembers, csrf_of
from examples.guard import is_from_here

COOKIE = "club_session"


class Wired(NamedTuple):
    """What the application is made of, as `app.state.wired`."""

    club: Club
    members: SqlMembers
    settings: Settings


class Visit(NamedTuple):
    """A request, as far as the pages need it.

    Attributes:
        wired: What the application is made of.
        reader: Who looks.
        member: Who is logged in.
        token: What the browser keeps; before somebody joins it only guards the form.
        sent: Fields of a form.
        body: What was sent, as it came.
    """

    wired: Wired
    reader: Reader
    member: Member | None
    token: str
    sent: dict[str, str]
    body: bytes

    def page(self, text: str, *, has_form: bool = False) -> Response:
        """Answer with a page."""
        headers = web.headers(self.wired.settings, has_form=has_form)
        answer = HTMLResponse(text, headers=headers)
        language = self.reader.language
        answer.set_cookie(web.LANGUAGE_COOKIE, language, samesite="lax", httponly=True)
        return keep(answer, self.token)


def wired(request: Request) -> Wired:
    """Find what the application is made of."""
    found: Wired = request.app.state.wired
    return found


async def body_of(request: Request) -> bytes:
    """Read what was sent; nothing that belongs here is long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > web.LONGEST_BODY:
            raise HTTPException(413)
    return bytes(body)


def visit(
    request: Request,
    wired: Annotated[Wired, Depends(wired)],
    body: Annotated[bytes, Depends(body_of)],
) -> Visit:
    """Read a request, and refuse a form that another site has made somebody send."""
    kept = request.cookies.get(COOKIE, "")
    token = kept or secrets.token_urlsafe(32)
    sent = _fields(request, body)
    language = choose(
        request.query_params.get("lang"),
        request.cookies.get(web.LANGUAGE_COOKIE),
        request.headers.get("accept-language"),
    )
    csrf = csrf_of(token, wired.settings.secret)
    if request.method == "POST":
        given = request.headers.get("x-csrftoken") or sent.get("csrfmiddlewaretoken", "")
        ours = is_from_here(request.headers.get("origin"), request.headers.get("host"))
        if not ours or not hmac.compare_digest(given.encode(), csrf.encode()):
            raise HTTPException(403, speak(language)("expired"))
    clock = wired.club.clock
    reader = Reader(language, csrf, request.url.path, clock() if clock.can_move else None)
    return Visit(wired, reader, wired.members.who(kept), token, sent, body)


Visiting = Annotated[Visit, Depends(visit)]


def member_of(visit: Visiting) -> Member:
    """Find who is logged in; anybody else is sent to the first page."""
    if visit.member is None:
        # 303 sends a browser on with a GET, also after a form.
        raise HTTPException(303, headers={"Location": "/"})
    return visit.member


Someone = Annotated[Member, Depends(member_of)]


def operator_of(request: Request, wired: Annotated[Wired, Depends(wired)]) -> None:
    """Ask for the operator's password."""
    if not web.is_operator(wired.settings, request.headers.get("authorization")):
        raise HTTPException(401, headers=web.ASK_FOR_PASSWORD)


def keep(answer: Response, token: str) -> Response:
    """Have the browser keep its session."""
    # A real club is served over TLS, and adds secure=True.
    answer.set_cookie(COOKIE, token, samesite="lax", httponly=True)
    return answer


def _fields(request: Request, body: bytes) -> dict[str, str]:
    if request.headers.get("content-type", "").startswith("application/json"):
        return {}
    fields = parse_qs(body.decode("utf-8", "replace"))
    return {name: values[0] for name, values in fields.items()}
