"""What a merchant's page posts, read as params of `receipts.create`."""

import base64
import binascii
import re
from typing import Any, Final

import msgspec

from payme.errors.catalogue import Language
from payme.sandbox.web.pages import Form

_ACCOUNT_INPUT: Final = re.compile(r"account\[([^\[\]]+)\]")


def order(form: Form, language: Language) -> dict[str, Any]:
    """Turn the merchant's form into params of `receipts.create`.

    Raises:
        ValueError: If an input is not as it must be; the text names it.
    """
    amount = form.get("amount", "")
    if not (amount.isascii() and amount.isdigit() and len(amount) <= 16):
        raise ValueError("amount: tiyin as a whole number")
    account = {
        found[1]: value for name, value in form.items() if (found := _ACCOUNT_INPUT.fullmatch(name))
    }
    params: dict[str, Any] = {"amount": int(amount), "account": account}
    description = form.get(f"description[{language}]") or form.get("description")
    if description:
        params["description"] = description
    if form.get("detail"):
        params["detail"] = _detail(form["detail"])
    return params


def _detail(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=dict[str, Any])
    except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError):
        raise ValueError("detail: Base64 of a JSON object") from None
