"""What opens a payment, checked: the same for a link and for a form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from payme import exact
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language
from payme.money import tiyin
from payme.protocol import arguments

Environment = Literal["test", "production"]

LANGUAGES: Final[tuple[Language, ...]] = ("uz", "ru", "en")

PAGES: Final = {"production": "https://checkout.paycom.uz", "test": "https://test.paycom.uz"}
"""Hosts of the checkout page."""

_ID: Final = re.compile(r"[0-9A-Za-z_\-]+")
_FIELD: Final = re.compile(r"[^\s;=\[\]]+")
_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE | re.ASCII)
_CURRENCY: Final = re.compile(r"[0-9]{3}|[A-Z]{3}")
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


def checked(
    merchant_id: object,
    account: object,
    amount: object,
    language: object,
    callback: object,
    callback_timeout: object,
    currency: object,
) -> CheckoutLink:
    """Check what opens a payment; see `link` for the arguments.

    Raises:
        InvalidArgument: If a value can't be carried; the text names the argument.
    """
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
        else arguments.within("callback_timeout", callback_timeout, 0, _LONGEST_TIMEOUT_MS),
        currency=None if currency is None else _currency(currency),
    )


def _language(given: object) -> Language | None:
    language = known_language(exact.text(given))
    if language is None and given is not None:
        raise InvalidArgument("language", exact.shown(given), "'uz', 'ru' or 'en'")
    return language


def _account(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise InvalidArgument("account", type(given).__name__, "a dict such as {'order_id': 197}")
    members = cast("Mapping[Any, Any]", given).items()
    return {_field(name): str(arguments.account_value(name, value)) for name, value in members}


def _field(given: object) -> str:
    name = exact.text(given) or ""
    if not name.isprintable() or not _FIELD.fullmatch(name):
        raise InvalidArgument(
            "account", exact.shown(given), "field names without spaces and ; = [ ]"
        )
    return name


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


def address(hosts: dict[str, str], environment: object, base_url: object) -> str:
    """Return the address of a checkout, without a slash at its end.

    Args:
        hosts: Payme's own, by environment.
        environment: Which of them.
        base_url: Another checkout, such as a sandbox's.

    Raises:
        InvalidArgument: If there is no such environment, or the address is none.
    """
    if base_url is None:
        host = hosts.get(exact.text(environment) or "")
        if host is None:
            raise InvalidArgument("environment", exact.shown(environment), "'production' or 'test'")
        return host
    given = exact.text(base_url) or ""
    if not _ADDRESS.fullmatch(given):
        raise InvalidArgument(
            "base_url", exact.shown(base_url), "an address such as http://127.0.0.1:3000"
        )
    return given.rstrip("/").removesuffix("/api").rstrip("/")


def known_language(value: str | None) -> Language | None:
    """Return the language that a text names; None if Payme has none of that name."""
    # CONFIRMED for the form, taken for the link too: other languages are ignored.
    return next((language for language in LANGUAGES if language == value), None)
