"""How a charge and its events lie in rows: the same in every kind of ledger."""

from typing import Any, Final, TypeVar

import msgspec

from payme.charges.core import RESTS, Charge, Event, Save

T = TypeVar("T")

LONGEST_ID: Final = 128
PAGE: Final = 500
"""Rows that are read at once where there may be many."""

COLUMNS: Final = Charge.__struct_fields__
EVENT_COLUMNS: Final = Event.__struct_fields__

_JSON: Final = ("account", "detail")


def charge_row(charge: Charge) -> dict[str, Any]:
    """Make the row of a charge, without what it is paid with."""
    row = msgspec.structs.asdict(charge)
    for name in _JSON:
        row[name] = None if row[name] is None else msgspec.json.encode(row[name]).decode()
    return {**row, "state": charge.state.value}


def read_charge(row: Any) -> Charge:
    """Make a charge of a row that has `COLUMNS`."""
    members: dict[str, Any] = {name: row[name] for name in COLUMNS}
    for name in _JSON:
        members[name] = None if members[name] is None else msgspec.json.decode(members[name])
    return msgspec.convert(members, Charge)


def event_row(before: Charge | None, after: Charge) -> dict[str, Any]:
    """Make the row of an event: a charge came from one version to the next."""
    return {
        "charge_id": after.id,
        "version": after.version,
        "at": after.changed,
        "before": None if before is None else before.state.value,
        "after": after.state.value,
        "evidence": after.evidence,
        "receipt_id": after.receipt_id or (before.receipt_id if before else None),
    }


def read_event(row: Any) -> Event:
    """Make an event of a row that has `EVENT_COLUMNS`."""
    return msgspec.convert({name: row[name] for name in EVENT_COLUMNS}, Event)


def is_proven(change: Save) -> bool:
    """Return whether a change is one that the merchant's hook is told of."""
    return change.after.state in RESTS and change.after.state != change.before.state
