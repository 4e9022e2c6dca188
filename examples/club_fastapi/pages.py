"""The pages and what their buttons do."""

import hmac
import secrets
from typing import Annotated, NamedTuple
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from examples.club import pages as html
from examples.club import web
from examples.club.club import Club
from examples.club.members import Member
from examples.club.pages import Reader
from examples.club.settings import Settings
from examples.club.texts import choose, speak
from examples.club_fastapi.members import SqlMembers, csrf_of
from examples.saved_cards import is_from_here

COOKIE = "club_session"


class Visit(NamedTuple):
    """A request, as far as the pages need it.

    Attributes:
        reader: Who looks.
        member: Who is logged in.
        token: What the browser keeps; before somebody joins it only guards the form.
        sent: Fields of a form.
        body: What was sent, as it came.
    """

    reader: Reader
    member: Member | None
    token: str
    sent: dict[str, str]
    body: bytes



def pages(club: Club, members: SqlMembers, settings: Settings) -> APIRouter:
    """Make the pages.

    Args:
        club: The club.
        members: Who they are.
        settings: Of the club.
    """
    router = APIRouter()

    async def visit(request: Request) -> Visit:
        """Read a request, and refuse a form that another site has made somebody send."""
        body = await _body(request)
        kept = request.cookies.get(COOKIE, "")
        token = kept or secrets.token_urlsafe(32)
        csrf = csrf_of(token, settings.secret)
        is_json = request.headers.get("content-type", "").startswith("application/json")
        fields = {} if is_json else parse_qs(body.decode("utf-8", "replace"))
        sent = {name: values[0] for name, values in fields.items()}
        language = choose(
            request.query_params.get("lang"),
            request.cookies.get(web.LANGUAGE_COOKIE),
            request.headers.get("accept-language"),
        )
        if request.method == "POST":
            given = request.headers.get("x-csrftoken") or sent.get("csrfmiddlewaretoken", "")
            ours = is_from_here(request.headers.get("origin"), request.headers.get("host"))
            if not ours or not hmac.compare_digest(given.encode(), csrf.encode()):
                raise HTTPException(403, speak(language)("expired"))
        now = club.clock() if club.clock.can_move else None
        reader = Reader(language, csrf, request.url.path, now)
        return Visit(reader, members.who(kept), token, sent, body)

    def member_of(visit: Annotated[Visit, Depends(visit)]) -> Member:
        if visit.member is None:
            # 303 sends a browser on with a GET, also after a form.
            raise HTTPException(303, headers={"Location": "/"})
        return visit.member

    def operator_of(request: Request) -> None:
        if not web.is_operator(settings, request.headers.get("authorization")):
            raise HTTPException(401, headers=web.ASK_FOR_PASSWORD)

    Visiting = Annotated[Visit, Depends(visit)]  # noqa: N806
    Someone = Annotated[Member, Depends(member_of)]  # noqa: N806

    def page(visit: Visit, text: str, *, has_form: bool = False) -> Response:
        answer = HTMLResponse(text, headers=web.headers(settings, has_form=has_form))
        answer.set_cookie(web.LANGUAGE_COOKIE, visit.reader.language, samesite="lax", httponly=True)
        return _keep(answer, visit.token)

    @router.get("/")
    def front(visit: Visiting) -> Response:
        return _to("/me") if visit.member else page(visit, html.sign_up(visit.reader))

    @router.post("/join")
    def join(visit: Visiting) -> Response:
        name = visit.sent.get("name", "").strip()[:60]
        if not name or visit.sent.get("agree") != "yes":
            return _to("/")
        return _keep(_to("/card"), members.log_in(visit.member or club.join(name)))

    @router.post("/rejoin")
    def rejoin(visit: Visiting, member: Someone) -> Response:
        if visit.sent.get("agree") == "yes":
            club.rejoin(member)
        return _to("/card")

    @router.get("/card")
    def card(visit: Visiting, member: Someone) -> Response:
        form = web.form(settings, visit.reader.language)
        text = html.card(visit.reader, club.account(member), form)
        return page(visit, text, has_form=True)

    @router.post("/cards")
    def bind(visit: Visiting, member: Someone) -> Response:
        reply = web.bind(club, member, visit.body, visit.reader.language)
        return JSONResponse(reply.body, reply.status)

    @router.post("/cards/remove")
    def remove_card(visit: Visiting, member: Someone) -> Response:
        club.remove_card(member, visit.sent.get("card", ""))
        return _to("/me")

    @router.get("/me")
    def account(visit: Visiting, member: Someone) -> Response:
        return page(visit, html.account(visit.reader, club.account(member)))

    @router.post("/retry")
    def retry(_: Visiting, member: Someone) -> Response:
        club.retry(member)
        return _to("/me")

    @router.post("/cancel")
    def cancel(_: Visiting, member: Someone) -> Response:
        club.cancel(member)
        return _to("/me")

    @router.post("/keep")
    def keep(_: Visiting, member: Someone) -> Response:
        club.keep(member)
        return _to("/me")

    @router.get("/operator", dependencies=[Depends(operator_of)])
    def operator(visit: Visiting) -> Response:
        return page(visit, html.operator(visit.reader, club.books()))

    @router.post("/clock")
    def move(visit: Visiting) -> Response:
        if not club.clock.can_move:
            raise HTTPException(404)
        club.move(1 if visit.sent.get("days") == "day" else club.days_of_month())
        return _to("/operator" if visit.sent.get("back") == "/operator" else "/me")

    @router.get("/{name}")
    def file(name: str) -> Response:
        if name not in web.FILES:
            raise HTTPException(404)
        content, kind = web.static(name)
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return router


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > web.LONGEST_BODY:
            raise HTTPException(413)
    return bytes(body)


def _to(path: str) -> Response:
    """Send a browser on after a form, so that to load the page again sends nothing again."""
    return RedirectResponse(path, 303)


def _keep(answer: Response, token: str) -> Response:
    # A real club is served over TLS, and adds secure=True.
    answer.set_cookie(COOKIE, token, samesite="lax", httponly=True)
    return answer
