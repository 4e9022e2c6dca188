"""The lines of a receipt's `detail`: what is sold, under which IKPU, at which price."""

from typing import Any, NamedTuple, cast

from payme import redact
from payme.money import format_som
from payme.sandbox.engine import masking


class Line(NamedTuple):
    """One line, each member as text and empty when it was not sent."""

    kind: str
    """`item`, `shipping` or `discount`."""
    title: str
    code: str
    """IKPU."""
    quantity: str
    price: str
    """Soʻm for one."""
    total: str
    """Soʻm for all, less the discount."""
    discount: str
    vat: str
    """Percent."""
    package: str
    """Code of the package."""


def lines(detail: dict[str, Any] | None) -> list[Line]:
    """List the lines of a detail; what is not as Payme's pages have it is shown as it came."""
    given = detail or {}
    items = given.get("items")
    rows = [("item", one) for one in cast("list[Any]", items)] if isinstance(items, list) else []
    rows += [(name, given[name]) for name in ("shipping", "discount") if given.get(name)]
    return [_line(kind, cast("dict[str, Any]", row)) for kind, row in rows if isinstance(row, dict)]


def _line(kind: str, row: dict[str, Any]) -> Line:
    price, count = row.get("price"), row.get("count", 1)
    discount = row.get("discount") or 0
    total = None
    if _is_number(price) and _is_number(count) and _is_number(discount):
        total = price * count - discount
    return Line(
        kind,
        redact.scrub(_text(row.get("title"))),
        _ikpu(row.get("code")),
        _text(row.get("count")),
        _sum(price),
        _sum(total),
        _sum(discount) if discount else "",
        _text(row.get("vat_percent")),
        _text(row.get("package_code")),
    )


def _ikpu(value: Any) -> str:
    """Show an IKPU, whose 17 digits would be taken for a card's."""
    return value if masking.is_ikpu(value) else _text(value)


def _sum(value: Any) -> str:
    """Write tiyin as soʻm, and anything else as it came."""
    if _is_number(value) and value == int(value):
        return format_som(int(value))
    return _text(value)


def _text(value: Any) -> str:
    return "" if value is None else redact.scrub(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
