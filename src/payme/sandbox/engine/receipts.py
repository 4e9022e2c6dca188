"""The nine methods `receipts.*`. Those that may have to ask the merchant are flows; see `flows`."""

from typing import Any

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import cards, flows, ids, merchant_calls, params, payments
from payme.sandbox.engine.call import Call, Delivery
from payme.sandbox.engine.flows import Flow, find
from payme.sandbox.engine.merchant_calls import MerchantCall
from payme.sandbox.engine.model import Card, Receipt, Sms
from payme.sandbox.engine.progression import AT_ONCE
from payme.sandbox.engine.refusals import Reason, Refused


def create(call: Call, args: params.ReceiptsCreate) -> Flow[dict[str, Any]]:
    """Serve `receipts.create`: the merchant says whether the account can be paid for."""
    _require_account(call, args.account)
    _require_amount(call, args.amount)
    if call.config.merchant:
        number = call.state.next_number("exchange")
        request = merchant_calls.check_perform(number, args.amount, args.account)
        call, reply = yield from flows.exchange(MerchantCall(request, "", 1))
        if not reply.agreed:
            raise payments.refusal(reply)
    receipt = _made(call, args)
    call.state.add_receipt(receipt)
    return {"receipt": call.shapes.single(receipt)}


def pay(call: Call, args: params.ReceiptsPay) -> Flow[dict[str, Any] | Delivery]:
    """Serve `receipts.pay`."""
    receipt, card = _payable(call, args)
    if not call.config.merchant and call.config.progression == AT_ONCE:
        # Nobody else has heard of the payment, so the receipt can be paid with another card.
        cards.require_debitable(call, card)
    begun = payments.begin(call, receipt, card, params.as_sent(args.payer))
    call, receipt = yield from flows.set_out(call, begun)
    result = _outcome(call, receipt)
    behaviour = cards.behaviour(call, card)
    if behaviour == "answer_lost":
        return Delivery(result, lost=f"card {receipt.card_number}: the answer is lost")
    if behaviour == "slow_pays":
        return Delivery(result, delay_ms=call.config.slow_card_ms)
    return result


def send(call: Call, args: params.ReceiptsSend) -> dict[str, Any]:
    """Serve `receipts.send`."""
    receipt = find(call, args.id)
    sms = Sms(time=call.now, phone=args.phone, kind="receipt", receipt_id=receipt.id)
    call.state.add_sms(sms)
    return {"success": True}


def cancel(call: Call, args: params.ReceiptsCancel) -> Flow[dict[str, Any]]:
    """Serve `receipts.cancel`: a receipt that is cancelled already stays as it is."""
    call, receipt = yield from flows.run(call, find(call, args.id))
    if receipt.state in payments.UNDERWAY or receipt.id in call.asked:
        raise Refused(Reason.IN_PROGRESS)
    if not payments.may_cancel(receipt, call.now):
        raise Refused(Reason.NOT_CANCELLABLE, detail="This hold can only be confirmed by now.")
    if receipt.state not in payments.CANCELLING:
        call, receipt = yield from flows.set_out(call, payments.cancel(call, receipt))
    if receipt.state not in payments.CANCELLING:
        raise _kept(receipt)
    return {"receipt": call.shapes.single(receipt)}


def check(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.check`."""
    _, receipt = yield from _looked_at(call, args.id)
    return {"state": receipt.state}


def get(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.get`."""
    call, receipt = yield from _looked_at(call, args.id)
    return {"receipt": call.shapes.single(receipt)}


def get_all(call: Call, args: params.ReceiptsGetAll) -> list[dict[str, Any]]:
    """Serve `receipts.get_all`."""
    if args.from_ > args.to:
        raise Refused(Reason.INVALID_PARAMS, "from", detail="`from` must not be after `to`.")
    # In the recorded sample both ends are the same moment, long before the receipts that come back.
    period = None if args.from_ == args.to else (args.from_, args.to)
    page = call.state.list_receipts(period, count=args.count, offset=args.offset)
    return [call.shapes.listed(flows.apply_due(call, receipt)) for receipt in page]


def confirm_hold(call: Call, args: params.ReceiptsConfirmHold) -> Flow[dict[str, Any]]:
    """Serve `receipts.confirm_hold`: the merchant performs what was held, and is then paid."""
    call, receipt = yield from flows.run(call, find(call, args.id))
    if receipt.state is not ReceiptState.HELD:
        raise Refused(Reason.NOT_HELD)
    if receipt.id in call.asked:
        raise Refused(Reason.IN_PROGRESS)
    call, receipt = yield from flows.set_out(call, payments.confirm(call, receipt))
    return _outcome(call, receipt)


def set_fiscal_data(call: Call, args: params.ReceiptsSetFiscalData) -> dict[str, Any]:
    """Serve `receipts.set_fiscal_data`."""
    receipt = find(call, args.id)
    call.state.put_receipt(replace(receipt, fiscal=params.as_sent(args.fiscal_data)))
    return {"success": True}


def _made(call: Call, args: params.ReceiptsCreate) -> Receipt:
    number, lasts = call.state.next_number("receipt"), call.config.receipt_ttl_ms
    return Receipt(
        id=ids.object_id(call.rng, call.now, number),
        number=number,
        create_time=call.now,
        amount=args.amount,
        account=args.account,
        description=args.description or "",
        detail=params.as_sent(args.detail),
        hold=args.hold,
        due_at=None if lasts is None else call.now + lasts,
    )


def _payable(call: Call, args: params.ReceiptsPay) -> tuple[Receipt, Card]:
    """Find the receipt and the card of a payment, and refuse what can't be begun."""
    receipt = find(call, args.id)
    # The receipt comes first: the second payment with a one-time token must hear that the receipt
    # is paid, and not that the token is gone.
    if receipt.cancel_source == payments.EXPIRED:
        raise Refused(Reason.RECEIPT_EXPIRED)
    if receipt.state is not ReceiptState.CREATED:
        raise Refused(Reason.NOT_PAYABLE)
    if args.hold != receipt.hold:
        raise Refused(Reason.HOLD_MISMATCH, "hold")
    card = cards.find(call, args.token)
    if not card.verified:
        raise Refused(Reason.CARD_NOT_VERIFIED, "not_verified")
    return receipt, card


def _looked_at(call: Call, receipt_id: str) -> Flow[tuple[Call, Receipt]]:
    """Find a receipt whose payment may move on because somebody looks at it."""
    found = find(call, receipt_id)
    receipt = found if found.id in call.asked else payments.count_check(call, found)
    if receipt is not found:
        call.state.put_receipt(receipt)
    call, receipt = yield from flows.run(call, receipt)
    while payments.may_move_on(call, receipt):
        call, receipt = yield from flows.set_out(call, replace(receipt, due_at=call.now))
    return call, receipt


def _outcome(call: Call, receipt: Receipt) -> dict[str, Any]:
    """Answer a payment with its receipt, or with the error that ended it."""
    failure = payments.failure(call, receipt)
    if failure is not None and receipt.state in payments.CANCELLING:
        raise failure
    return {"receipt": call.shapes.single(receipt)}


def _kept(receipt: Receipt) -> Refused:
    """Tell why a receipt was not cancelled."""
    error = receipt.payment.refusal
    if error is not None and error["code"] == merchant_calls.CANNOT_CANCEL:
        return Refused(Reason.NOT_CANCELLABLE, error)
    return Refused(Reason.MERCHANT_REFUSED, error)


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
