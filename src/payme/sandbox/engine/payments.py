"""How a payment moves: the steps of `payment_table`, executed.

Where a payment stands is in `Receipt.payment`, stored before anything is sent: whoever finds the
receipt after a `kill -9` takes the same step again, with the same params, as Payme does (CONFIRMED:
a lost answer to CreateTransaction or PerformTransaction is asked for again).

These functions compute the receipt as it will be; they write nothing but the ledger and the card.
"""

from typing import Final, Literal

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import cards, fiscal, merchant_calls
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.merchant_calls import MerchantCall, MerchantReply, MerchantRequest
from payme.sandbox.engine.model import (
    Card,
    EntryKind,
    LedgerEntry,
    Payment,
    PaymentStep,
    Receipt,
    mask_number,
)
from payme.sandbox.engine.payment_table import (
    ON_ITS_OWN,
    REFUND,
    TIMEOUT,
    Row,
    StepOutcome,
    find_row,
)
from payme.sandbox.engine.refusals import Reason, Refused

TIMEOUT_MS: Final = 12 * 60 * 60 * 1000
"""Age at which an unperformed transaction is given up (CONFIRMED)."""

HOLD_MS: Final = 30 * 24 * 60 * 60 * 1000
"""How long a hold can be cancelled. After that an Uzcard's is released by itself, and a Humo card's
can only be confirmed (both CONFIRMED)."""

HUMO: Final = "9860"
"""First digits of Humo cards."""

EXPIRED: Final = "expired"
"""`cancel_source` of a receipt that was not paid in time (our choice)."""

_FIRST_PAUSE_MS: Final = 60 * 1000
_LONGEST_PAUSE_MS: Final = 60 * 60 * 1000

S = ReceiptState

UNDERWAY: Final = frozenset({S.BILLING_CREATE, S.DEBITING, S.BILLING_PERFORM, S.HOLDING})
"""States that a payment only passes through."""

CANCELLING: Final = frozenset({S.CANCEL_QUEUED, S.CANCELLED})

_ASKING: Final[frozenset[PaymentStep | None]] = frozenset({"create", "perform", "cancel", "fiscal"})

# How many steps of its own a payment has behind it in each state, for `after_checks`.
_STEPS_BEHIND: Final = {S.BILLING_CREATE: 0, S.DEBITING: 1, S.HOLDING: 1, S.BILLING_PERFORM: 2}


# What somebody asks for


def begin(call: Call, receipt: Receipt, card: Card, payer: dict[str, str] | None) -> Receipt:
    """Begin a payment."""
    return replace(
        receipt,
        state=S.BILLING_CREATE,
        card_number=mask_number(card.number),
        card_expire=card.expire[2:] + card.expire[:2],
        payer=payer,
        payment=Payment(time=call.now, token=card.token, step="create"),
        due_at=_paced(call, call.now),
    )


def confirm(call: Call, receipt: Receipt) -> Receipt:
    """Begin to take what is held. Twelve hours run from here: the hold itself lasts 30 days."""
    return _performing(call, replace(receipt, payment=replace(receipt.payment, refusal=None)))


def cancel(call: Call, receipt: Receipt) -> Receipt:
    """Begin to cancel an unpaid receipt, to refund a paid one, or to release a hold."""
    payment = replace(
        receipt.payment,
        step="cancel",
        attempts=0,
        until=None,
        reason=REFUND,
        source="subscribe",
        refusal=None,
    )
    return replace(receipt, payment=payment, due_at=call.now)


def resume(call: Call, receipt: Receipt) -> Receipt:
    """Take up what was left lying: a suspended payment, a cancellation that the merchant refused.

    A receipt that waits for its next attempt makes it now. Any other stays as it is.
    """
    step = receipt.payment.step
    if receipt.state is S.SUSPENDED:
        return _performing(call, replace(receipt, state=S.BILLING_PERFORM))
    if receipt.state is S.CANCEL_QUEUED and step is None and receipt.due_at is None:
        return cancel(call, receipt)
    waits = receipt.due_at is not None and step in _ASKING
    return replace(receipt, due_at=call.now) if waits else receipt


def count_check(call: Call, receipt: Receipt) -> Receipt:
    """Count a look at the receipt, where looks are what moves it on."""
    if not _waits_for_checks(call, receipt):
        return receipt
    return replace(receipt, payment=replace(receipt.payment, checks=receipt.payment.checks + 1))


def may_move_on(call: Call, receipt: Receipt) -> bool:
    """Return whether the receipt was looked at often enough to take its next step."""
    if not _waits_for_checks(call, receipt):
        return False
    steps = 2 if receipt.hold else 3
    behind = steps * receipt.payment.checks // call.config.progression.amount
    return behind > _STEPS_BEHIND[receipt.state]


def may_cancel(receipt: Receipt, now: int) -> bool:
    """Return whether a receipt can be cancelled as far as its hold is concerned."""
    over = receipt.state is S.HELD and 0 < _held_until(receipt) <= now
    return not (over and _stays_held(receipt))


def failure(call: Call, receipt: Receipt) -> Refused | None:
    """Return why a payment failed; None if it did not."""
    reason, error = receipt.payment.failure, receipt.error
    if not reason or error is None:
        return None
    delay = call.config.slow_card_ms if reason == Reason.DEBIT_FAILED else 0
    answer = error["code"], error["message"]
    return Refused(Reason(reason), error["data"], delay_ms=delay, answer=answer)


def refusal(reply: MerchantReply) -> Refused:
    """Tell the caller of the Subscribe API what the merchant said, or that it said nothing."""
    if reply.error is None:
        return Refused(Reason.MERCHANT_UNAVAILABLE)
    return Refused(Reason.MERCHANT_REFUSED, reply.error)


# Steps


def is_due(receipt: Receipt, now: int) -> bool:
    """Return whether the next step may be taken."""
    due_at = receipt.due_at
    return due_at is not None and due_at <= now and next_step(receipt) is not None


def next_step(receipt: Receipt) -> PaymentStep | None:
    """Return what the receipt does next; None when it waits for somebody to ask for more."""
    return receipt.payment.step or ON_ITS_OWN.get(receipt.state)


def needs_merchant(call: Call, receipt: Receipt) -> bool:
    """Return whether the next step is to ask the merchant."""
    step = next_step(receipt)
    if not call.config.merchant or step not in _ASKING:
        return False
    # A merchant that was never asked to create a transaction has none to perform or to cancel.
    return step == "create" or (receipt.payment.reached > 0 and not _is_late(call, receipt))


def advance(call: Call, receipt: Receipt) -> Receipt:
    """Take every step that is due and needs no merchant."""
    while is_due(receipt, call.now) and not needs_merchant(call, receipt):
        receipt = take(call, receipt)
    return receipt


def take(call: Call, receipt: Receipt) -> Receipt:
    """Take a step that needs no merchant, as of the time at which it became due."""
    call = _at_its_time(call, receipt)
    if next_step(receipt) == "debit":
        return _debit(call, receipt)
    return _follow(call, receipt, "late" if _is_late(call, receipt) else "done")


def ask(call: Call, receipt: Receipt) -> tuple[Receipt, MerchantCall]:
    """Take a step that asks the merchant.

    Returns:
        The receipt, to be stored before anything is sent, and what to send.
    """
    payment = receipt.payment
    attempts = payment.attempts + 1
    # Counted as arrived until it is certain that it made nothing.
    reached = payment.reached + (payment.step == "create")
    counted = replace(receipt, payment=replace(payment, attempts=attempts, reached=reached))
    request = _request(call, receipt, call.state.next_number("exchange"))
    pauses = (0, *call.config.merchant_pauses_ms)
    pause = pauses[payment.attempts] if payment.attempts < len(pauses) else 0
    return counted, MerchantCall(request, receipt.id, attempts, pause)


def heard(call: Call, receipt: Receipt, reply: MerchantReply) -> Receipt:
    """Draw the consequences of a reply, or of none."""
    payment = receipt.payment
    if payment.step == "create" and (reply.refused or reply.outcome == "unreachable"):
        # This request made nothing; an earlier one, of which only the answer was lost, may have.
        receipt = replace(receipt, payment=replace(payment, reached=payment.reached - 1))
    outcome = _outcome(call, receipt, reply)
    if outcome is None:
        return replace(receipt, due_at=call.now)
    if payment.step == "cancel" and outcome in {"performed", "refused"}:
        refused = replace(receipt.payment, refusal=reply.error)
        return _follow(call, replace(receipt, payment=refused), outcome)
    fails = outcome == "refused" or (payment.step == "create" and outcome == "unheard")
    return _follow(call, _failed(receipt, refusal(reply)) if fails else receipt, outcome)


def _outcome(call: Call, receipt: Receipt, reply: MerchantReply) -> StepOutcome | None:
    """Read a reply as the outcome of a step; None if it is to be asked for once more, at once."""
    payment = receipt.payment
    step = payment.step
    # What the merchant makes of a fiscal receipt changes nothing (our choice).
    if reply.agreed or step == "fiscal":
        return "done"
    if step == "cancel" and reply.code == merchant_calls.NOT_FOUND:
        return "done"
    if step == "cancel" and reply.code == merchant_calls.CANNOT_CANCEL:
        return "performed"
    if reply.refused and step is not None and _row(receipt, step, "refused") is not None:
        return "refused"
    if payment.attempts <= len(call.config.merchant_pauses_ms):
        return None
    return "late" if step == "cancel" and _is_over(call, payment) else "unheard"


def _debit(call: Call, receipt: Receipt) -> Receipt:
    try:
        card = cards.find(call, receipt.payment.token or "")
        cards.require_debitable(call, card)
    except Refused as refused:
        return _follow(call, _failed(receipt, refused), "refused")
    if not card.recurrent:
        cards.forget(call, card)
    return _follow(call, replace(receipt, payment=replace(receipt.payment, token=None)), "done")


def _failed(receipt: Receipt, refused: Refused) -> Receipt:
    error = {"code": refused.code, "message": refused.message, "data": refused.data}
    payment = replace(receipt.payment, failure=refused.reason.value, token=None)
    return replace(receipt, error=error, payment=payment)


def _request(call: Call, receipt: Receipt, number: int) -> MerchantRequest:
    payment = receipt.payment
    if payment.step == "create":
        return merchant_calls.create_transaction(number, receipt, payment.time)
    if payment.step == "perform":
        return merchant_calls.perform_transaction(number, receipt)
    if payment.step == "cancel":
        return merchant_calls.cancel_transaction(number, receipt, payment.reason)
    kind: Literal["PERFORM", "CANCEL"] = "PERFORM" if receipt.state is S.PAID else "CANCEL"
    data = fiscal.data(call.state.next_number("fiscal"), call.now)
    return merchant_calls.set_fiscal_data(number, receipt, kind, data)


# Rows


def _row(receipt: Receipt, step: PaymentStep, outcome: StepOutcome) -> Row | None:
    return find_row(step, outcome, receipt.state, receipt.payment.reason, hold=receipt.hold)


def _follow(call: Call, receipt: Receipt, outcome: StepOutcome) -> Receipt:
    """Do what the table says of a step's outcome."""
    step = next_step(receipt)
    row = None if step is None else _row(receipt, step, outcome)
    if row is None:
        raise AssertionError(f"{step} does not end {outcome} in state {receipt.state}")
    at = _moment(call, receipt)
    if row.path:
        receipt = _arrived(receipt, row, at)
    if row.money is not None:
        receipt = _moved(call, receipt, row.money, at)
    return _scheduled(call, receipt, row, at)


def _arrived(receipt: Receipt, row: Row, at: int) -> Receipt:
    """Note what comes with a state."""
    state = row.path[-1]
    if state is S.PAID:
        taken_at, paid = receipt.taken_at or at, replace(receipt.payment, failure="")
        return replace(
            receipt, state=state, pay_time=at, taken_at=taken_at, error=None, payment=paid
        )
    if state is S.HELD:
        return replace(receipt, state=state, held_until=at + HOLD_MS)
    if state in CANCELLING:
        asked_for = row.step == "cancel" and receipt.payment.reason == REFUND
        source = row.source or (receipt.payment.source if asked_for else receipt.cancel_source)
        cancel_time = at if state is S.CANCELLED else 0
        return replace(receipt, state=state, cancel_source=source, cancel_time=cancel_time)
    return replace(receipt, state=state)


def _moved(
    call: Call, receipt: Receipt, money: EntryKind | Literal["give back"], at: int
) -> Receipt:
    """Write into the ledger what happens on the card."""
    if money == "give back":
        # Money that was only held never left the card. Older files have only `pay_time`.
        money = "refund" if receipt.taken_at or receipt.pay_time else "release"
    entry = LedgerEntry(
        receipt_id=receipt.id,
        card=receipt.card_number or "",
        amount=receipt.amount,
        kind=money,
        time=at,
    )
    call.state.add_entry(entry)
    return replace(receipt, taken_at=at) if money == "debit" else receipt


def _scheduled(call: Call, receipt: Receipt, row: Row, at: int) -> Receipt:
    """Set what comes next, and when."""
    payment, step = receipt.payment, row.then
    if step == "again":
        return _later(call, receipt)
    if step is None or (step == "fiscal" and not _has_fiscal_receipt(call, receipt)):
        resting = replace(payment, step=None, attempts=0, until=None, reason=0)
        return replace(receipt, payment=resting, due_at=_rests_until(call, receipt))
    following = replace(
        payment,
        step=step,
        attempts=0 if _is_patient(payment, row) else len(call.config.merchant_pauses_ms),
        reason=row.reason,
        until=_until(call, payment, row),
        source=row.source or payment.source,
    )
    due_at: int | None = call.now
    if step in {"debit", "perform"}:
        due_at = _paced(call, at)
    elif step == "finish":
        due_at = at + (call.config.cancel_after_ms if payment.reason == REFUND else 0)
    return replace(receipt, payment=following, due_at=due_at)


def _until(call: Call, payment: Payment, row: Row) -> int | None:
    """Return when the next step is given up."""
    if row.then == "perform":
        return payment.time + TIMEOUT_MS
    return call.now + TIMEOUT_MS if row.reason == TIMEOUT else None


def _is_patient(payment: Payment, row: Row) -> bool:
    """Return whether the next request is repeated at once: not when one was just not answered."""
    unheard = row.reason == TIMEOUT or payment.failure == Reason.MERCHANT_UNAVAILABLE
    return not (row.then == "cancel" and unheard)


def _has_fiscal_receipt(call: Call, receipt: Receipt) -> bool:
    """Return whether the merchant is to hear of a fiscal receipt: only what was sold has one."""
    return call.config.merchant and receipt.payment.reached > 0 and receipt.pay_time > 0


def _rests_until(call: Call, receipt: Receipt) -> int | None:
    """Return until when a receipt has nothing to do; None if nothing comes by itself."""
    withdraw_ms = call.config.cancel_paid_after_ms
    if receipt.state is S.PAID and withdraw_ms is not None and receipt.payment.refusal is None:
        return receipt.pay_time + withdraw_ms
    if receipt.state is S.HELD and not _stays_held(receipt):
        return _held_until(receipt)
    return None


def _later(call: Call, receipt: Receipt) -> Receipt:
    """Leave the next attempt to the clock: after a minute, then two, four … up to an hour."""
    payment = receipt.payment
    if receipt.state is S.CANCELLED and payment.until is None:
        # The money is where it belongs; the merchant is asked for twelve more hours.
        payment = replace(payment, until=call.now + TIMEOUT_MS)
    before = max(payment.attempts - len(call.config.merchant_pauses_ms) - 1, 0)
    due_at = call.now + min(_FIRST_PAUSE_MS << min(before, 10), _LONGEST_PAUSE_MS)
    if payment.until is not None:
        due_at = min(due_at, max(payment.until, call.now + 1))
    return replace(receipt, payment=payment, due_at=due_at)


# Time


def _at_its_time(call: Call, receipt: Receipt) -> Call:
    """Go back to when a step became due, so that what follows from it follows from there.

    With a merchant nothing goes back: it is asked now, and has its twelve hours from now on.
    """
    due_at = receipt.due_at
    if call.config.merchant or due_at is None or due_at >= call.now:
        return call
    return call._replace(now=due_at)


def _moment(call: Call, receipt: Receipt) -> int:
    """When a step is taken: late ones at the time they were due, unless the merchant was asked."""
    asked = call.config.merchant and next_step(receipt) in _ASKING
    if asked or receipt.due_at is None:
        return call.now
    return min(receipt.due_at, call.now)


def _paced(call: Call, at: int) -> int | None:
    """Return when a payment takes its next step: "at once" is a delay of zero."""
    kind, amount = call.config.progression
    return at + amount if kind == "clock" else None


def _waits_for_checks(call: Call, receipt: Receipt) -> bool:
    by_checks = call.config.progression.kind == "after_checks"
    return by_checks and receipt.state in UNDERWAY and receipt.due_at is None


def _performing(call: Call, receipt: Receipt) -> Receipt:
    until = call.now + TIMEOUT_MS
    payment = replace(receipt.payment, step="perform", attempts=0, reason=0, until=until)
    return replace(receipt, payment=payment, due_at=call.now)


def _is_late(call: Call, receipt: Receipt) -> bool:
    """Return whether the time is over for a merchant to perform."""
    payment = receipt.payment
    asked = call.config.merchant and payment.reached > 0
    return asked and payment.step == "perform" and _is_over(call, payment)


def _is_over(call: Call, payment: Payment) -> bool:
    return payment.until is not None and payment.until <= call.now


def _held_until(receipt: Receipt) -> int:
    # Files of earlier versions have no `held_until`, the oldest not even a time of the payment.
    began = receipt.payment.time
    return receipt.held_until or (began + HOLD_MS if began else 0)


def _stays_held(receipt: Receipt) -> bool:
    """Return whether a hold on the receipt's card outlives its 30 days: on a Humo card it does."""
    return (receipt.card_number or "").startswith(HUMO)
