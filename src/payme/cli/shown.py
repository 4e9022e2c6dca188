"""Charges as the command line shows them: no token, and phones masked."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from payme import redact
from payme.charges import Charge, Event
from payme.cli import charge_words
from payme.cli.words import tell
from payme.money import format_som

if TYPE_CHECKING:
    from payme.charges.audit import Audit, Difference, Side

_ROW: Final = "{:<24} {:<10} {:>16} {:<24} {}"


def dumps(given: Any) -> str:
    """Write JSON."""
    return json.dumps(given, ensure_ascii=False)


def charge_json(charge: Charge) -> dict[str, Any]:
    """Return a charge for JSON."""
    return {
        "id": charge.id,
        "state": charge.state.value,
        "amount": charge.amount,
        "receipt_id": charge.receipt_id,
        "account": redact.tree(charge.account, "account"),
        "description": _scrubbed(charge.description),
        "hold": charge.hold,
        "receipts": charge.receipts,
        "attempts": charge.attempts,
        "given_up": charge.given_up,
        "needs_attention": charge.needs_attention,
        "evidence": charge.evidence,
        "code": charge.code,
        "message": _scrubbed(charge.message),
        "due": _moment(charge.due),
        "created": _moment(charge.created),
        "changed": _moment(charge.changed),
    }


def events_json(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return events for JSON."""
    return [
        {
            "version": event.version,
            "at": _moment(event.at),
            "before": None if event.before is None else event.before.value,
            "after": event.after.value,
            "evidence": event.evidence,
            "receipt_id": event.receipt_id,
        }
        for event in events
    ]


def _scrubbed(text: str | None) -> str | None:
    return None if text is None else redact.scrub(text)


def _moment(seconds: float | None) -> str | None:
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
    )


def json_list(charges: Iterable[Charge]) -> Iterator[str]:
    """Write a list of charges as JSON, a line each, in constant memory."""
    before = "["
    for charge in charges:
        yield f"{before}{dumps(charge_json(charge))}"
        before = ","
    yield "]" if before == "," else "[]"


def lines(charges: Iterable[Charge]) -> Iterator[str]:
    """Write a table of charges, in constant memory."""
    yield _ROW.format(
        "id",
        tell("holati", "состояние", "state"),
        tell("soʻm", "сум", "soʻm"),
        tell("chek", "чек", "receipt"),
        tell("nimadan maʼlum", "откуда известно", "known from"),
    )
    for charge in charges:
        yield _row(charge)


def _row(charge: Charge) -> str:
    needed = tell("odam koʻrishi kerak", "нужен человек", "a person must look at it")
    note = f"; {needed}" if charge.needs_attention else ""
    money = format_som(charge.amount)
    return _ROW.format(
        charge.id, charge.state, money, charge.receipt_id or "-", charge.evidence + note
    )


def sentence(charge: Charge) -> str:
    """Write what is known of a charge."""
    refused = f": {charge.code} {_scrubbed(charge.message)}" if charge.code is not None else ""
    return charge_words.sentence(charge, f"({charge.evidence}){refused}")


def story(charge: Charge, events: Iterable[Event]) -> Iterator[str]:
    """Write a charge and how it came to be what it is."""
    yield sentence(charge)
    for name, value in charge_json(charge).items():
        if value not in (None, False, 0) and name not in ("id", "state", "evidence"):
            yield f"  {name:<16} {dumps(value) if isinstance(value, dict) else value}"
    yield ""
    for event in events:
        before = "" if event.before in (None, event.after) else f"{event.before} -> "
        yield f"{_moment(event.at)}  {before}{event.after:<10}  {event.evidence}"


def audit_lines(audit: "Audit") -> Iterator[str]:
    """Write the differences of an audit as they are found, and the numbers."""
    for difference in audit.differences():
        yield _difference(difference)
    yield _numbers(audit)
    if audit.receipts and audit.transactions is not None and not audit.matched:
        yield tell(
            "birorta ham tranzaksiya chek identifikatoriga ega emas: ular shu kassaniki va shu "
            "muhitnikimi?",
            "ни у одной транзакции нет ID чека: они этой кассы и этой среды?",
            "no transaction has the id of a receipt: are they of this cash-box, and of this "
            "environment?",
        )


def audit_progress(audit: "Audit") -> str:
    """Say how far an audit is."""
    return ", ".join(_read(audit))


def _difference(difference: "Difference") -> str:
    # The kinds and the three books are called as the help and the JSON call them.
    kind, receipt_id, charge_id, payme, ledger, merchant, cancelled = difference
    sides = f"payme: {_side(payme)}  ledger: {_side(ledger)}  merchant: {_side(merchant)}"
    done = tell("hozir bekor qilindi", "сейчас отменён", "cancelled now")
    text = f"{kind:<13}  receipt {receipt_id or '-'}  charge {charge_id or '-'}  {sides}"
    return f"{text}; {done}" if cancelled else text


def _side(side: "Side | None") -> str:
    return side.text() if side else "-"


def _read(audit: "Audit") -> list[str]:
    receipts, charges, transactions = audit.receipts, audit.charges, audit.transactions
    read = [
        tell(f"{receipts:,} ta chek", f"чеков: {receipts:,}", f"{receipts:,} receipts"),
        tell(f"{charges:,} ta charge", f"списаний: {charges:,}", f"{charges:,} charges"),
    ]
    if transactions is not None:
        read.append(
            tell(
                f"{transactions:,} ta tranzaksiya",
                f"транзакций: {transactions:,}",
                f"{transactions:,} transactions",
            )
        )
    return read


def _numbers(audit: "Audit") -> str:
    differ, under_way, orphans = audit.differ, audit.under_way, audit.orphans_cancelled
    found = [
        tell(f"{differ} ta farq", f"расхождений: {differ}", f"{differ} differences")
        if differ
        else tell("hisoblar mos", "учёт сходится", "the books agree")
    ]
    if orphans:
        found.append(
            tell(
                f"{orphans} ta yetim chek bekor qilindi",
                f"отменено сирот: {orphans}",
                f"{orphans} orphans cancelled",
            )
        )
    going = tell(f"{under_way} tasi yoʻlda", f"в пути: {under_way}", f"{under_way} under way")
    return f"{', '.join([*_read(audit), going])}: {', '.join(found)}"
