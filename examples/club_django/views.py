"""The pages and what their buttons do."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.http import require_POST, require_safe

from examples.club import pages as html
from examples.club import web
from examples.club.members import Member
from examples.club.pages import Reader
from examples.club.texts import choose, speak
from examples.club_django.clubs import club
from payme import card_form
from payme.errors.catalogue import Language

View = Callable[..., HttpResponse]


class SeeOther(HttpResponseRedirect):
    """Sends a browser on after a form, so that to load the page again sends nothing again."""

    status_code = 303


def for_members(view: Callable[..., HttpResponse]) -> View:
    """Hand the member over who is logged in; anybody else is sent to the first page."""

    @wraps(view)
    def handle(request: HttpRequest, **given: Any) -> HttpResponse:
        member = _member(request)
        return SeeOther("/") if member is None else view(request, member, **given)

    return handle


def for_operator(view: Callable[..., HttpResponse]) -> View:
    """Ask for the operator's password."""

    @wraps(view)
    def handle(request: HttpRequest) -> HttpResponse:
        if web.is_operator(settings.CLUB, request.headers.get("Authorization")):
            return view(request)
        return HttpResponse(status=401, headers=web.ASK_FOR_PASSWORD)

    return handle


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """Show what is sold, and who may join."""
    if _member(request) is not None:
        return SeeOther("/me")
    return _page(request, html.sign_up(_reader(request)))


@require_POST
def join(request: HttpRequest) -> HttpResponse:
    """Take a new member."""
    name = request.POST.get("name", "").strip()[:60]
    if not name or request.POST.get("agree") != "yes":
        return SeeOther("/")
    member = _member(request) or club().join(name)
    request.session.cycle_key()
    request.session["member"] = member.id
    return SeeOther("/card")


@require_POST
@for_members
def rejoin(request: HttpRequest, member: Member) -> HttpResponse:
    """Begin another subscription for who agrees again."""
    if request.POST.get("agree") == "yes":
        club().rejoin(member)
    return SeeOther("/me")


@require_safe
@for_members
def card(request: HttpRequest, member: Member) -> HttpResponse:
    """Show the card form."""
    account = club().account(member)
    if account.has_ended:
        return SeeOther("/me")
    form = web.form(settings.CLUB, _language(request))
    return _page(request, html.card(_reader(request), account, form), has_form=True)


@require_POST
@for_members
def bind(request: HttpRequest, member: Member) -> HttpResponse:
    """Take the token that the form handed to the page."""
    reply = web.bind(club(), member, request.body, _language(request))
    return JsonResponse(reply.body, status=reply.status)


@require_POST
@for_members
def remove_card(request: HttpRequest, member: Member) -> HttpResponse:
    """Remove a card that does not pay."""
    club().remove_card(member, request.POST.get("card", ""))
    return SeeOther("/me")


@require_safe
@for_members
def account(request: HttpRequest, member: Member) -> HttpResponse:
    """Show a member what the matter is."""
    return _page(request, html.account(_reader(request), club().account(member)))


@require_POST
@for_members
def pay(_: HttpRequest, member: Member) -> HttpResponse:
    """Pay what is due with the card that is saved."""
    club().pay(member)
    return SeeOther("/me")


@require_POST
@for_members
def retry(_: HttpRequest, member: Member) -> HttpResponse:
    """Try an unpaid month again."""
    club().retry(member)
    return SeeOther("/me")


@require_POST
@for_members
def cancel(_: HttpRequest, member: Member) -> HttpResponse:
    """End the subscription with the month that is paid."""
    club().cancel(member)
    return SeeOther("/me")


@require_POST
@for_members
def keep(_: HttpRequest, member: Member) -> HttpResponse:
    """Take a cancellation back."""
    club().keep(member)
    return SeeOther("/me")


@require_safe
@for_operator
def operator(request: HttpRequest) -> HttpResponse:
    """Show what was taken, refused and is overdue."""
    return _page(request, html.operator(_reader(request), club().books()))


@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Let a day or a month pass in the sandbox."""
    if not club().clock.can_move:
        raise Http404
    club().move(1 if request.POST.get("days") == "day" else club().days_of_month())
    return SeeOther("/operator" if request.POST.get("back") == "/operator" else "/me")


@require_safe
def file(_: HttpRequest, name: str) -> HttpResponse:
    """Serve a file of the pages; in a real project a web server delivers static files."""
    if name not in web.FILES:
        raise Http404
    content, kind = web.static(name)
    return HttpResponse(content, kind, headers={"Cache-Control": "no-cache"})


@require_safe
def form_script(_: HttpRequest) -> HttpResponse:
    """Serve the card form's script; `payme.card_form.django` has it as a static file."""
    return HttpResponse(card_form.FILE.read_bytes(), "text/javascript; charset=utf-8")


def expired(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """Refuse a form that another site has made somebody send."""
    text = speak(_language(request))("expired")
    return HttpResponse(text, "text/plain; charset=utf-8", 403)


def _member(request: HttpRequest) -> Member | None:
    member_id = request.session.get("member")
    return None if member_id is None else club().members.find(member_id)


def _language(request: HttpRequest) -> Language:
    return choose(
        request.GET.get("lang"),
        request.COOKIES.get(web.LANGUAGE_COOKIE),
        request.headers.get("Accept-Language"),
    )


def _reader(request: HttpRequest) -> Reader:
    now = club().clock() if club().clock.can_move else None
    return Reader(_language(request), get_token(request), request.path, now)


def _page(request: HttpRequest, text: str, *, has_form: bool = False) -> HttpResponse:
    answer = HttpResponse(text, headers=web.headers(settings.CLUB, has_form=has_form))
    answer.set_cookie(web.LANGUAGE_COOKIE, _language(request), samesite="Lax", httponly=True)
    return answer
