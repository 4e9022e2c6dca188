"""How a receipt moves: every change of state goes through here, along `TRANSITIONS`.

These functions only compute. They return the receipt as it will be and what that means for the
card, and the caller stores both.
"""

from typing import Final

from msgspec.structs import replace

from payme.protocol.states import TRANSITIONS, ReceiptState
from payme.sandbox.engine.model import Card, EntryKind, LedgerEntry, Receipt, mask_number

HOLD_MS: Final = 30 * 24 * 60 * 60 * 1000
"""A hold is released after 30 days (CONFIRMED for Uzcard; taken for every card here)."""

S = ReceiptState

Move = tuple[Receipt, LedgerEntry]


def pay(receipt: Receipt, card: Card, payer: dict[str, str] | None, now: int) -> Move:
    """Take the money of a receipt, or reserve it if the receipt asks for a hold."""
    bound = replace(
        receipt,
        card_number=mask_number(card.number),
        card_expire=card.expire[2:] + card.expire[:2],
        payer=payer,
    )
    if receipt.hold:
        held = _walk(bound, S.BILLING_CREATE, S.HOLDING, S.HELD)
        return _with_entry(replace(held, due_at=now + HOLD_MS), "hold", now)
    paid = _walk(bound, S.BILLING_CREATE, S.DEBITING, S.BILLING_PERFORM, S.PAID)
    return _with_entry(replace(paid, pay_time=now), "debit", now)


def confirm(receipt: Receipt, now: int) -> Move:
    """Take the money that was held."""
    paid = replace(_walk(receipt, S.PAID), pay_time=now, due_at=None)
    return _with_entry(paid, "capture", now)


def cancel(receipt: Receipt, now: int, cancel_after_ms: int) -> Receipt:
    """Cancel a receipt: at once if nothing was paid, else by way of the queue.

    A receipt that is being cancelled or is cancelled stays as it is.
    """
    if receipt.state in {S.CANCEL_QUEUED, S.CANCELLED}:
        return receipt
    marked = replace(receipt, cancel_source="subscribe")
    if receipt.state is S.CREATED:
        return replace(_walk(marked, S.CANCELLED), cancel_time=now)
    return replace(_walk(marked, S.CANCEL_QUEUED), due_at=now + cancel_after_ms)


def settle(receipt: Receipt, now: int) -> Move | None:
    """Make the move that the clock alone makes: the end of a cancellation, or of a hold.

    Args:
        receipt: Receipt as stored.
        now: Time in ms.

    Returns:
        None if there is nothing due yet.
    """
    due_at = receipt.due_at
    if due_at is None or now < due_at:
        return None
    queued = _walk(receipt, S.CANCEL_QUEUED) if receipt.state is S.HELD else receipt
    done = replace(_walk(queued, S.CANCELLED), cancel_time=due_at, due_at=None)
    # Money that was only held never left the card, so it is released and not refunded.
    return _with_entry(done, "refund" if receipt.pay_time else "release", due_at)


def _walk(receipt: Receipt, *steps: ReceiptState) -> Receipt:
    """Move along the table, and fail loudly on a step that it does not have."""
    state = receipt.state
    for step in steps:
        if step not in TRANSITIONS[state]:
            raise AssertionError(f"a receipt does not go from {state} to {step}")
        state = step
    return replace(receipt, state=state)


def _with_entry(receipt: Receipt, kind: EntryKind, time: int) -> Move:
    entry = LedgerEntry(
        receipt_id=receipt.id,
        card=receipt.card_number or "",
        amount=receipt.amount,
        kind=kind,
        time=time,
    )
    return receipt, entry
