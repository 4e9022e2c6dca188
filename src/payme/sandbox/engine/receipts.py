"""The nine methods `receipts.*`."""

from typing import Any

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import cards, ids, lifecycle, params, steps
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.model import Card, Receipt, Sms
from payme.sandbox.engine.refusals import Reason, Refused


def create(call: Call, args: params.ReceiptsCreate) -> dict[str, Any]:
    """Serve `receipts.create`."""
    require_payable(call, args)
    return make(call, args)


def require_payable(call: Call, args: params.ReceiptsCreate) -> None:
    """Refuse a receipt that the cash-box's settings don't allow."""
    _require_account(call, args.account)
    _require_amount(call, args.amount)


def make(call: Call, args: params.ReceiptsCreate) -> dict[str, Any]:
    """Make a receipt, and answer with it."""
    number = call.state.next_number("receipt")
    receipt = Receipt(
        id=ids.object_id(call.rng, call.now, number),
        number=number,
        create_time=call.now,
        amount=args.amount,
        account=args.account,
        description=args.description or "",
        detail=params.as_sent(args.detail),
        hold=args.hold,
        due_at=None
        if call.config.receipt_ttl_ms is None
        else call.now + call.config.receipt_ttl_ms,
    )
    return store(call, receipt)


def pay(call: Call, args: params.ReceiptsPay) -> dict[str, Any]:
    """Serve `receipts.pay`."""
    receipt, card = payable(call, args)
    steps.require_funds(call, card)
    payer = params.as_sent(args.payer)
    move = lifecycle.pay(receipt, card, payer, call.now, call.config.cancel_paid_after_ms)
    if not card.recurrent:
        cards.forget(call, card)
    return store(call, _record(call, move))


def payable(call: Call, args: params.ReceiptsPay) -> tuple[Receipt, Card]:
    """Find the receipt and the card of a payment, and refuse what can't be begun."""
    receipt = find(call, args.id)
    # The receipt comes first: the second payment with a one-time token must hear that the receipt
    # is paid, and not that the token is gone.
    if receipt.cancel_source == lifecycle.EXPIRED:
        raise Refused(Reason.RECEIPT_EXPIRED)
    if receipt.state is not ReceiptState.CREATED:
        raise Refused(Reason.NOT_PAYABLE)
    if args.hold != receipt.hold:
        raise Refused(Reason.HOLD_MISMATCH, "hold")
    card = cards.find(call, args.token)
    if not card.verified:
        raise Refused(Reason.CARD_NOT_VERIFIED, "not_verified")
    return receipt, card


def send(call: Call, args: params.ReceiptsSend) -> dict[str, Any]:
    """Serve `receipts.send`."""
    receipt = find(call, args.id)
    sms = Sms(time=call.now, phone=args.phone, kind="receipt", receipt_id=receipt.id)
    call.state.add_sms(sms)
    return {"success": True}


def cancel(call: Call, args: params.ReceiptId) -> dict[str, Any]:
    """Serve `receipts.cancel`."""
    receipt = find(call, args.id)
    if receipt.state in steps.UNDERWAY or receipt.id in call.asked:
        raise Refused(Reason.IN_PROGRESS)
    require_cancellable(call, receipt)
    if receipt.billing is None or receipt.state in steps.CANCELLING:
        return store(call, lifecycle.cancel(receipt, call.now, call.config.cancel_after_ms))
    return _settle(call, steps.cancel(call, receipt))


def require_cancellable(call: Call, receipt: Receipt) -> None:
    """Refuse to cancel a hold that can only be confirmed by now."""
    if not lifecycle.may_cancel(receipt, call.now):
        raise Refused(Reason.NOT_CANCELLABLE, detail="This hold can only be confirmed by now.")


def check(call: Call, args: params.ReceiptId) -> dict[str, Any]:
    """Serve `receipts.check`."""
    return {"state": find(call, args.id).state}


def get(call: Call, args: params.ReceiptId) -> dict[str, Any]:
    """Serve `receipts.get`."""
    return {"receipt": call.shapes.single(find(call, args.id))}


def get_all(call: Call, args: params.ReceiptsGetAll) -> list[dict[str, Any]]:
    """Serve `receipts.get_all`."""
    if args.from_ > args.to:
        raise Refused(Reason.INVALID_PARAMS, "from", detail="`from` must not be after `to`.")
    # In the recorded sample both ends are the same moment, long before the receipts that come back.
    period = None if args.from_ == args.to else (args.from_, args.to)
    page = call.state.list_receipts(period, count=args.count, offset=args.offset)
    return [call.shapes.listed(settled(call, receipt)) for receipt in page]


def confirm_hold(call: Call, args: params.ReceiptId) -> dict[str, Any]:
    """Serve `receipts.confirm_hold`."""
    receipt = find(call, args.id)
    if receipt.state is not ReceiptState.HELD:
        raise Refused(Reason.NOT_HELD)
    if receipt.billing is not None:
        return _settle(call, steps.confirm(call, receipt))
    return store(call, _record(call, lifecycle.confirm(receipt, call.now)))


def set_fiscal_data(call: Call, args: params.ReceiptsSetFiscalData) -> dict[str, Any]:
    """Serve `receipts.set_fiscal_data`."""
    receipt = find(call, args.id)
    call.state.put_receipt(replace(receipt, fiscal=params.as_sent(args.fiscal_data)))
    return {"success": True}


def find(call: Call, receipt_id: str) -> Receipt:
    """Find a receipt, moved on to where the clock has brought it.

    Raises:
        Refused: If there is no receipt with that id.
    """
    receipt = call.state.get_receipt(receipt_id)
    if receipt is None:
        raise Refused(Reason.UNKNOWN_RECEIPT)
    return settled(call, receipt)


def settled(call: Call, receipt: Receipt) -> Receipt:
    """Make the moves that are due by the clock, if any, and store where they lead."""
    if receipt.billing is not None:
        return steps.settled(call, receipt)
    moved = receipt
    while move := lifecycle.settle(moved, call.now, call.config.cancel_after_ms):
        moved = _record(call, move)
    if moved is not receipt:
        call.state.put_receipt(moved)
    return moved


def store(call: Call, receipt: Receipt) -> dict[str, Any]:
    """Store a receipt, and answer with it."""
    call.state.put_receipt(receipt)
    return {"receipt": call.shapes.single(receipt)}


def _settle(call: Call, receipt: Receipt) -> dict[str, Any]:
    call.state.put_receipt(receipt)
    return {"receipt": call.shapes.single(steps.settled(call, receipt))}


def _record(call: Call, move: lifecycle.Move) -> Receipt:
    receipt, entry = move
    if entry is not None:
        call.state.add_entry(entry)
    return receipt


def _require_account(call: Call, account: dict[str, Any]) -> None:
    # Fields beyond the configured ones pass: live receipts show such extras.
    for name in call.config.account_fields:
        if name not in account:
            raise Refused(Reason.WRONG_ACCOUNT, name)


def _require_amount(call: Call, amount: int) -> None:
    config = call.config
    if config.min_amount is not None and amount < config.min_amount:
        raise Refused(Reason.AMOUNT_TOO_SMALL)
    if config.max_amount is not None and amount > config.max_amount:
        raise Refused(Reason.AMOUNT_TOO_LARGE)
