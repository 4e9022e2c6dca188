"""All that happened to a receipt, in the order of time."""

from collections.abc import Iterable
from typing import NamedTuple

from payme.sandbox.engine import LedgerEntry, Receipt
from payme.sandbox.traffic import Entry
from payme.sandbox.web.backend import History
from payme.sandbox.web.i18n import Say


class Event(NamedTuple):
    """One line of a receipt's timeline."""

    at: int
    what: str
    kind: str = ""
    """`bad` for a refusal, `wait` for what is yet to come; empty for the rest."""


def timeline(history: History, say: Say) -> list[Event]:
    """Put all that happened to a receipt in the order of time.

    Args:
        history: The receipt, its calls and the movements of its money.
        say: Says a text in the reader's language.
    """
    receipt = history.receipt
    # Events of the same moment stay in this order. A call is recorded with its answer, so it comes
    # after what it did; the receipt was there before all of it.
    made, later = _calls(history)
    events = [
        Event(receipt.create_time, say("created")),
        *made,
        *(Event(entry.time, _movement(entry, say)) for entry in history.entries),
        *_moments(receipt, say),
        *later,
    ]
    return sorted(events, key=lambda event: event.at)


def _calls(history: History) -> tuple[list[Event], list[Event]]:
    """List the call that made the receipt, if it is remembered, and those that came after."""
    calls = history.calls[::-1]
    made = [_call(call) for call in calls if call.method == "receipts.create"]
    return made, [_call(call) for call in calls if call.method != "receipts.create"]


def _call(call: Entry) -> Event:
    outcome = "ok" if call.code is None else f"{call.code} {call.reason or call.message}"
    fault = f", {call.fault}" if call.fault else ""
    bad = call.refused or call.fault
    return Event(call.at, f"{call.method}: {outcome}{fault}", "bad" if bad else "")


def _movement(entry: LedgerEntry, say: Say) -> str:
    return say("{kind} on the card {card}").format(kind=say(entry.kind), card=entry.card)


def _moments(receipt: Receipt, say: Say) -> Iterable[Event]:
    if receipt.pay_time:
        yield Event(receipt.pay_time, say("paid"))
    if receipt.cancel_time:
        yield Event(receipt.cancel_time, say("cancelled"))
    if receipt.due_at is not None:
        due = say("due: leaves state {state} by itself").format(state=int(receipt.state))
        yield Event(receipt.due_at, due, "wait")
