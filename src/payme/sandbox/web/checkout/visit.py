"""What a payer brings to the checkout page: a language, and the way back to the merchant."""

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request

from payme.errors.catalogue import Language
from payme.protocol.states import ReceiptState
from payme.sandbox.engine import Receipt
from payme.sandbox.web.i18n import payers

DEFAULT_TIMEOUT_MS: Final = 15_000
"""How long the payer sees the result; live pages show this figure (OBSERVED)."""

_MAX_TIMEOUT_MS: Final = 2**31 - 1
_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r":(?:transaction|account\.([0-9A-Za-z_\-]+))")


@dataclass(frozen=True)
class Visit:
    """What the address of a receipt's page carries.

    Attributes:
        language: Language of the page.
        back: Where the payer returns to, placeholders and all; empty for nowhere.
        timeout_ms: How long the payer sees the result before that.
    """

    language: Language
    back: str
    timeout_ms: int

    @classmethod
    def of(cls, request: Request) -> "Visit":
        """Read it from an address."""
        query = request.query_params
        return cls(
            payers(query.get("lang")), address(query.get("back")), timeout(query.get("timeout"))
        )

    def query(self, **changes: str) -> dict[str, str]:
        """Write it as an address has it: `back` is `null` when there is none (OBSERVED)."""
        written = {
            "back": self.back or "null",
            "timeout": str(self.timeout_ms),
            "lang": self.language,
        }
        return {**written, **changes}


def return_to(back: str, receipt: Receipt | None = None) -> str:
    """Write the address that the payer returns to; empty for nowhere.

    Args:
        back: What the merchant gave, placeholders and all.
        receipt: What the payer came to pay; None when there was nothing of that kind.
    """
    if receipt is None:
        return _filled(back, None, {})
    # The transaction in the merchant's billing bears the receipt's id (INFERRED), and begins when
    # the payer pays.
    begun = receipt.state is not ReceiptState.CREATED
    return _filled(back, receipt.id if begun else None, receipt.account)


def _filled(back: str, transaction: str | None, account: dict[str, Any]) -> str:
    """Fill in `:transaction` and `:account.<field>`; unknown fields stay as they are."""

    def value(found: re.Match[str]) -> str:
        name: str | None = found[1]
        if name is None:
            return transaction or "null"
        return quote(str(account[name]), safe="") if name in account else found[0]

    return _PLACEHOLDER.sub(value, back)


def address(given: str | None) -> str:
    """Take a web address; anything else is none."""
    return given if given and _ADDRESS.fullmatch(given) else ""


def timeout(given: str | int | None) -> int:
    """Take a number of ms; anything else is the usual one."""
    text = str(given)
    fits = text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= _MAX_TIMEOUT_MS
    return int(text) if fits else DEFAULT_TIMEOUT_MS
