"""The steps of a payment that does not end at once, and what follows from each answer.

A payment takes steps when a merchant's billing has its say in it, or when the sandbox is told to
take its time. Where it stands is in `Receipt.billing`, stored before anything is sent: whoever
finds the receipt after a `kill -9` takes the same step again, with the same params, as Payme does
(CONFIRMED: a lost answer to CreateTransaction or PerformTransaction is asked for again).

    create -> debit -> perform -> fiscal        a payment, perhaps with a later withdraw
    create -> debit -> release                  a hold, until confirm_hold asks to perform
    cancel -> finish -> fiscal                  a refund

Like those of `lifecycle`, these functions compute the receipt as it will be; they write nothing but
the ledger and the card.
"""

import dataclasses
from typing import Final, Literal

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import asks, cards, fiscal, lifecycle
from payme.sandbox.engine.asks import Ask, Heard, MerchantRequest
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.model import Billing, Card, Receipt, Step
from payme.sandbox.engine.refusals import Reason, Refused
from payme.sandbox.engine.testcards import TEST_CARDS

TIMEOUT_MS: Final = 12 * 60 * 60 * 1000
"""Age at which an unperformed transaction is given up (CONFIRMED)."""

DEBIT_ERROR, EXECUTION_ERROR, TIMEOUT, REFUND = 2, 3, 4, 5
"""Reasons of CancelTransaction. The numbers are CONFIRMED, when each is sent is INFERRED."""

_FIRST_PAUSE_MS: Final = 60 * 1000
_LONGEST_PAUSE_MS: Final = 60 * 60 * 1000

S = ReceiptState

UNDERWAY: Final = frozenset({S.BILLING_CREATE, S.DEBITING, S.BILLING_PERFORM, S.HOLDING})
"""States that a payment only passes through."""

CANCELLING: Final = frozenset({S.CANCEL_QUEUED, S.CANCELLED})

# Nothing has left the card in these.
_UNPAID: Final = frozenset({S.BILLING_CREATE, S.DEBITING, S.HOLDING})

_ASKING: Final[frozenset[Step | None]] = frozenset({"create", "perform", "cancel", "fiscal"})

# How many steps of its own a payment has behind it in each state, for `after_checks`.
_DONE: Final = {S.BILLING_CREATE: 0, S.DEBITING: 1, S.HOLDING: 1, S.BILLING_PERFORM: 2}


# Begin


def pay(call: Call, receipt: Receipt, card: Card, payer: dict[str, str] | None) -> Receipt:
    """Begin a payment."""
    begun = lifecycle.walk(lifecycle.bind(receipt, card, payer), S.BILLING_CREATE)
    billing = Billing(time=call.now, token=card.token)
    return _paced(call, replace(begun, billing=billing, due_at=call.now), "create")


def confirm(call: Call, receipt: Receipt) -> Receipt:
    """Begin to take what is held. Twelve hours run from here: the hold itself lasts 30 days."""
    fresh = replace(receipt, billing=replace(_billing(receipt), refusal=None))
    return _then(call, fresh, "perform", until=call.now + TIMEOUT_MS)


def cancel(call: Call, receipt: Receipt, source: str = "subscribe") -> Receipt:
    """Begin a refund, or the release of a hold.

    Args:
        call: The call.
        receipt: The receipt.
        source: Who wants it; the receipt will show it once the cancellation is queued.
    """
    billing = replace(_billing(receipt), source=source, refusal=None)
    return _then(call, replace(receipt, billing=billing), "cancel", reason=REFUND)


def resume(call: Call, receipt: Receipt) -> Receipt:
    """Take up what was left lying: a suspended payment, a cancellation that the merchant refused.

    A receipt that waits for its next attempt makes it now. Any other stays as it is.
    """
    billing = _billing(receipt)
    if receipt.state is S.SUSPENDED:
        performing = lifecycle.walk(receipt, S.BILLING_PERFORM)
        return _then(call, performing, "perform", until=call.now + TIMEOUT_MS)
    if receipt.state is S.CANCEL_QUEUED and billing.step is None:
        return cancel(call, receipt)
    waits = receipt.due_at is not None and billing.step in _ASKING
    return replace(receipt, due_at=call.now) if waits else receipt


def nudge(call: Call, receipt: Receipt) -> Receipt:
    """Count a look at the receipt, where looks are what moves it on."""
    if receipt.billing is None or not _waits_for_checks(call, receipt):
        return receipt
    return replace(receipt, billing=replace(receipt.billing, checks=receipt.billing.checks + 1))


def may_move_on(call: Call, receipt: Receipt) -> bool:
    """Return whether the receipt was looked at often enough to take its next step."""
    if receipt.billing is None or not _waits_for_checks(call, receipt):
        return False
    steps = 2 if receipt.hold else 3
    return steps * receipt.billing.checks // call.config.progression.amount > _DONE[receipt.state]


def _waits_for_checks(call: Call, receipt: Receipt) -> bool:
    by_checks = call.config.progression.kind == "after_checks"
    return by_checks and receipt.state in UNDERWAY and receipt.due_at is None


# Go on


def is_due(receipt: Receipt, now: int) -> bool:
    """Return whether the next step may be taken."""
    due_at = receipt.due_at
    return (
        receipt.billing is not None
        and receipt.billing.step is not None
        and due_at is not None
        and due_at <= now
    )


def needs_merchant(call: Call, receipt: Receipt) -> bool:
    """Return whether the next step is to ask the merchant."""
    if not call.config.merchant or _billing(receipt).step not in _ASKING:
        return False
    return not _is_late(call, receipt)


def settled(call: Call, receipt: Receipt) -> Receipt:
    """Take every step that is due and needs no merchant, and store the receipt after each."""
    if receipt.id in call.asked:
        return receipt
    while is_due(receipt, call.now) and not needs_merchant(call, receipt):
        receipt = take(at_its_time(call, receipt), receipt)
        call.state.put_receipt(receipt)
    return receipt


def at_its_time(call: Call, receipt: Receipt) -> Call:
    """Go back to when a step became due, so that what follows from it follows from there.

    With a merchant nothing goes back: it is asked now, and has its twelve hours from now on.
    """
    due_at = receipt.due_at
    if call.config.merchant or due_at is None or due_at >= call.now:
        return call
    return dataclasses.replace(call, now=due_at)


def take(call: Call, receipt: Receipt) -> Receipt:
    """Take a step that needs no merchant."""
    step = _billing(receipt).step
    if step == "create":
        return _created(call, receipt)
    if step == "debit":
        return _debit(call, receipt)
    if step == "perform":
        return _expired(call, receipt) if call.config.merchant else _performed(call, receipt)
    if step == "cancel":
        return _cancelled(call, receipt)
    return _take_back(call, receipt, step)


def _take_back(call: Call, receipt: Receipt, step: Step | None) -> Receipt:
    if step == "finish":
        return _finish(call, receipt)
    if step == "withdraw":
        return cancel(call, receipt, "payme")
    return _release(call, receipt) if step == "release" else _rest(call, receipt)


def ask(call: Call, receipt: Receipt) -> tuple[Receipt, Ask]:
    """Take a step that asks the merchant.

    Returns:
        The receipt, to be stored before anything is sent, and what to send.
    """
    billing = _billing(receipt)
    attempts = billing.attempts + 1
    # Counted as arrived until it is certain that it did not.
    reached = billing.reached + (billing.step == "create")
    counted = replace(receipt, billing=replace(billing, attempts=attempts, reached=reached))
    request = _request(call, receipt, call.state.next_number("exchange"))
    pauses = (0, *call.config.merchant_pauses_ms)
    pause = pauses[billing.attempts] if billing.attempts < len(pauses) else 0
    return counted, Ask(request, receipt.id, attempts, pause)


def heard(call: Call, receipt: Receipt, answer: Heard) -> Receipt:
    """Draw the consequences of an answer, or of none."""
    step = _billing(receipt).step
    if step == "create":
        return _heard_create(call, receipt, answer)
    if step == "perform":
        return _heard_perform(call, receipt, answer)
    if step == "cancel":
        return _heard_cancel(call, receipt, answer)
    # A fiscal receipt is sent once; what the merchant makes of it changes nothing (our choice).
    return _rest(call, receipt)


def refusal(answer: Heard) -> Refused:
    """Tell the caller of the Subscribe API what the merchant said, or that it said nothing."""
    if answer.error is None:
        return Refused(Reason.MERCHANT_UNAVAILABLE)
    return Refused(Reason.MERCHANT_REFUSED, answer.error)


def failure(call: Call, receipt: Receipt) -> Refused | None:
    """Return why a payment failed; None if it did not."""
    billing = receipt.billing
    if billing is None or not billing.failure or receipt.error is None:
        return None
    delay = call.config.slow_card_ms if billing.failure == Reason.DEBIT_FAILED else 0
    return Refused(Reason(billing.failure), receipt.error["data"], delay_ms=delay)


# Create


def _heard_create(call: Call, receipt: Receipt, answer: Heard) -> Receipt:
    if answer.agreed:
        return _created(call, receipt)
    billing = _billing(receipt)
    if answer.refused:
        failed = _failed(receipt, refusal(answer))
        # An earlier request may have made the transaction, and only its answer was lost.
        return _undo(call, failed, EXECUTION_ERROR, made=billing.reached > 1)
    if answer.outcome == "unreachable":
        receipt = replace(receipt, billing=replace(billing, reached=billing.reached - 1))
    if _may_repeat(call, receipt):
        return _again(call, receipt)
    failed = _failed(receipt, refusal(answer))
    return _undo(call, failed, EXECUTION_ERROR, made=_billing(receipt).reached > 0)


def _created(call: Call, receipt: Receipt) -> Receipt:
    state = S.HOLDING if receipt.hold else S.DEBITING
    return _paced(call, lifecycle.walk(receipt, state), "debit")


# Debit


def _debit(call: Call, receipt: Receipt) -> Receipt:
    try:
        card = cards.find(call, _billing(receipt).token or "")
        require_funds(call, card)
    except Refused as refused:
        return _undo(call, _failed(receipt, refused), DEBIT_ERROR, made=call.config.merchant)
    if not card.recurrent:
        cards.forget(call, card)
    receipt = replace(receipt, billing=replace(_billing(receipt), token=None))
    return _held(call, receipt) if receipt.hold else _debited(call, receipt)


# A card that was good when it was bound may expire or be blocked later.
_REFUSED_AT_DEBIT: Final = {
    "insufficient_funds": Reason.INSUFFICIENT_FUNDS,
    "expired": Reason.CARD_EXPIRED,
    "blocked": Reason.CARD_BLOCKED,
}


def require_funds(call: Call, card: Card) -> None:
    """Refuse a card that can't be debited; nothing has been written when this raises."""
    behaviour = TEST_CARDS[card.number].behaviour
    if behaviour == "system_error":
        raise Refused(Reason.CARD_SYSTEM_ERROR)
    if behaviour == "slow":
        raise Refused(Reason.DEBIT_FAILED, delay_ms=call.config.slow_card_ms)
    if behaviour in _REFUSED_AT_DEBIT:
        raise Refused(_REFUSED_AT_DEBIT[behaviour])


def _debited(call: Call, receipt: Receipt) -> Receipt:
    at = _moment(call, receipt)
    taken = replace(lifecycle.walk(receipt, S.BILLING_PERFORM), taken_at=at)
    until = _billing(receipt).time + TIMEOUT_MS
    return _paced(call, _entered(call, taken, "debit", at), "perform", until=until)


def _held(call: Call, receipt: Receipt) -> Receipt:
    at = _moment(call, receipt)
    held = _entered(call, lifecycle.walk(receipt, S.HELD), "hold", at)
    billing = replace(_billing(held), held_until=at + lifecycle.HOLD_MS)
    return _rest(call, replace(held, billing=billing))


# Perform


def _heard_perform(call: Call, receipt: Receipt, answer: Heard) -> Receipt:
    if answer.agreed:
        return _performed(call, receipt)
    if answer.refused:
        failed = _failed(receipt, refusal(answer))
        return _undo(call, failed, EXECUTION_ERROR, made=True)
    if _may_repeat(call, receipt):
        return _again(call, receipt)
    if receipt.state is S.BILLING_PERFORM:
        receipt = lifecycle.walk(receipt, S.PERFORM_QUEUED)
    return _later(call, receipt)


def _performed(call: Call, receipt: Receipt) -> Receipt:
    at = _moment(call, receipt)
    paid = replace(lifecycle.walk(receipt, S.PAID), pay_time=at, taken_at=receipt.taken_at or at)
    if receipt.state is S.HELD:
        paid = _entered(call, paid, "capture", at)
    return _then(call, paid, "fiscal") if call.config.merchant else _rest(call, paid)


def _is_late(call: Call, receipt: Receipt) -> bool:
    billing = _billing(receipt)
    return billing.step == "perform" and billing.until is not None and billing.until <= call.now


def _expired(call: Call, receipt: Receipt) -> Receipt:
    until = call.now + TIMEOUT_MS
    return _then(call, receipt, "cancel", reason=TIMEOUT, until=until, patient=False)


# Cancel


def _heard_cancel(call: Call, receipt: Receipt, answer: Heard) -> Receipt:
    if answer.agreed or answer.code == asks.NOT_FOUND:
        return _cancelled(call, receipt)
    if answer.code == asks.CANNOT_CANCEL:
        return _kept(call, _refused(receipt, answer))
    if answer.refused and receipt.state in {S.PAID, S.HELD} and _billing(receipt).reason == REFUND:
        return _rest(call, _refused(receipt, answer))
    if _may_repeat(call, receipt):
        return _again(call, receipt)
    return _unheard(call, receipt)


def _cancelled(call: Call, receipt: Receipt) -> Receipt:
    """Go on after the merchant cancelled, or said that it knows of no transaction."""
    if receipt.state is S.CANCELLED:
        return _rest(call, receipt)
    if receipt.state in _UNPAID:
        return _rest(call, _void(call, receipt))
    refund = _billing(receipt).reason == REFUND
    queued = _queued(receipt)
    due_at = _moment(call, receipt) + (call.config.cancel_after_ms if refund else 0)
    return replace(_then(call, queued, "finish"), due_at=due_at)


def _kept(call: Call, receipt: Receipt) -> Receipt:
    """Go on after the merchant said that it has performed and can't cancel (-31007)."""
    late = receipt.state is S.HELD and _billing(receipt).reason == TIMEOUT
    if late or receipt.state in {S.PERFORM_QUEUED, S.SUSPENDED}:
        return _performed(call, receipt)
    if receipt.state is S.BILLING_PERFORM:
        # It refused to perform, and now says that it did: this takes a person.
        return _rest(call, lifecycle.walk(receipt, S.SUSPENDED))
    return _rest(call, _void(call, receipt)) if receipt.state in _UNPAID else _rest(call, receipt)


def _unheard(call: Call, receipt: Receipt) -> Receipt:
    """Go on after CancelTransaction was not answered: what is certain is done all the same."""
    billing = _billing(receipt)
    if receipt.state in _UNPAID:
        return _keep_asking(call, _void(call, receipt))
    if billing.reason == EXECUTION_ERROR and receipt.state is not S.CANCELLED:
        return _keep_asking(call, _given_back(call, _queued(receipt), call.now))
    if billing.until is not None and billing.until <= call.now:
        return _given_up(call, receipt)
    return _later(call, _queued(receipt) if billing.reason == REFUND else receipt)


def _keep_asking(call: Call, receipt: Receipt) -> Receipt:
    billing = replace(_billing(receipt), until=call.now + TIMEOUT_MS)
    return _later(call, replace(receipt, billing=billing))


def _given_up(call: Call, receipt: Receipt) -> Receipt:
    """Leave a payment to a person: the money is taken, and the merchant's word is missing."""
    if receipt.state is S.PERFORM_QUEUED:
        receipt = lifecycle.walk(receipt, S.SUSPENDED)
    return _rest(call, receipt)


def _queued(receipt: Receipt) -> Receipt:
    if receipt.state is S.CANCEL_QUEUED:
        return receipt
    source = _billing(receipt).source if _billing(receipt).reason == REFUND else None
    return replace(lifecycle.walk(receipt, S.CANCEL_QUEUED), cancel_source=source)


def _void(call: Call, receipt: Receipt) -> Receipt:
    return replace(lifecycle.walk(receipt, S.CANCELLED), cancel_time=_moment(call, receipt))


def _finish(call: Call, receipt: Receipt) -> Receipt:
    done = _given_back(call, receipt, _moment(call, receipt))
    # Only what was sold has a fiscal receipt to take back.
    fiscal_too = call.config.merchant and receipt.pay_time
    return _then(call, done, "fiscal") if fiscal_too else _rest(call, done)


def _release(call: Call, receipt: Receipt) -> Receipt:
    """End a hold that was neither confirmed nor cancelled; the merchant is told afterwards."""
    queued = lifecycle.walk(receipt, S.CANCEL_QUEUED)
    done = _given_back(call, queued, _moment(call, receipt))
    if not call.config.merchant:
        return _rest(call, done)
    until = call.now + TIMEOUT_MS
    return _then(call, done, "cancel", reason=TIMEOUT, until=until, patient=False)


# Pieces


def _request(call: Call, receipt: Receipt, number: int) -> MerchantRequest:
    billing = _billing(receipt)
    if billing.step == "create":
        return asks.create_transaction(number, receipt, billing.time)
    if billing.step == "perform":
        return asks.perform_transaction(number, receipt)
    if billing.step == "cancel":
        return asks.cancel_transaction(number, receipt, billing.reason)
    kind: Literal["PERFORM", "CANCEL"] = "PERFORM" if receipt.state is S.PAID else "CANCEL"
    data = fiscal.data(call.state.next_number("fiscal"), call.now)
    return asks.set_fiscal_data(number, receipt, kind, data)


def _billing(receipt: Receipt) -> Billing:
    if receipt.billing is None:
        raise AssertionError("the receipt was paid in one step")
    return receipt.billing


def _moment(call: Call, receipt: Receipt) -> int:
    """When a step is taken: late ones at the time they were due, unless the merchant was asked."""
    asked = call.config.merchant and _billing(receipt).step in _ASKING
    if asked or receipt.due_at is None:
        return call.now
    return min(receipt.due_at, call.now)


def _paced(call: Call, receipt: Receipt, step: Step, *, until: int | None = None) -> Receipt:
    """Go to the next step of a payment, at the pace that the sandbox is set to."""
    kind, amount = call.config.progression
    ready = _then(call, receipt, step, until=until)
    if kind == "clock":
        return replace(ready, due_at=_moment(call, receipt) + amount)
    return replace(ready, due_at=None) if kind == "after_checks" else ready


def _then(
    call: Call,
    receipt: Receipt,
    step: Step,
    *,
    reason: int = 0,
    until: int | None = None,
    patient: bool = True,
) -> Receipt:
    """Go to the next step, at once.

    Args:
        call: The call.
        receipt: The receipt.
        step: The step.
        reason: `reason` of CancelTransaction.
        until: When to give up, in ms.
        patient: Whether to repeat the request before it is left to the clock.
    """
    attempts = 0 if patient else len(call.config.merchant_pauses_ms)
    billing = replace(
        _billing(receipt),
        step=step,
        attempts=attempts,
        reason=reason,
        until=until,
    )
    return replace(receipt, billing=billing, due_at=call.now)


def _rest(call: Call, receipt: Receipt) -> Receipt:
    """Have nothing left to do but to wait: for the end of a hold, or to be withdrawn."""
    billing = _billing(receipt)
    withdraw_ms = call.config.cancel_paid_after_ms
    if receipt.state is S.PAID and withdraw_ms is not None and billing.refusal is None:
        waiting = replace(billing, step="withdraw", attempts=0, until=None)
        return replace(receipt, billing=waiting, due_at=receipt.pay_time + withdraw_ms)
    if receipt.state is S.HELD:
        waiting = replace(billing, step="release", attempts=0, until=None)
        return lifecycle.hold_until(replace(receipt, billing=waiting), billing.held_until)
    return replace(receipt, billing=replace(billing, step=None, attempts=0), due_at=None)


def _may_repeat(call: Call, receipt: Receipt) -> bool:
    return _billing(receipt).attempts <= len(call.config.merchant_pauses_ms)


def _again(call: Call, receipt: Receipt) -> Receipt:
    return replace(receipt, due_at=call.now)


def _later(call: Call, receipt: Receipt) -> Receipt:
    """Leave the next attempt to the clock: after a minute, then two, four … up to an hour."""
    billing = _billing(receipt)
    before = max(billing.attempts - len(call.config.merchant_pauses_ms) - 1, 0)
    pause = min(_FIRST_PAUSE_MS << min(before, 10), _LONGEST_PAUSE_MS)
    due_at = call.now + pause
    if billing.until is not None:
        due_at = min(due_at, max(billing.until, call.now + 1))
    return replace(receipt, due_at=due_at)


def _failed(receipt: Receipt, refused: Refused) -> Receipt:
    error = {"code": refused.code, "message": refused.message, "data": refused.data}
    billing = replace(_billing(receipt), failure=refused.reason.value, token=None)
    return replace(receipt, error=error, billing=billing)


def _refused(receipt: Receipt, answer: Heard) -> Receipt:
    return replace(receipt, billing=replace(_billing(receipt), refusal=answer.error))


def _undo(call: Call, receipt: Receipt, reason: int, *, made: bool) -> Receipt:
    """Take back a payment that failed, with the merchant if the transaction may be there."""
    if not made:
        return _rest(call, _void(call, receipt))
    # After a silence the client has waited long enough: one attempt, and the clock does the rest.
    patient = _billing(receipt).failure != Reason.MERCHANT_UNAVAILABLE
    return _then(call, receipt, "cancel", reason=reason, patient=patient)


def _given_back(call: Call, receipt: Receipt, at: int) -> Receipt:
    done, entry = lifecycle.give_back(receipt, at)
    if entry is not None:
        call.state.add_entry(entry)
    return done


def _entered(
    call: Call, receipt: Receipt, kind: Literal["debit", "hold", "capture"], at: int
) -> Receipt:
    moved, entry = lifecycle.with_entry(receipt, kind, at)
    if entry is not None:
        call.state.add_entry(entry)
    return moved
