"""Links that open a payment, and reading them."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from payme import exact
from payme.checkout.checked import (
    PAGES,
    CheckoutLink,
    Environment,
    address,
    checked,
    known_language,
)
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language

# OBSERVED: the page of an existing test receipt lives on another host than the test checkout.
_RECEIPTS: Final = {
    "production": "https://checkout.paycom.uz",
    "test": "https://checkout.test.paycom.uz",
}

_RECEIPT_ID: Final = re.compile(r"[0-9a-f]{24}")
_LINK_PATH: Final = re.compile(r"(?:[a-z]+://[^/]*/)?(?P<path>[^?#]*)", re.IGNORECASE)


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
    opening = checked(merchant_id, account, amount, language, callback, callback_timeout, currency)
    _require_no_semicolon(opening)
    text = ";".join(f"{name}={value}" for name, value in opening.pairs())
    # Payme names no alphabet for values: UTF-8 is our choice, and ASCII is the same in each.
    return f"{address(PAGES, environment, base_url)}/{base64.b64encode(text.encode()).decode()}"


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
    return f"{address(_RECEIPTS, environment, base_url)}/{given}"


def parse_link(url: str) -> CheckoutLink:
    """Read a checkout link.

    Padding may be missing and the alphabet may be the one for URLs: Payme says nothing of either
    (our choice). An empty return address is none: two widely used clients send it by default.

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
    found = checked(
        pairs.pop("m", ""),
        account,
        _number("a", pairs.pop("a", "")),
        known_language(pairs.pop("l", None)),
        # Empty in the links that clients make for shops without a page to return to.
        pairs.pop("c", None) or None,
        _number("ct", pairs.pop("ct")) if "ct" in pairs else None,
        pairs.pop("cr", None),
    )
    if pairs:
        raise InvalidArgument("url", next(iter(pairs)), "the keys m, ac.*, a, l, c, ct, cr")
    return found


def _require_no_semicolon(opening: CheckoutLink) -> None:
    """Refuse what a link can't carry: it is divided at semicolons, and nothing escapes them."""
    for name, value in opening.account.items():
        if ";" in value:
            raise InvalidArgument(f"account.{name}", value, "no semicolon (use a form)")
    if opening.callback is not None and ";" in opening.callback:
        raise InvalidArgument("callback", opening.callback, "no semicolon (write it as %3B)")


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
