"""What a merchant sends, as values that are checked when they are made.

Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.create
"""

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from payme import exact, money, redact
from payme.errors import InvalidArgument
from payme.protocol.arguments import optional_text as _text

# Values are checked and kept as exact `str` and `int`: an encoder writes no subclass of them.
_set = msgspec.structs.force_setattr

_IKPU: Final = r"[0-9]{17}"
_PACKAGE: Final = r"[0-9]{1,20}"


class Payer(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who pays, for Payme's anti-fraud checks. Every member is optional.

    Attributes:
        id: The payer's id in the merchant's system.
        phone: `998901304527`.
        email: E-mail address.
        name: Name.
        ip: IP address.
    """

    id: str | None = None
    phone: str | None = None
    email: str | None = None
    name: str | None = None
    ip: str | None = None

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        given = (name for name in self.__struct_fields__ if getattr(self, name) is not None)
        return [(name, redact.Secret("")) for name in given]

    def __repr__(self) -> str:
        given = [name for name, _ in self.__rich_repr__()]
        return f"Payer(<{', '.join(given)}>)"


class Shipping(msgspec.Struct, frozen=True):
    """Delivery.

    Attributes:
        title: What it is called on the receipt.
        price: Price in tiyin.
    """

    title: str
    price: int

    def __post_init__(self) -> None:
        _set(self, "title", _text("shipping.title", self.title))
        _set(self, "price", money.tiyin_or_zero(self.price, "shipping.price"))


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a fiscal receipt.

    Attributes:
        title: Name of the goods or the service.
        price: Price of one unit in tiyin.
        count: How many; `Decimal` or text such as `"0.350"` for goods sold by weight.
        code: IKPU (MXIK) code, 17 digits.
        vat_percent: VAT, 0 to 100.
        package_code: Package code from the IKPU card on the tax portal, digits.
        discount: Discount for the whole line in tiyin.
        units: Code of the unit of measure.
    """

    title: str
    price: int
    count: int | Decimal
    code: str
    vat_percent: int
    package_code: str
    discount: int = 0
    units: int | None = None

    def __post_init__(self) -> None:
        _set(self, "title", _text("item.title", self.title))
        _set(self, "price", money.tiyin(self.price, "item.price"))
        _set(self, "discount", money.tiyin_or_zero(self.discount, "item.discount"))
        _set(self, "count", _count(self.count))
        _set(
            self,
            "code",
            _digits("item.code (IKPU)", self.code, r"[0-9]{17}", "an IKPU code of 17 digits"),
        )
        _set(
            self,
            "package_code",
            _digits("item.package_code", self.package_code, r"[0-9]{1,20}", "digits"),
        )
        _set(self, "vat_percent", _whole("item.vat_percent", self.vat_percent, 0, 100))
        if self.units is not None:
            _set(self, "units", _whole("item.units", self.units, 0, exact.MAX_INT))
        if self.discount > self.price * self.count:
            raise InvalidArgument("item.discount", self.discount, "at most price * count")

    @property
    def total(self) -> Decimal:
        """Price of the line in tiyin, after the discount."""
        return Decimal(self.price) * Decimal(self.count) - self.discount


class Detail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is sold, for the fiscal receipt.

    Attributes:
        items: The lines.
        shipping: Delivery.
        receipt_type: 0 for a sale or a return; Payme documents no other value.

    Example:
        >>> detail = Detail([Item(title="Non", price=500_000, count=2, code="00702001001000001",
        ...                       vat_percent=12, package_code="123456")])
        >>> detail.total
        Decimal('1000000')
    """

    items: list[Item]
    shipping: Shipping | None = None
    receipt_type: int = 0

    def __post_init__(self) -> None:
        items: object = self.items
        if (
            not isinstance(items, list)
            or not items
            or not all(isinstance(i, Item) for i in self.items)
        ):
            raise InvalidArgument("detail.items", type(items).__name__, "a non-empty list of Item")
        shipping: object = self.shipping
        if shipping is not None and not isinstance(shipping, Shipping):
            raise InvalidArgument("detail.shipping", type(shipping).__name__, "a Shipping")
        _set(self, "receipt_type", _whole("detail.receipt_type", self.receipt_type, 0, 99))

    @property
    def total(self) -> Decimal:
        """Sum of the lines and the delivery in tiyin."""
        return sum((item.total for item in self.items), Decimal(0)) + (
            self.shipping.price if self.shipping else 0
        )

    def params(self, amount: int) -> dict[str, Any]:
        """Make the `detail` member of a request.

        Args:
            amount: Amount of the receipt in tiyin.

        Returns:
            A JSON object.

        Raises:
            InvalidArgument: The lines and the delivery do not add up to the amount. That they must
                is INFERRED: Payme prints no such rule, but a fiscal receipt over another sum is
                void.
        """
        if self.total != amount:
            raise InvalidArgument(
                "detail",
                f"a sum of {self.total} tiyin",
                f"lines and delivery that add up to amount={amount}",
            )
        built: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(Decimal,))
        return {"receipt_type": self.receipt_type, **built}


class FiscalData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fiscal receipt that the merchant printed, for `receipts.set_fiscal_data`.

    Attributes:
        receipt_id: Sequential number in the virtual fiscal module.
        qr_code_url: Address of the fiscal receipt, `https://ofd.soliq.uz/check?...`.
        status_code: 0 when the operator of fiscal data (OFD) accepted it.
        message: The OFD's error text.
        terminal_id: Number of the virtual fiscal module, `EP000000000025`.
        fiscal_sign: Fiscal sign, digits as text.
        date: `yyyyMMddHHmmss`.
    """

    receipt_id: int
    qr_code_url: str
    status_code: int | None = None
    message: str | None = None
    terminal_id: str | None = None
    fiscal_sign: str | None = None
    date: str | None = None

    def __post_init__(self) -> None:
        number = _whole("fiscal.receipt_id", self.receipt_id, 0, exact.MAX_INT)
        _set(self, "receipt_id", number)
        if self.status_code is not None:
            code = _whole("fiscal.status_code", self.status_code, -exact.MAX_INT, exact.MAX_INT)
            _set(self, "status_code", code)
        for name in ("qr_code_url", "message", "terminal_id", "fiscal_sign", "date"):
            given: object = getattr(self, name)
            if given is not None:
                _set(self, name, _text(f"fiscal.{name}", given))
        if not str(self.qr_code_url).startswith(("http://", "https://")):
            raise InvalidArgument("fiscal.qr_code_url", self.qr_code_url, "an http(s) address")
        if self.date is not None and not re.fullmatch(r"[0-9]{14}", self.date):
            raise InvalidArgument("fiscal.date", self.date, "'yyyyMMddHHmmss'")


def _whole(name: str, given: object, least: int, most: int) -> int:
    number = exact.whole(given)
    if number is None or not least <= number <= most:
        raise InvalidArgument(name, given, f"a whole number from {least} to {most}")
    return number


def _digits(name: str, given: object, form: str, what: str = "digits") -> str:
    # The argument is called by its domain name, because `code` would be taken for an SMS code and
    # masked.
    digits = exact.text(given)
    if digits is None or not re.fullmatch(form, digits):
        raise InvalidArgument(name, given, f"{what}, as text")
    return digits


def _count(given: object) -> int | Decimal:
    number = exact.whole(given)
    if number is None and isinstance(given, Decimal) and given.is_finite():
        if 0 < given < 10**9:
            return given
    elif number is not None and 0 < number < 10**9:
        return number
    raise InvalidArgument(
        "item.count", given, "a positive int, or a Decimal for goods sold by weight"
    )
