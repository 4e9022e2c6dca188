"""The table of methods: who may call each, what it takes, who serves it. A new one is one row."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from payme.sandbox.engine import billing, cards, params, receipts


class Method(NamedTuple):
    """One method."""

    handler: Callable[..., Any]
    """Called with the `Call` and an instance of `params`."""
    params: type[params.Params]
    needs_key: bool
    for_pages: bool = False
    """Whether a web page may call it."""


def _payers(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    return Method(handler, spec, needs_key=False, for_pages=True)


def _cards(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    # The payer's side calls these with the cash-box id alone. Payme's page prints id:key for
    # remove, but live clients send the id and are served.
    return Method(handler, spec, needs_key=False)


def _receipts(handler: Callable[..., Any], spec: type[params.Params]) -> Method:
    return Method(handler, spec, needs_key=True)


METHODS: Final[dict[str, Method]] = {
    "cards.create": _payers(cards.create, params.CardsCreate),
    "cards.get_verify_code": _payers(cards.get_verify_code, params.Token),
    "cards.verify": _payers(cards.verify, params.CardsVerify),
    "cards.check": _cards(cards.check, params.Token),
    "cards.remove": _cards(cards.remove, params.Token),
    "receipts.create": _receipts(receipts.create, params.ReceiptsCreate),
    "receipts.pay": _receipts(receipts.pay, params.ReceiptsPay),
    "receipts.send": _receipts(receipts.send, params.ReceiptsSend),
    "receipts.cancel": _receipts(receipts.cancel, params.ReceiptsCancel),
    "receipts.check": _receipts(receipts.check, params.ReceiptId),
    "receipts.get": _receipts(receipts.get, params.ReceiptId),
    "receipts.get_all": _receipts(receipts.get_all, params.ReceiptsGetAll),
    "receipts.confirm_hold": _receipts(receipts.confirm_hold, params.ReceiptsConfirmHold),
    "receipts.set_fiscal_data": _receipts(receipts.set_fiscal_data, params.ReceiptsSetFiscalData),
}

# What serves a method when payments take steps; each returns a flow.
FLOWS: Final[dict[str, Callable[..., billing.Flow[Any]]]] = {
    "receipts.create": billing.create,
    "receipts.pay": billing.pay,
    "receipts.cancel": billing.cancel,
    "receipts.check": billing.check,
    "receipts.get": billing.get,
    "receipts.confirm_hold": billing.confirm_hold,
}
