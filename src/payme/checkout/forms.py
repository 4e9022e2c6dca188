"""The HTML form that opens a payment."""

import base64
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from payme import exact
from payme.checkout.checked import LANGUAGES, PAGES, CheckoutLink, Environment, address, checked
from payme.errors import InvalidArgument
from payme.errors.catalogue import Language
from payme.protocol import arguments

if TYPE_CHECKING:
    from payme.protocol.inputs import Detail

_SUBMIT: Final = {
    "uz": "Payme orqali toʻlash",
    "ru": "Оплатить через Payme",
    "en": "Pay with Payme",
}


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
    opening = checked(merchant_id, account, amount, language, callback, callback_timeout, None)
    action = address(PAGES, environment, base_url)
    inputs = [
        *_form_inputs(opening),
        *_description_inputs(description),
        *_detail_input(detail, opening.amount),
    ]
    label = (
        _SUBMIT[opening.language or "ru"]
        if submit is None
        else arguments.optional_text("submit", submit)
    )
    return "\n".join(
        [
            f'<form method="POST" action="{html.escape(action)}" accept-charset="utf-8">',
            *(_input(name, value) for name, value in inputs),
            f'<button type="submit">{html.escape(label)}</button>',
            "</form>",
        ]
    )


def _form_inputs(opening: CheckoutLink) -> list[tuple[str, str]]:
    optional = (
        ("lang", opening.language),
        ("callback", opening.callback),
        ("callback_timeout", opening.callback_timeout),
    )
    return [
        ("merchant", opening.merchant_id),
        ("amount", str(opening.amount)),
        *((f"account[{name}]", value) for name, value in opening.account.items()),
        *((name, str(value)) for name, value in optional if value is not None),
    ]


def _description_inputs(given: object) -> list[tuple[str, str]]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        texts = {exact.text(name): one for name, one in cast("Mapping[Any, Any]", given).items()}
        if not texts or not set(texts) <= set(LANGUAGES):
            raise InvalidArgument("description", [*texts], "texts by 'uz', 'ru', 'en'")
        return [
            (f"description[{name}]", arguments.optional_text("description", texts[name]))
            for name in texts
        ]
    return [("description", arguments.optional_text("description", given))]


def _detail_input(given: object, amount: int) -> list[tuple[str, str]]:
    if given is None:
        return []
    # Loaded here: whoever only builds links needs no models.
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
    return [("detail", base64.b64encode(encoded).decode())]


def _input(name: str, value: str) -> str:
    return f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
