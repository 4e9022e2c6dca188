"""What Payme's answers look like, key for key. Pinned by the recorded samples in `seed.txt`."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from payme.protocol.states import ReceiptState
from payme.sandbox.engine.model import Card, Receipt, mask_number

_CARD_TYPE: Final = "22618"
_CURRENCY_UZS: Final = 860
_RECEIPT_TYPE: Final = 2
_CASH_BOX_DATE: Final = 1584598670296
_EPOS: Final = {"merchantId": "106600000050000", "terminalId": "20660000"}
_COUNTER_TITLE: Final = {"ru": "Номер чека", "uz": "Chek raqami"}
_MAX_DIGITS: Final = 15


Title = str | Mapping[str, str]
"""Title of an account field: one text, or a text by language."""


def title_in(title: Title, language: str) -> str:
    """Return a title in a language; where it is not given in that one, the first that is."""
    return title if isinstance(title, str) else title.get(language) or next(iter(title.values()))


def card(value: Card) -> dict[str, Any]:
    """Shape the `card` of cards.create, cards.verify and cards.check."""
    return {
        "number": mask_number(value.number),
        "expire": f"{value.expire[:2]}/{value.expire[2:]}",
        "token": value.token,
        "recurrent": value.recurrent,
        "verify": value.verified,
        "type": _CARD_TYPE,
    }


class ReceiptShapes:
    """Shapes receipts of one cash-box.

    Args:
        merchant_id: Id of the cash-box.
        account_fields: Title of each account field by its name; empty for a cash-box without.
        name: What the merchant is called.
    """

    def __init__(
        self, merchant_id: str, account_fields: Mapping[str, Title], name: str = "test"
    ) -> None:
        self._merchant_id = merchant_id
        self._account_fields = account_fields
        # The block is the same in every answer, so it is encoded once.
        self._merchant = _merchant(merchant_id, name, "Internet")
        self._listed_merchant = _merchant(merchant_id, name, {"ru": "Internet", "uz": "Internet"})

    def single(self, receipt: Receipt) -> dict[str, Any]:
        """Shape a receipt as every method but get_all answers it."""
        account = [
            {"name": name, "title": title["ru"], "value": value, "main": main}
            for name, title, value, main in self._account(receipt)
        ]
        return self._shape(receipt, account, self._merchant)

    def listed(self, receipt: Receipt) -> dict[str, Any]:
        """Shape a receipt as get_all does: titles in two languages, numbers as numbers."""
        account = [
            {"name": name, "title": title, "value": _number_if_numeric(value), "main": main}
            for name, title, value, main in self._account(receipt)
        ]
        return self._shape(receipt, account, self._listed_merchant)

    def _account(self, receipt: Receipt) -> list[tuple[str, dict[str, str], str, bool]]:
        if not self._account_fields:
            return [("transaction", _COUNTER_TITLE, str(receipt.number), True)]
        return [
            (name, _titles(title), _text(receipt.account.get(name, "")), index == 0)
            for index, (name, title) in enumerate(self._account_fields.items())
        ]

    def _shape(
        self, receipt: Receipt, account: list[dict[str, Any]], merchant: msgspec.Raw
    ) -> dict[str, Any]:
        return {
            "_id": receipt.id,
            "create_time": receipt.create_time,
            "pay_time": receipt.pay_time,
            "cancel_time": receipt.cancel_time,
            "state": receipt.state,
            "type": _RECEIPT_TYPE,
            "external": False,
            "operation": -1,
            "category": None,
            "error": receipt.error,
            "description": receipt.description,
            "detail": receipt.detail,
            "amount": receipt.amount,
            "currency": _CURRENCY_UZS,
            "commission": 0,
            "account": account,
            "card": _paying_card(receipt),
            **({"payer": receipt.payer} if receipt.payer else {}),
            "merchant": merchant,
            "meta": self._meta(receipt),
            "processing_id": _processing_id(receipt),
        }

    def _meta(self, receipt: Receipt) -> dict[str, str]:
        meta = {"source": "subscribe", "owner": self._merchant_id}
        if receipt.cancel_source:
            meta["source_cancel"] = receipt.cancel_source
        return meta


def _paying_card(receipt: Receipt) -> dict[str, str | None] | None:
    if receipt.card_number is None:
        return None
    return {"number": receipt.card_number, "expire": receipt.card_expire}


def _processing_id(receipt: Receipt) -> int | None:
    # The sample of a paid receipt has 0, those before payment and after cancellation have null.
    return 0 if receipt.state in {ReceiptState.PAID, ReceiptState.HELD} else None


def _titles(title: Title) -> dict[str, str]:
    return {"ru": title_in(title, "ru"), "uz": title_in(title, "uz")}


def _merchant(merchant_id: str, name: str, kind: str | dict[str, str]) -> msgspec.Raw:
    block = {
        "_id": merchant_id,
        "name": name,
        "organization": "ЧП «test test»",
        "address": "",
        "business_id": hashlib.sha256(merchant_id.encode()).hexdigest()[:24],
        "epos": _EPOS,
        "date": _CASH_BOX_DATE,
        "logo": None,
        "type": kind,
        "terms": None,
    }
    return msgspec.Raw(msgspec.json.encode(block))


def _text(value: str | float) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _number_if_numeric(text: str) -> str | int:
    # "007" is a name and not a number, and neither are the digits of a card or a very long id.
    numeric = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if numeric and str(int(text)) == text else text
