"""The table of methods: who may call each, what it takes, who serves it. A new one is one row."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from payme.sandbox.engine import cards, params, receipts
from payme.sandbox.engine.flows import Flow


class Method(NamedTuple):
    """One method."""

    handler: Callable[..., Any]
    """Called with the `Call` and an instance of `params`."""
    params: type[params.Params]
    needs_key: bool
    for_pages: bool = False
    """Whether a web page may call it."""
    is_flow: bool = False
    """Whether the handler may have to ask the merchant, and so is a flow."""


def _payers(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    return Method(handler, spec, needs_key=False, for_pages=True)


def _cards(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    # The payer's side calls these with the cash-box id alone. Payme's page prints id:key for
    # remove, but live clients send the id and are served.
    return Method(handler, spec, needs_key=False)


def _receipts(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    return Method(handler, spec, needs_key=True)


def _payments(handler: Callable[..., Flow[Any]], spec: type[params.Params]) -> Method:
    return Method(handler, spec, needs_key=True, is_flow=True)


METHODS: Final[dict[str, Method]] = {
    "cards.create": _payers(cards.create, params.CardsCreate),
    "cards.get_verify_code": _payers(cards.get_verify_code, params.Token),
    "cards.verify": _payers(cards.verify, params.CardsVerify),
    "cards.check": _cards(cards.check, params.Token),
    "cards.remove": _cards(cards.remove, params.Token),
    "receipts.create": _payments(receipts.create, params.ReceiptsCreate),
    "receipts.pay": _payments(receipts.pay, params.ReceiptsPay),
    "receipts.send": _receipts(receipts.send, params.ReceiptsSend),
    "receipts.cancel": _payments(receipts.cancel, params.ReceiptsCancel),
    "receipts.check": _payments(receipts.check, params.ReceiptId),
    "receipts.get": _payments(receipts.get, params.ReceiptId),
    "receipts.get_all": _receipts(receipts.get_all, params.ReceiptsGetAll),
    "receipts.confirm_hold": _payments(receipts.confirm_hold, params.ReceiptsConfirmHold),
    "receipts.set_fiscal_data": _receipts(receipts.set_fiscal_data, params.ReceiptsSetFiscalData),
}
