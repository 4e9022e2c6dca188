"""The form in which a payer binds a card: the custom element `<payme-card-form>`.

Card number, expiry and SMS code go from the payer's browser to Payme, and never to the merchant's
server, which gets a token. This module writes the element into a page and says what the page must
allow; `payme.card_form.asgi`, `.fastapi`, `.flask` and `.django` serve the script. Importing it
loads no framework.

What Payme demands of such a form is CONFIRMED: logo, link to the offer, notice, "Powered by Payme",
inputs without a name, a form without an action. That Payme's hosts answer a browser at all (CORS)
is OBSERVED in public front ends, with evidence against it, and not documented by Payme: ask
`payme doctor browser`.

Example:
    >>> page = html("587f72c72cac0d162c722ae2", endpoint="test", lang="uz")
"""

from html import escape
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

from payme import configuration, exact
from payme.card_form.module import ENDPOINTS, FILE, LOGO, PATH, integrity, version
from payme.errors import ConfigurationError, InvalidArgument
from payme.errors.card_form import NOSCRIPT
from payme.errors.catalogue import Language

__all__ = ["FILE", "PATH", "Html", "Save", "api_url", "csp", "html", "integrity", "version"]

Save = Literal["ask", "always", "never"]

_CODE_LENGTHS: Final = range(4, 10)
_CASHBOX: Final = "the id of a cash-box: 24 hex characters, without the key"
_ENDPOINT: Final = "'live', 'test' or an address; plain http on this computer only"


class Html(str):
    """Markup that Jinja and Django put into a page as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup."""
        return str(self)


def html(
    cashbox: str,
    *,
    endpoint: str = "live",
    lang: Language | None = None,
    save: Save = "ask",
    logo_src: str | None = None,
    code_length: int = 6,
    src: str | None = PATH,
    nonce: str | None = None,
) -> Html:
    """Write the form for a page.

    Args:
        cashbox: Id of the cash-box, 24 hex characters. Never its key: the page is public.
        endpoint: `live`, `test`, or the address of a sandbox.
        lang: `uz`, `ru` or `en`; by default the language of the page, and `uz` if the form does not
            speak that.
        save: Who decides that the card is remembered: `ask` shows a box that is not ticked,
            `always` one that is and can't be changed, `never` none.
        logo_src: Address of a copy of Payme's logo; by default Payme's own.
        code_length: Digits of the SMS code, 4 to 9.
        src: Address of the script as the adapters serve it; None leaves its tag out, for a page
            that has it already.
        nonce: Nonce of the page's Content-Security-Policy, for the script's tag.

    Returns:
        The markup.

    Raises:
        InvalidArgument: If an argument can't be right. A cash-box with a colon is `id:key`, and is
            not shown.
    """
    attributes = {
        "cashbox": _cashbox(cashbox),
        "endpoint": endpoint if endpoint in ENDPOINTS else api_url(endpoint),
        "lang": None if lang is None else _one_of("lang", lang, get_args(Language)),
        "save": _one_of("save", save, get_args(Save)),
        "logo-src": None if logo_src is None else _text("logo_src", logo_src),
        "code-length": str(_code_length(code_length)),
    }
    written = "".join(
        f' {name}="{escape(value)}"' for name, value in attributes.items() if value is not None
    )
    without = escape(NOSCRIPT[get_args(Language).index(lang or "uz")])
    return Html(
        f"{_tag(src, nonce)}<payme-card-form{written}><noscript>{without}</noscript>"
        "</payme-card-form>"
    )


def csp(
    *, endpoint: str = "live", logo_src: str | None = None, script_src: str = "'self'"
) -> dict[str, str]:
    """Tell what a Content-Security-Policy must allow for the form, and no more.

    Args:
        endpoint: As for `html`.
        logo_src: As for `html`.
        script_src: Where the script comes from, as a policy writes it.

    Returns:
        Sources by directive. The form needs no `style-src`, and works with Trusted Types.

    Raises:
        InvalidArgument: If an address can't be used.

    Example:
        >>> csp(endpoint="test")["connect-src"]
        'https://checkout.test.paycom.uz'
    """
    logo = urlsplit(LOGO if logo_src is None else _text("logo_src", logo_src))
    return {
        "script-src": _text("script_src", script_src),
        "connect-src": _origin(api_url(endpoint)),
        "img-src": f"{logo.scheme}://{logo.netloc}" if logo.netloc else "'self'",
    }


def api_url(endpoint: str) -> str:
    """Find the address that the form sends cards to.

    Args:
        endpoint: `live`, `test`, or the address of a sandbox.

    Returns:
        The address.

    Raises:
        InvalidArgument: If it is none of these. Over plain http a card may go to this computer
            only.
    """
    given = exact.text(endpoint) or ""
    if given in ENDPOINTS:
        return ENDPOINTS[given]
    try:
        url = configuration.base_url(given, None)
    except ConfigurationError:
        # In an address that can't be used, what stands before an @ may be a password.
        shown = str(exact.shown(endpoint)).rpartition("@")[2]
        raise InvalidArgument("endpoint", shown, _ENDPOINT) from None
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    if parts.scheme != "https" and not configuration.is_loopback(host):
        raise InvalidArgument("endpoint", endpoint, _ENDPOINT)
    return url


def _tag(src: str | None, nonce: str | None) -> str:
    if src is None:
        return ""
    address = _text("src", src)
    # What the adapters serve may be kept for ever under an address that names the content.
    if "?" not in address and "://" not in address:
        address += f"?v={version()}"
    mark = "" if nonce is None else f' nonce="{escape(_text("nonce", nonce))}"'
    return (
        f'<script type="module" src="{escape(address)}" integrity="{integrity()}"'
        f' crossorigin="anonymous"{mark}></script>'
    )


def _cashbox(given: object) -> str:
    text = exact.text(given)
    if text is not None and ":" in text:
        # What stands after the colon is the key, and the error is going to be logged.
        raise InvalidArgument("cashbox", "an id with a colon and what follows it", _CASHBOX)
    if text is None or not text.isascii() or not text.isprintable() or not text or " " in text:
        raise InvalidArgument("cashbox", exact.shown(given), _CASHBOX)
    return text


def _one_of(name: str, given: object, known: tuple[str, ...]) -> str:
    text = exact.text(given)
    if text not in known:
        raise InvalidArgument(name, exact.shown(given), f"one of {', '.join(known)}")
    return str(text)


def _text(name: str, given: object) -> str:
    text = exact.text(given)
    if not text or any(ord(letter) < 0x20 for letter in text):
        raise InvalidArgument(name, exact.shown(given), "a text in one line")
    return text


def _code_length(given: object) -> int:
    number = exact.whole(given)
    if number is None or number not in _CODE_LENGTHS:
        raise InvalidArgument("code_length", exact.shown(given), "a whole number from 4 to 9")
    return number


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
