"""What both frameworks do with a request in the same way."""

import base64
import binascii
import hmac
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

from examples.club.club import Club
from examples.club.members import Member
from examples.club.settings import Settings
from examples.club.texts import speak
from payme import card_form
from payme.errors import CardRejected, InvalidArgument, NotFound, PaymeError
from payme.errors.catalogue import Language
from payme.wallet import CardConflict, CardUnusable

LANGUAGE_COOKIE: Final = "club_language"
LOGO: Final = "/payme-logo.svg"
LONGEST_BODY: Final = 16 * 1024

_STATIC: Final = Path(__file__).parent / "static"
FILES: Final = {
    "club.css": "text/css; charset=utf-8",
    "club.js": "text/javascript; charset=utf-8",
    "wait.js": "text/javascript; charset=utf-8",
    LOGO.strip("/"): "image/svg+xml",
}


class Reply(NamedTuple):
    """An answer to the script of the card page."""

    status: HTTPStatus
    body: dict[str, str]


def headers(settings: Settings, *, has_form: bool = False) -> dict[str, str]:
    """Write the headers of a page.

    Args:
        settings: Of the club.
        has_form: The page has the card form, which sends cards to Payme. No other page may send
            anything anywhere but here.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    if has_form:
        ours = card_form.csp(endpoint=settings.endpoint, logo_src=LOGO)
        policy["script-src"] = ours["script-src"]
        policy["connect-src"] = f"{ours['connect-src']} 'self'"
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }


def form(settings: Settings, language: Language) -> str:
    """Write the card form. Remembering the card is what the member has agreed to: `always`.

    The logo is a stand-in of our own, so that the sandbox needs no network; a real club leaves
    `logo_src` out, or serves a copy of Payme's logo.
    """
    return card_form.html(
        settings.merchant_id,
        endpoint=settings.endpoint,
        lang=language,
        save="always",
        logo_src=LOGO,
    )


def static(name: str) -> tuple[bytes, str]:
    """Read a file of the club's, and its type.

    Raises:
        KeyError: There is none.
    """
    kind = FILES[name]
    return (_STATIC / name).read_bytes(), kind


def bind(club: Club, member: Member, body: bytes, language: Language) -> Reply:
    """Take the token that the card form handed to the page.

    The form knows two answers: kept, and "unverified", after which it asks for the code again.
    After anything else the member may hand the same token over once more.

    Args:
        club: The club.
        member: Who is logged in; never whom the browser names.
        body: JSON, `{"token": …}`.
        language: Of the page.
    """
    refused = Reply(HTTPStatus.UNPROCESSABLE_ENTITY, {"error": speak(language)("card_refused")})
    try:
        club.bind(member, _token(body))
    except CardUnusable as unusable:
        if unusable.reason == "unverified":
            return Reply(HTTPStatus.CONFLICT, {})
        return refused
    except (CardConflict, NotFound, CardRejected, InvalidArgument):
        return refused
    except PaymeError:
        # Nobody said anything about the card.
        return Reply(HTTPStatus.SERVICE_UNAVAILABLE, {})
    return Reply(HTTPStatus.CREATED, {})


def is_operator(settings: Settings, authorization: str | None) -> bool:
    """Return whether a request names the operator's password (HTTP Basic)."""
    scheme, _, coded = (authorization or "").partition(" ")
    try:
        given = base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return False
    wanted = f"operator:{settings.password}".encode()
    return (
        bool(settings.password) and scheme.lower() == "basic" and hmac.compare_digest(given, wanted)
    )


ASK_FOR_PASSWORD: Final = {"WWW-Authenticate": 'Basic realm="club", charset="UTF-8"'}


def _token(body: bytes) -> Any:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document.get("token") if isinstance(document, dict) else None
