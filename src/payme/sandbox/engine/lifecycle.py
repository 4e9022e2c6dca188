"""How a receipt moves: every change of state goes through here, along `TRANSITIONS`.

These functions only compute. They return the receipt as it will be and what that means for the
card, and the caller stores both.
"""

from typing import Final

from msgspec.structs import replace

from payme.protocol.states import TRANSITIONS, ReceiptState
from payme.sandbox.engine.model import Card, EntryKind, LedgerEntry, Receipt, mask_number

HOLD_MS: Final = 30 * 24 * 60 * 60 * 1000
"""How long a hold can be cancelled. After that an Uzcard's is released by itself, and a Humo card's
can only be confirmed (both CONFIRMED)."""

HUMO: Final = "9860"
"""First digits of Humo cards."""

EXPIRED: Final = "expired"
"""`cancel_source` of a receipt that was not paid in time (our choice)."""

S = ReceiptState

Move = tuple[Receipt, LedgerEntry | None]
"""A receipt as it will be, and what that means for the card: None when no money moves."""


def pay(
    receipt: Receipt,
    card: Card,
    payer: dict[str, str] | None,
    now: int,
    cancel_paid_after_ms: int | None = None,
) -> Move:
    """Take the money of a receipt, or reserve it if the receipt asks for a hold."""
    bound = bind(receipt, card, payer)
    if receipt.hold:
        held = walk(bound, S.BILLING_CREATE, S.HOLDING, S.HELD)
        return with_entry(hold_until(held, now + HOLD_MS), "hold", now)
    paid = walk(bound, S.BILLING_CREATE, S.DEBITING, S.BILLING_PERFORM, S.PAID)
    due_at = _due(now, cancel_paid_after_ms)
    return with_entry(replace(paid, pay_time=now, taken_at=now, due_at=due_at), "debit", now)


def hold_until(receipt: Receipt, moment: int) -> Receipt:
    """Note on a held receipt until when its hold can be cancelled, and what comes then."""
    due_at = None if stays_held(receipt) else moment
    return replace(receipt, held_until=moment, due_at=due_at)


def stays_held(receipt: Receipt) -> bool:
    """Return whether a hold on the receipt's card outlives its 30 days: on a Humo card it does."""
    return (receipt.card_number or "").startswith(HUMO)


def may_cancel(receipt: Receipt, now: int) -> bool:
    """Return whether a receipt can be cancelled as far as its hold is concerned."""
    over = receipt.state is S.HELD and 0 < receipt.held_until <= now
    return not (over and stays_held(receipt))


def bind(receipt: Receipt, card: Card, payer: dict[str, str] | None) -> Receipt:
    """Note on a receipt which card pays for it, and who."""
    return replace(
        receipt,
        card_number=mask_number(card.number),
        card_expire=card.expire[2:] + card.expire[:2],
        payer=payer,
    )


def confirm(receipt: Receipt, now: int) -> Move:
    """Take the money that was held."""
    paid = replace(walk(receipt, S.PAID), pay_time=now, taken_at=now, due_at=None)
    return with_entry(paid, "capture", now)


def cancel(receipt: Receipt, now: int, cancel_after_ms: int) -> Receipt:
    """Cancel a receipt: at once if nothing was paid, else by way of the queue.

    A receipt that is being cancelled or is cancelled stays as it is.
    """
    if receipt.state in {S.CANCEL_QUEUED, S.CANCELLED}:
        return receipt
    marked = replace(receipt, cancel_source="subscribe")
    if receipt.state is S.CREATED:
        return replace(walk(marked, S.CANCELLED), cancel_time=now, due_at=None)
    return replace(walk(marked, S.CANCEL_QUEUED), due_at=now + cancel_after_ms)


def settle(receipt: Receipt, now: int, cancel_after_ms: int) -> Move | None:
    """Make one move that the clock alone makes.

    It ends a cancellation, a hold or the life of an unpaid receipt, or cancels a paid one.

    Args:
        receipt: Receipt as stored.
        now: Time in ms.
        cancel_after_ms: How long a paid receipt stays in the cancellation queue.

    Returns:
        None if there is nothing due yet.
    """
    due_at = receipt.due_at
    if due_at is None or now < due_at:
        return None
    if receipt.state is S.CREATED:
        over = replace(receipt, cancel_source=EXPIRED, cancel_time=due_at, due_at=None)
        return walk(over, S.CANCELLED), None
    if receipt.state is S.PAID:
        taken_back = replace(walk(receipt, S.CANCEL_QUEUED), cancel_source="payme")
        return replace(taken_back, due_at=due_at + cancel_after_ms), None
    queued = walk(receipt, S.CANCEL_QUEUED) if receipt.state is S.HELD else receipt
    return give_back(queued, due_at)


def give_back(receipt: Receipt, now: int) -> Move:
    """End a cancellation: the money goes back to the card."""
    done = replace(walk(receipt, S.CANCELLED), cancel_time=now, due_at=None)
    # Money that was only held never left the card, so it is released and not refunded. Files of
    # earlier versions have only `pay_time`.
    taken = receipt.taken_at or receipt.pay_time
    return with_entry(done, "refund" if taken else "release", now)


def _due(now: int, after_ms: int | None) -> int | None:
    return None if after_ms is None else now + after_ms


def walk(receipt: Receipt, *steps: ReceiptState) -> Receipt:
    """Move along the table, and fail loudly on a step that it does not have."""
    state = receipt.state
    for step in steps:
        if step not in TRANSITIONS[state]:
            raise AssertionError(f"a receipt does not go from {state} to {step}")
        state = step
    return replace(receipt, state=state)


def with_entry(receipt: Receipt, kind: EntryKind, time: int) -> Move:
    """Say with a move what it means for the card."""
    entry = LedgerEntry(
        receipt_id=receipt.id,
        card=receipt.card_number or "",
        amount=receipt.amount,
        kind=kind,
        time=time,
    )
    return receipt, entry
