"""Charges as the command line shows them: no token, and phones masked."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from payme import redact
from payme.charges import Charge, Event
from payme.cli import charge_words
from payme.cli.words import tell
from payme.money import format_som

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
    yield _ROW.format("id", "state", "soʻm", "receipt", "known from")
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
