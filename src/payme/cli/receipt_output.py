"""Receipts as the command line shows them: phones in accounts masked, cards as Payme masks them."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal, cast

from payme import redact
from payme.cli.words import tell
from payme.money import format_som
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState

Format = Literal["table", "json", "csv"]

FORMATS: Final = ("table", "json", "csv")

_TASHKENT: Final = timezone(timedelta(hours=5))
_ROW: Final = "{:<24}  {:<16}  {:<12}  {:>16}  {:<16}  {}"
_IKPU: Final = re.compile(r"[0-9]{17}")
_COLUMNS: Final = (
    "id", "state", "state_name", "amount", "commission", "created", "paid", "cancelled", "card",
    "account", "description",
)  # fmt: skip

# Payme's numbers (CONFIRMED) in words.
_STATES: Final[dict[int, tuple[str, str, str]]] = {
    0: ("yaratilgan", "создан", "created"),
    1: ("yaratilmoqda", "создаётся", "creating"),
    2: ("yechilmoqda", "списание", "debiting"),
    3: ("yopilmoqda", "закрывается", "performing"),
    4: ("toʻlangan", "оплачен", "paid"),
    5: ("ushlab turilgan", "захолдирован", "held"),
    6: ("ushlanmoqda", "холдируется", "holding"),
    20: ("toʻxtatilgan", "приостановлен", "suspended"),
    21: ("bekor navbatda", "в очереди отмены", "cancel queued"),
    30: ("navbatda", "в очереди", "queued"),
    50: ("bekor qilingan", "отменён", "cancelled"),
}


def state_in_words(state: ReceiptState) -> str:
    """Say a state in the language of this process; an unknown one by its number."""
    words = _STATES.get(int(state))
    return tell(*words) if words else str(int(state))


def receipt_json(receipt: Receipt, *, show_account: bool) -> dict[str, Any]:
    """Return a receipt for JSON.

    Args:
        receipt: The receipt.
        show_account: Show values of its account that may be phones.

    Returns:
        Amounts in tiyin, moments in ISO 8601 with their offset.
    """
    return {
        "id": receipt.id,
        "state": int(receipt.state),
        "state_name": receipt.state.name.lower(),
        "amount": receipt.amount,
        "commission": receipt.commission,
        "currency": receipt.currency,
        "account": _account(receipt, show_account=show_account),
        "description": redact.scrub(receipt.description or ""),
        "created": _iso(receipt.created_at),
        "paid": _iso(receipt.paid_at),
        "cancelled": _iso(receipt.cancelled_at),
        "card": redact.card_number(receipt.card.number) if receipt.card else None,
        "error": redact.tree(receipt.error),
        "detail": _detail(receipt.detail),
    }


def _account(receipt: Receipt, *, show_account: bool) -> dict[str, Any]:
    fields = receipt.account or ()
    if show_account:
        return {field.name: field.value for field in fields}
    return {field.name: redact.account_value(field.value) for field in fields}


def _detail(detail: Any) -> Any:
    """Redact lines, and leave IKPU codes: 17 digits of goods, where a card number never stands."""
    redacted = redact.tree(detail)
    for given, masked in zip(_items(detail), _items(redacted), strict=True):
        code = given.get("code")
        if isinstance(code, str) and _IKPU.fullmatch(code):
            masked["code"] = code
    return redacted


def _items(detail: Any) -> list[dict[str, Any]]:
    """Return the lines of a detail, whatever shape it has."""
    members = cast("dict[str, Any]", detail) if isinstance(detail, dict) else {}
    items: Any = members.get("items")
    found = cast("list[Any]", items) if isinstance(items, list) else []
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat("T", "seconds")


def written(
    receipts: Iterable[Receipt], format_: Format, *, show_account: bool = False
) -> Iterator[str]:
    """Write receipts as they come, in constant memory.

    Args:
        receipts: The receipts.
        format_: `table`, `json` (one object with the list `receipts`) or `csv`.
        show_account: Show values of accounts that may be phones.

    Yields:
        Lines.
    """
    if format_ == "json":
        yield from _json(receipts, show_account=show_account)
    elif format_ == "csv":
        yield _csv_row(_COLUMNS)
        for receipt in receipts:
            told = receipt_json(receipt, show_account=show_account)
            told["account"] = _in_a_line(told["account"])
            yield _csv_row(told[name] for name in _COLUMNS)
    else:
        yield from _table(receipts, show_account=show_account)


def _json(receipts: Iterable[Receipt], *, show_account: bool) -> Iterator[str]:
    before, count = '{"receipts":[', 0
    for receipt in receipts:
        one = json.dumps(receipt_json(receipt, show_account=show_account), ensure_ascii=False)
        yield f"{before}{one}"
        before, count = ",", count + 1
    yield f'{before if count == 0 else ""}],"count":{count}}}'


def _csv_row(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([_cell(one) for one in cells])
    return out.getvalue()


def _cell(value: Any) -> Any:
    # A spreadsheet runs a cell that begins like a formula, and payers write descriptions.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _table(receipts: Iterable[Receipt], *, show_account: bool) -> Iterator[str]:
    yield _ROW.format(
        "id",
        tell("holati", "состояние", "state"),
        tell("yaratilgan", "создан", "created"),
        tell("soʻm", "сум", "soʻm"),
        tell("karta", "карта", "card"),
        "account",
    ).rstrip()
    count = paid = 0
    for receipt in receipts:
        count += 1
        paid += receipt.amount if receipt.is_paid else 0
        yield _row(receipt, show_account=show_account)
    money = format_som(paid)
    yield tell(
        f"{count} ta chek; toʻlangani {money} soʻm",
        f"чеков: {count}; оплачено {money} сум",
        f"{count} receipts; {money} soʻm paid",
    )


def _row(receipt: Receipt, *, show_account: bool) -> str:
    account = _in_a_line(_account(receipt, show_account=show_account))
    text = redact.scrub(receipt.description or "")
    return plain(
        _ROW.format(
            receipt.id,
            state_in_words(receipt.state),
            f"{receipt.created_at.astimezone(_TASHKENT):%d.%m.%y %H:%M}"[:14],
            format_som(receipt.amount),
            redact.card_number(receipt.card.number) if receipt.card else "-",
            f"{account}  {text}".strip(),
        )
    ).rstrip()


def _in_a_line(account: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in account.items())


def plain(text: str) -> str:
    """Take control characters out: what a payer wrote must not move the cursor of a terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


def sentence(receipt: Receipt) -> str:
    """Say what is known of a receipt, in a line."""
    return f"{receipt.id}: {state_in_words(receipt.state)}, {money(receipt.amount)}"


def money(amount: int) -> str:
    """Write an amount in tiyin as soʻm, with the word."""
    return f"{format_som(amount)} {tell('soʻm', 'сум', 'soʻm')}"


def story(receipt: Receipt, *, show_account: bool) -> Iterator[str]:
    """Write a receipt with all that is known of it.

    Args:
        receipt: The receipt.
        show_account: Show values of its account that may be phones.

    Yields:
        Lines.
    """
    yield sentence(receipt)
    told = receipt_json(receipt, show_account=show_account)
    for name in ("created", "paid", "cancelled", "card", "commission", "description"):
        if told[name]:
            yield plain(f"  {name:<12} {told[name]}")
    for name, value in told["account"].items():
        yield plain(f"  account.{name} = {value}")
    if told["error"]:
        yield plain(f"  error        {json.dumps(told['error'], ensure_ascii=False)}")
    for line in _items(told["detail"]):
        yield plain(f"  {_fiscal_line(line)}")


def _fiscal_line(line: dict[str, Any]) -> str:
    title, count, price = line.get("title"), line.get("count"), line.get("price")
    each = money(price) if isinstance(price, int) else price
    return f"{title}: {count} x {each}, IKPU {line.get('code')}"
