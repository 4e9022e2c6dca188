"""What a merchant sends, as values that are checked when they are made.

Source: https://developer.help.paycom.uz/metody-subscribe-api/receipts.create
"""

import re
from decimal import Decimal
from typing import Any

import msgspec

from payme import money, redact
from payme.errors import InvalidArgument
from payme.protocol.arguments import optional_text as _text


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
        _text("shipping.title", self.title)
        money.tiyin_or_zero(self.price, "shipping.price")


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
        _text("item.title", self.title)
        money.tiyin(self.price, "item.price")
        money.tiyin_or_zero(self.discount, "item.discount")
        self._check_count()
        self._check_codes()
        if self.discount > self.price * self.count:
            raise InvalidArgument("item.discount", self.discount, "at most price * count")

    def _check_count(self) -> None:
        count: object = self.count
        if isinstance(count, bool) or not isinstance(count, int | Decimal) or not 0 < count < 10**9:
            raise InvalidArgument(
                "item.count", count, "a positive int, or a Decimal for goods sold by weight"
            )

    def _check_codes(self) -> None:
        # The argument is called by its domain name, because `code` would be taken for an SMS code
        # and masked.
        if not isinstance(self.code, str) or not re.fullmatch(r"[0-9]{17}", self.code):
            raise InvalidArgument(
                "item.code (IKPU)", self.code, "an IKPU code of 17 digits, as text"
            )
        if not isinstance(self.package_code, str) or not re.fullmatch(
            r"[0-9]{1,20}", self.package_code
        ):
            raise InvalidArgument("item.package_code", self.package_code, "digits, as text")
        vat: object = self.vat_percent
        if isinstance(vat, bool) or not isinstance(vat, int) or not 0 <= vat <= 100:
            raise InvalidArgument("item.vat_percent", vat, "a whole number from 0 to 100")

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
        number: object = self.receipt_id
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InvalidArgument(
                "fiscal.receipt_id", number, "the number of the fiscal receipt, a whole number"
            )
        if not isinstance(self.qr_code_url, str) or not self.qr_code_url.startswith(
            ("http://", "https://")
        ):
            raise InvalidArgument("fiscal.qr_code_url", self.qr_code_url, "an http(s) address")
        if self.date is not None and not re.fullmatch(r"[0-9]{14}", str(self.date)):
            raise InvalidArgument("fiscal.date", self.date, "'yyyyMMddHHmmss'")
