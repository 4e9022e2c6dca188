"""What the control API says of what it finds, as JSON without secrets."""

from collections.abc import Collection
from typing import Any

import msgspec

from payme import redact
from payme.sandbox.cash_box import CashBox
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine.durations import iso
from payme.sandbox.engine.model import Card, LedgerEntry, Receipt, Sms, mask_number
from payme.sandbox.engine.testcards import TEST_CARDS, KnownCard


def cash_box(box: CashBox) -> dict[str, Any]:
    """Describe a cash-box."""
    config = box.config
    return {
        "merchant_id": config.merchant_id,
        "merchant_name": box.name,
        "account_fields": config.account_fields,
        "min_amount": config.min_amount,
        "max_amount": config.max_amount,
        "merchant": config.merchant,
    }


def clock(clock: SandboxClock) -> dict[str, Any]:
    """Describe where the clock stands."""
    now = clock.now()
    return {"now": now, "iso": iso(now), "frozen": clock.frozen}


def receipt(receipt: Receipt, secrets: Collection[str] = ()) -> dict[str, Any]:
    """Describe a receipt, without the strings that are secret here."""
    return {
        "id": receipt.id,
        "state": receipt.state,
        "state_name": receipt.state.name,
        "amount": receipt.amount,
        "account": redact.account(receipt.account, secrets),
        "hold": receipt.hold,
        "card": receipt.card_number,
        "create_time": receipt.create_time,
        "pay_time": receipt.pay_time,
        "cancel_time": receipt.cancel_time,
        "due_at": receipt.due_at,
    }


def card(card: Card) -> dict[str, Any]:
    """Describe a card."""
    return {
        "number": mask_number(card.number),
        "recurrent": card.recurrent,
        "verified": card.verified,
        "removed": card.removed,
        "code_sent_at": card.code_sent_at,
        "wrong_codes": card.wrong_codes,
    }


def sms(sms: Sms) -> dict[str, Any]:
    """Describe a message."""
    shown: dict[str, Any] = redact.tree(msgspec.to_builtins(sms))
    return shown


def entry(entry: LedgerEntry) -> dict[str, Any]:
    """Describe a movement of money."""
    members: dict[str, Any] = msgspec.to_builtins(entry)
    return members


def known_card(card: KnownCard) -> dict[str, Any]:
    """Show what a test card does. A number of one's own may be a real card's, so it is masked."""
    return {
        "number": card.number if card.number in TEST_CARDS else mask_number(card.number),
        "expire": card.expire,
        "behaviour": card.behaviour,
        "code": card.code or None,
        "note": card.note,
    }
