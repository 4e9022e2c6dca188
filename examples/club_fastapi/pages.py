"""The pages and what their buttons do.

The endpoints are plain functions, which FastAPI runs in threads: they wait for Payme and for the
database. `examples.shop_fastapi` shows the asyncio classes, which have the same methods.
"""

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse, Response

from examples.club import pages, web
from examples.club_fastapi.visits import Someone, Visiting, keep, operator_of

router = APIRouter()


@router.get("/")
def front(visit: Visiting) -> Response:
    """Show what is sold, and who may join."""
    return _to("/me") if visit.member else visit.page(pages.sign_up(visit.reader))


@router.post("/join")
def join(visit: Visiting) -> Response:
    """Take a new member."""
    name = visit.sent.get("name", "").strip()[:60]
    if not name or visit.sent.get("agree") != "yes":
        return _to("/")
    member = visit.member or visit.wired.club.join(name)
    return keep(_to("/card"), visit.wired.members.log_in(member))


@router.post("/rejoin")
def rejoin(visit: Visiting, member: Someone) -> Response:
    """Begin another subscription for who agrees again."""
    if visit.sent.get("agree") == "yes":
        visit.wired.club.rejoin(member)
    return _to("/me")


@router.get("/card")
def card(visit: Visiting, member: Someone) -> Response:
    """Show the card form."""
    account = visit.wired.club.account(member)
    if account.has_ended:
        return _to("/me")
    form = web.form(visit.wired.settings, visit.reader.language)
    return visit.page(pages.card(visit.reader, account, form), has_form=True)


@router.post("/cards")
def bind(visit: Visiting, member: Someone) -> Response:
    """Take the token that the form handed to the page."""
    reply = web.bind(visit.wired.club, member, visit.body, visit.reader.language)
    return JSONResponse(reply.body, reply.status)


@router.post("/cards/remove")
def remove_card(visit: Visiting, member: Someone) -> Response:
    """Remove a card that does not pay."""
    visit.wired.club.remove_card(member, visit.sent.get("card", ""))
    return _to("/me")


@router.get("/me")
def account(visit: Visiting, member: Someone) -> Response:
    """Show a member what the matter is."""
    return visit.page(pages.account(visit.reader, visit.wired.club.account(member)))


@router.post("/pay")
def pay(visit: Visiting, member: Someone) -> Response:
    """Pay what is due with the card that is saved."""
    visit.wired.club.pay(member)
    return _to("/me")


@router.post("/retry")
def retry(visit: Visiting, member: Someone) -> Response:
    """Try an unpaid month again."""
    visit.wired.club.retry(member)
    return _to("/me")


@router.post("/cancel")
def cancel(visit: Visiting, member: Someone) -> Response:
    """End the subscription with the month that is paid."""
    visit.wired.club.cancel(member)
    return _to("/me")


@router.post("/keep")
def keep_it(visit: Visiting, member: Someone) -> Response:
    """Take a cancellation back."""
    visit.wired.club.keep(member)
    return _to("/me")


@router.get("/operator", dependencies=[Depends(operator_of)])
def operator(visit: Visiting) -> Response:
    """Show what was taken, refused and is overdue."""
    return visit.page(pages.operator(visit.reader, visit.wired.club.books()))


@router.post("/clock")
def move(visit: Visiting) -> Response:
    """Let a day or a month pass in the sandbox."""
    club = visit.wired.club
    if not club.clock.can_move:
        raise HTTPException(404)
    club.move(1 if visit.sent.get("days") == "day" else club.days_of_month())
    return _to("/operator" if visit.sent.get("back") == "/operator" else "/me")


@router.get("/{name}")
def file(name: str) -> Response:
    """Serve a file of the pages."""
    if name not in web.FILES:
        raise HTTPException(404)
    content, kind = web.static(name)
    return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})


def _to(path: str) -> Response:
    """Send a browser on after a form, so that to load the page again sends nothing again."""
    return RedirectResponse(path, 303)
