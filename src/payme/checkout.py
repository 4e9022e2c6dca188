"""Send a payer to Payme's checkout page: by a link, by a form, by a QR code.

Nothing is sent from here; these functions build text. That the payer came back proves nothing:
whether the money came, `PerformTransaction` or `payme.receipts.check` says.

CONFIRMED unless a comment says otherwise. Sources:
https://developer.help.paycom.uz/initsializatsiya-platezhey/otpravka-cheka-po-metodu-get
https://developer.help.paycom.uz/initsializatsiya-platezhey/otpravka-cheka-po-metodu-post
"""

import base64
import binascii
import html
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from urllib.parse import unquote

from payme import exact
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language
from payme.money import tiyin

if TYPE_CHECKING:
    from payme.protocol.inputs import Detail

__all__ = ["CheckoutLink", "form", "link", "parse_link", "qr_svg", "receipt_link"]

Environment = Literal["test", "production"]

LANGUAGES: Final[tuple[Language, ...]] = ("uz", "ru", "en")

_PAGES: Final = {"production": "https://checkout.paycom.uz", "test": "https://test.paycom.uz"}
# OBSERVED: the page of an existing test receipt lives on another host than the test checkout.
_RECEIPTS: Final = {
    "production": "https://checkout.paycom.uz",
    "test": "https://checkout.test.paycom.uz",
}

_SUBMIT: Final = {
    "uz": "Payme orqali toʻlash",
    "ru": "Оплатить через Payme",
    "en": "Pay with Payme",
}

_ID: Final = re.compile(r"[0-9A-Za-z_\-]+")
_FIELD: Final = re.compile(r"[^\s;=\[\]]+")
_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE | re.ASCII)
_CURRENCY: Final = re.compile(r"[0-9]{3}|[A-Z]{3}")
_RECEIPT_ID: Final = re.compile(r"[0-9a-f]{24}")
_LINK_PATH: Final = re.compile(r"(?:[a-z]+://[^/]*/)?(?P<path>[^?#]*)", re.IGNORECASE)
_LONGEST_TIMEOUT_MS: Final = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class CheckoutLink:
    """What a checkout link says.

    Attributes:
        merchant_id: Id of the cash-box, or its alias.
        account: Account fields and their values.
        amount: Tiyin.
        language: Language of the page; None for Payme's default, `ru`.
        callback: Where the payer goes after the payment.
        callback_timeout: How long the payer sees the result before that, in ms.
        currency: ISO code.
    """

    merchant_id: str
    account: dict[str, str] = field(default_factory=dict[str, str])
    amount: int
    language: Language | None = None
    callback: str | None = None
    callback_timeout: int | None = None
    currency: str | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """Write the link's keys and values, in the order of Payme's page."""
        optional = (
            ("l", self.language),
            ("c", self.callback),
            ("ct", self.callback_timeout),
            ("cr", self.currency),
        )
        return [
            ("m", self.merchant_id),
            *((f"ac.{name}", value) for name, value in self.account.items()),
            ("a", str(self.amount)),
            *((name, str(value)) for name, value in optional if value is not None),
        ]


def link(
    merchant_id: str,
    account: Mapping[str, str | int],
    amount: int,
    *,
    language: Language | None = None,
    callback: str | None = None,
    callback_timeout: int | None = None,
    currency: str | int | None = None,
    environment: Environment = "production",
    base_url: str | None = None,
) -> str:
    """Make the address that opens a new payment.

    Args:
        merchant_id: Id of the cash-box, or its alias.
        account: The cash-box's account fields, such as `{"order_id": 197}`.
        amount: Tiyin.
        language: `uz`, `ru` or `en`.
        callback: Where the payer returns to. `:transaction` and `:account.order_id` in it are
            filled in by Payme.
        callback_timeout: How long the payer sees the result before that, in ms.
        currency: ISO code: 860 or "UZS".
        environment: `production` or `test`.
        base_url: Address of another checkout, such as a sandbox's; an `/api` at its end is dropped.

    Returns:
        The address.

    Raises:
        InvalidArgument: If a value can't be carried by a link; the text names the argument.

    Example:
        >>> link("587f72c72cac0d162c722ae2", {"order_id": 197}, 500)
        'https://checkout.paycom.uz/bT01ODdmNzJjNzJjYWMwZDE2MmM3MjJhZTI7YWMub3JkZXJfaWQ9MTk3O2E9NTAw'
    """
    checked = _checked(merchant_id, account, amount, language, callback, callback_timeout, currency)
    _require_no_semicolon(checked)
    text = ";".join(f"{name}={value}" for name, value in checked.pairs())
    # Payme names no alphabet for values: UTF-8 is our choice, and ASCII is the same in each.
    return f"{_address(_PAGES, environment, base_url)}/{_base64(text.encode())}"


def form(
    merchant_id: str,
    account: Mapping[str, str | int],
    amount: int,
    *,
    language: Language | None = None,
    callback: str | None = None,
    callback_timeout: int | None = None,
    description: str | Mapping[str, str] | None = None,
    detail: "Detail | Mapping[str, Any] | None" = None,
    submit: str | None = None,
    environment: Environment = "production",
    base_url: str | None = None,
) -> str:
    """Make an HTML form whose button opens a new payment.

    Args:
        merchant_id: Id of the cash-box.
        account: The cash-box's account fields, such as `{"order_id": 197}`.
        amount: Tiyin.
        language: `uz`, `ru` or `en`.
        callback: Where the payer returns to; without it, the page that holds the form.
            `:transaction` and `:account.order_id` in it are filled in by Payme.
        callback_timeout: How long the payer sees the result before that, in ms.
        description: What is paid for; one text, or a text for each of `uz`, `ru`, `en`.
        detail: What is sold, for the fiscal receipt.
        submit: Text of the button; by default in `language`.
        environment: `production` or `test`.
        base_url: Address of another checkout, such as a sandbox's; an `/api` at its end is dropped.

    Returns:
        HTML with every value escaped, safe to put into a page as it is.

    Raises:
        InvalidArgument: If a value can't be sent; the text names the argument.

    Example:
        >>> print(form("587f72c72cac0d162c722ae2", {"order_id": 197}, 500, language="en"))
        <form method="POST" action="https://checkout.paycom.uz" accept-charset="utf-8">
        <input type="hidden" name="merchant" value="587f72c72cac0d162c722ae2">
        <input type="hidden" name="amount" value="500">
        <input type="hidden" name="account[order_id]" value="197">
        <input type="hidden" name="lang" value="en">
        <button type="submit">Pay with Payme</button>
        </form>
    """
    checked = _checked(merchant_id, account, amount, language, callback, callback_timeout, None)
    address = _address(_PAGES, environment, base_url)
    inputs = [
        *_form_inputs(checked),
        *_description_inputs(description),
        *_detail_input(detail, checked.amount),
    ]
    label = _SUBMIT[checked.language or "ru"] if submit is None else _text("submit", submit)
    return "\n".join(
        [
            f'<form method="POST" action="{html.escape(address)}" accept-charset="utf-8">',
            *(_input(name, value) for name, value in inputs),
            f'<button type="submit">{html.escape(label)}</button>',
            "</form>",
        ]
    )


def qr_svg(
    merchant_id: str,
    account: Mapping[str, str | int],
    amount: int,
    *,
    language: Language | None = None,
    callback: str | None = None,
    callback_timeout: int | None = None,
    currency: str | int | None = None,
    environment: Environment = "production",
    base_url: str | None = None,
    scale: int = 4,
) -> str:
    """Draw the QR code of a checkout link.

    Args:
        merchant_id: As for `link`.
        account: As for `link`.
        amount: As for `link`.
        language: As for `link`.
        callback: As for `link`.
        callback_timeout: As for `link`.
        currency: As for `link`.
        environment: As for `link`.
        base_url: As for `link`.
        scale: Width of one module, in pixels.

    Returns:
        An `<svg>` element.

    Raises:
        InvalidArgument: As for `link`.
        ImportError: If segno is not installed: `pip install "payme-uz[qr]"`.
    """
    address = link(
        merchant_id,
        account,
        amount,
        language=language,
        callback=callback,
        callback_timeout=callback_timeout,
        currency=currency,
        environment=environment,
        base_url=base_url,
    )
    return _drawn(address, _count("scale", scale, 1, 100))


def receipt_link(
    receipt_id: str, *, environment: Environment = "production", base_url: str | None = None
) -> str:
    """Make the address that opens a receipt which `receipts.create` made (OBSERVED).

    Args:
        receipt_id: Id of the receipt, 24 hex digits.
        environment: `production` or `test`: where the receipt was made.
        base_url: Address of another checkout, such as a sandbox's; an `/api` at its end is dropped.

    Returns:
        The address.

    Raises:
        InvalidArgument: If the id is no receipt's.
    """
    given = exact.text(receipt_id) or ""
    if not _RECEIPT_ID.fullmatch(given):
        raise InvalidArgument(
            "receipt_id", exact.shown(receipt_id), "24 hex digits, as receipts.create returned"
        )
    return f"{_address(_RECEIPTS, environment, base_url)}/{given}"


def parse_link(url: str) -> CheckoutLink:
    """Read a checkout link.

    Padding may be missing and the alphabet may be the one for URLs: Payme says nothing of either
    (our choice).

    Args:
        url: A link, or only its Base64 part.

    Returns:
        What it says.

    Raises:
        InvalidArgument: If it is no link, or a key in it is unknown, repeated or of a wrong form.

    Example:
        >>> parse_link("bT01ODdmNzJjNzJjYWMwZDE2MmM3MjJhZTI7YWMub3JkZXJfaWQ9MTk3O2E9NTAw").account
        {'order_id': '197'}
    """
    pairs = _split(_decoded(url))
    account = {
        name.removeprefix("ac."): pairs.pop(name) for name in list(pairs) if name.startswith("ac.")
    }
    found = _checked(
        pairs.pop("m", ""),
        account,
        _number("a", pairs.pop("a", "")),
        _known_language(pairs.pop("l", None)),
        pairs.pop("c", None),
        _number("ct", pairs.pop("ct")) if "ct" in pairs else None,
        pairs.pop("cr", None),
    )
    if pairs:
        raise InvalidArgument("url", next(iter(pairs)), "the keys m, ac.*, a, l, c, ct, cr")
    return found


def _checked(
    merchant_id: object,
    account: object,
    amount: object,
    language: object,
    callback: object,
    callback_timeout: object,
    currency: object,
) -> CheckoutLink:
    owner = exact.text(merchant_id) or ""
    if not _ID.fullmatch(owner):
        raise InvalidArgument(
            "merchant_id", exact.shown(merchant_id), "the id of the cash-box, or its alias"
        )
    return CheckoutLink(
        merchant_id=owner,
        account=_account(account),
        amount=tiyin(amount),
        language=_language(language),
        callback=None if callback is None else _callback(callback),
        callback_timeout=None
        if callback_timeout is None
        else _count("callback_timeout", callback_timeout, 0, _LONGEST_TIMEOUT_MS),
        currency=None if currency is None else _currency(currency),
    )


def _language(given: object) -> Language | None:
    language = _known_language(exact.text(given))
    if language is None and given is not None:
        raise InvalidArgument("language", exact.shown(given), "'uz', 'ru' or 'en'")
    return language


def _account(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidArgument("account", type(given).__name__, "a dict such as {'order_id': 197}")
    members = cast("Mapping[Any, Any]", given).items()
    return {_field(name): _account_value(name, value) for name, value in members}


def _field(given: object) -> str:
    name = exact.text(given) or ""
    if not name.isprintable() or not _FIELD.fullmatch(name):
        raise InvalidArgument(
            "account", exact.shown(given), "field names without spaces and ; = [ ]"
        )
    return name


def _account_value(name: str, value: object) -> str:
    number = exact.whole(value)
    if number is not None and abs(number) <= exact.MAX_INT:
        return str(number)
    plain = exact.text(value) or ""
    if not plain or not plain.isprintable():
        expected = "text on one line, or a whole number; a longer number as text"
        raise InvalidArgument(f"account.{name}", exact.shown(value), expected)
    return plain


def _text(name: str, value: object) -> str:
    plain = exact.text(value) or ""
    if not plain or not plain.isprintable():
        raise InvalidArgument(name, exact.shown(value), "non-empty text on one line")
    return plain


def _callback(value: object) -> str:
    address = exact.text(value) or ""
    if not _ADDRESS.fullmatch(address):
        expected = "an http(s) address; what is not ASCII in it is percent-encoded"
        raise InvalidArgument("callback", exact.shown(value), expected)
    return address


def _currency(value: object) -> str:
    number = exact.whole(value)
    code = str(number) if number in range(100, 1000) else exact.text(value) or ""
    if not _CURRENCY.fullmatch(code):
        raise InvalidArgument("currency", exact.shown(value), "an ISO code: 860 or 'UZS'")
    return code


def _count(name: str, value: object, least: int, most: int) -> int:
    number = exact.whole(value)
    if number is None or not least <= number <= most:
        raise InvalidArgument(name, exact.shown(value), f"a whole number from {least} to {most}")
    return number


def _require_no_semicolon(checked: CheckoutLink) -> None:
    """Refuse what a link can't carry: it is divided at semicolons, and nothing escapes them."""
    for name, value in checked.account.items():
        if ";" in value:
            raise InvalidArgument(f"account.{name}", value, "no semicolon (use a form)")
    if checked.callback is not None and ";" in checked.callback:
        raise InvalidArgument("callback", checked.callback, "no semicolon (write it as %3B)")


def _address(hosts: dict[str, str], environment: object, base_url: object) -> str:
    if base_url is None:
        host = hosts.get(exact.text(environment) or "")
        if host is None:
            raise InvalidArgument("environment", exact.shown(environment), "'production' or 'test'")
        return host
    address = exact.text(base_url) or ""
    if not _ADDRESS.fullmatch(address):
        raise InvalidArgument(
            "base_url", exact.shown(base_url), "an address such as http://127.0.0.1:3000"
        )
    return address.rstrip("/").removesuffix("/api").rstrip("/")


def _form_inputs(checked: CheckoutLink) -> list[tuple[str, str]]:
    optional = (
        ("lang", checked.language),
        ("callback", checked.callback),
        ("callback_timeout", checked.callback_timeout),
    )
    return [
        ("merchant", checked.merchant_id),
        ("amount", str(checked.amount)),
        *((f"account[{name}]", value) for name, value in checked.account.items()),
        *((name, str(value)) for name, value in optional if value is not None),
    ]


def _description_inputs(given: object) -> list[tuple[str, str]]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        texts = {exact.text(name): one for name, one in cast("Mapping[Any, Any]", given).items()}
        if not texts or not set(texts) <= set(LANGUAGES):
            raise InvalidArgument("description", [*texts], "texts by 'uz', 'ru', 'en'")
        return [(f"description[{name}]", _text("description", texts[name])) for name in texts]
    return [("description", _text("description", given))]


def _detail_input(given: object, amount: int) -> list[tuple[str, str]]:
    if given is None:
        return []
    # Loaded here: whoever only builds links needs no models.
    import msgspec

    from payme.protocol.inputs import Detail

    document = given.params(amount) if isinstance(given, Detail) else given
    if not isinstance(document, Mapping):
        raise InvalidArgument("detail", type(given).__name__, "a Detail, or its JSON object")
    try:
        encoded = msgspec.json.Encoder(decimal_format="number").encode(
            dict(cast("Mapping[str, Any]", document))
        )
    except (TypeError, ValueError, RecursionError):
        raise InvalidArgument("detail", type(given).__name__, "values that JSON has") from None
    return [("detail", _base64(encoded))]


def _input(name: str, value: str) -> str:
    return f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _drawn(address: str, scale: int) -> str:
    try:
        import segno
    except ModuleNotFoundError as error:
        raise ImportError(
            'a QR code needs segno, which is not installed: pip install "payme-uz[qr]"'
        ) from error
    drawing = io.BytesIO()
    # A white ground, so that it can be read on a dark page too.
    segno.make_qr(address, error="m").save(
        drawing, kind="svg", scale=scale, light="white", xmldecl=False, nl=False
    )
    return drawing.getvalue().decode()


def _decoded(url: object) -> str:
    expected = "a checkout link: an address that ends in Base64"
    found = _LINK_PATH.match(exact.text(url) or "")
    if not found or not found["path"]:
        raise InvalidArgument("url", exact.shown(url), expected)
    path = unquote(found["path"]).lstrip("/").replace("-", "+").replace("_", "/")
    # A slash at the end belongs to the address, except as the last of four letters of Base64.
    while path.endswith("/") and len(path) % 4:
        path = path.removesuffix("/")
    path = path.rstrip("=")
    try:
        return base64.b64decode(path + "=" * (-len(path) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidArgument("url", url, expected) from None


def _split(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in filter(None, text.split(";")):
        # Only the first sign divides: a return address has more of them.
        name, equals, value = pair.partition("=")
        if not equals or name in pairs:
            raise InvalidArgument("url", name, "pairs key=value, each key once")
        pairs[name] = value
    return pairs


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 16):
        raise InvalidArgument("url", f"{name}={value}", f"a whole number after {name}=")
    return int(value)


def _known_language(value: str | None) -> Language | None:
    # CONFIRMED for the form, taken for the link too: other languages are ignored.
    return next((language for language in LANGUAGES if language == value), None)
