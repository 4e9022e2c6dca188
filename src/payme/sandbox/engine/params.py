"""Params of each method: names, types and which may be left out.

What becomes of one that is not listed here, `leniency` says.
"""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

_MAX_INT = 2**63 - 1

Tiyin = Annotated[int, Meta(gt=0, le=2**53 - 1)]
Natural = Annotated[int, Meta(ge=0, le=_MAX_INT)]
Integer = Annotated[int, Meta(ge=-(2**63), le=_MAX_INT)]
"""JSON has no largest number; what is stored has."""
Number = Integer | float
Account = dict[str, str | Number]
Phone = Annotated[str, Meta(pattern=r"^998[0-9]{9}\Z")]


class Params(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every specification."""

    never_let_pass: ClassVar[frozenset[str]] = frozenset()
    """Unknown names that are refused even by a lenient sandbox: they would change the money."""

    def __repr__(self) -> str:
        # Nearly all of them hold a card number, a token, a code or a phone.
        return f"{type(self).__name__}(...)"


class CardData(Params):
    """`card` of `cards.create`."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{13,18}\Z")]
    expire: Annotated[str, Meta(pattern=r"^(0[1-9]|1[0-2])[0-9]{2}\Z")]


class CardsCreate(Params):
    """Params of `cards.create`."""

    card: CardData
    save: bool = False
    account: Account | None = None
    customer: str | None = None
    amount: Number | None = None


class Token(Params):
    """Params of the methods that take a token and nothing else."""

    token: str


class CardsVerify(Params):
    """Params of `cards.verify`."""

    token: str
    code: str


class Shipping(Params):
    """`shipping` and `discount` of `detail`."""

    title: str | UnsetType = UNSET
    price: Number | UnsetType = UNSET


class Item(Params):
    """One line of `detail.items`."""

    title: str | UnsetType = UNSET
    price: Number | UnsetType = UNSET
    count: Number | UnsetType = UNSET
    code: str | UnsetType = UNSET
    vat_percent: Number | UnsetType = UNSET
    package_code: str | UnsetType = UNSET
    discount: Number | None = None
    units: Number | None = None


class Detail(Params):
    """`detail` of `receipts.create`. That its sums make `amount` is not asked: no page says so."""

    receipt_type: Integer | UnsetType = UNSET
    shipping: Shipping | None = None
    items: list[Item] | None = None


class ReceiptsCreate(Params):
    """Params of `receipts.create`."""

    amount: Tiyin
    account: Account
    description: str | None = None
    detail: Detail | None = None
    hold: bool = False


class Payer(Params):
    """`payer` of `receipts.pay`."""

    id: str | None = None
    phone: str | None = None
    email: str | None = None
    name: str | None = None
    ip: str | None = None


class ReceiptsPay(Params):
    """Params of `receipts.pay`."""

    id: str
    token: str
    payer: Payer | None = None
    hold: bool = False


class ReceiptsSend(Params):
    """Params of `receipts.send`."""

    id: str
    phone: Phone


class ReceiptId(Params):
    """Params of the methods that take a receipt's id and nothing else."""

    id: str


class ReceiptsCancel(ReceiptId):
    """Params of `receipts.cancel`."""

    never_let_pass: ClassVar[frozenset[str]] = frozenset({"partially", "amount"})


class ReceiptsConfirmHold(ReceiptId):
    """Params of `receipts.confirm_hold`."""

    never_let_pass: ClassVar[frozenset[str]] = frozenset({"partially", "amount"})


class ReceiptsGetAll(Params):
    """Params of `receipts.get_all`."""

    count: Annotated[int, Meta(ge=0, le=50)]
    from_: Natural = msgspec.field(name="from")
    to: Natural
    offset: Natural


class FiscalData(Params):
    """`fiscal_data` of `receipts.set_fiscal_data`."""

    receipt_id: Integer
    qr_code_url: str
    status_code: Integer | None = None
    message: str | None = None
    terminal_id: str | None = None
    fiscal_sign: str | None = None
    date: Annotated[str, Meta(pattern=r"^[0-9]{14}\Z")] | None = None


class ReceiptsSetFiscalData(Params):
    """Params of `receipts.set_fiscal_data`."""

    id: str
    fiscal_data: FiscalData


def as_sent(value: Params | None) -> dict[str, Any] | None:
    """Turn a nested param back into JSON, without the members that were left out."""
    return None if value is None else msgspec.to_builtins(value)
