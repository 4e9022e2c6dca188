"""The methods `receipts.*` of a cash-box whose payments take steps, above all with a billing.

Each is a flow: a generator that yields what to ask the merchant, and is sent the answer together
with the call as it is by then. Whatever a flow has written when it yields is committed before the
merchant is asked, so no thread and no transaction waits for the merchant, and a `kill -9` finds
the payment where `steps` can take it up. A flow that yields None only wants its work committed.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from msgspec.structs import replace

from payme.protocol.states import ReceiptState
from payme.sandbox.engine import asks, ledgers, params, receipts, steps
from payme.sandbox.engine.asks import Ask, Heard, MerchantRequest
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.model import Receipt
from payme.sandbox.engine.refusals import Reason, Refused

T = TypeVar("T")

Flow = Generator[Ask | None, tuple[Call, Heard | None], T]

S = ReceiptState


def create(call: Call, args: params.ReceiptsCreate) -> Flow[dict[str, Any]]:
    """Serve `receipts.create`: the merchant says whether the account can be paid for."""
    receipts.require_payable(call, args)
    if not call.config.merchant:
        return receipts.make(call, args)
    number = call.state.next_number("exchange")
    request = asks.check_perform(number, args.amount, args.account)
    call, heard = yield from _exchange(Ask(request, "", 1))
    if not heard.agreed:
        raise steps.refusal(heard)
    return receipts.make(call, args)


def pay(call: Call, args: params.ReceiptsPay) -> Flow[dict[str, Any]]:
    """Serve `receipts.pay`."""
    found, card = receipts.payable(call, args)
    receipt = steps.pay(call, found, card, params.as_sent(args.payer))
    call.state.put_receipt(receipt)
    if call.config.progression.kind == "at_once":
        call, receipt = yield from run(call, receipt)
    return _outcome(call, receipt)


def check(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.check`."""
    call, receipt = yield from _looked_at(call, args.id)
    return {"state": receipt.state}


def get(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.get`."""
    call, receipt = yield from _looked_at(call, args.id)
    return {"receipt": call.shapes.single(receipt)}


def cancel(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.cancel`."""
    call, receipt = yield from run(call, receipts.find(call, args.id))
    busy = receipt.state in steps.UNDERWAY or receipt.id in call.asked
    if busy or receipt.billing is None or receipt.state in steps.CANCELLING:
        return receipts.cancel(call, args)
    receipts.require_cancellable(call, receipt)
    receipt = steps.cancel(call, receipt)
    call.state.put_receipt(receipt)
    call, receipt = yield from run(call, receipt)
    if receipt.state not in steps.CANCELLING:
        raise _kept(receipt)
    return {"receipt": call.shapes.single(receipt)}


def confirm_hold(call: Call, args: params.ReceiptId) -> Flow[dict[str, Any]]:
    """Serve `receipts.confirm_hold`: the merchant performs what was held, and is then paid."""
    call, receipt = yield from run(call, receipts.find(call, args.id))
    if receipt.state is not S.HELD or receipt.billing is None:
        return receipts.confirm_hold(call, args)
    if receipt.id in call.asked:
        raise Refused(Reason.IN_PROGRESS)
    receipt = steps.confirm(call, receipt)
    call.state.put_receipt(receipt)
    call, receipt = yield from run(call, receipt)
    return _outcome(call, receipt)


def run(call: Call, receipt: Receipt) -> Flow[tuple[Call, Receipt]]:
    """Take the steps of a payment that are due, until there is nothing left or it must wait.

    Only one flow at a time is at work on a receipt; for any other it stays as it is.
    """
    if receipt.id in call.asked or not steps.is_due(receipt, call.now):
        return call, receipt
    call.asked.add(receipt.id)
    try:
        while steps.is_due(receipt, call.now):
            call, receipt = yield from _step(call, receipt)
    finally:
        call.asked.discard(receipt.id)
    return call, receipt


def take_up(call: Call, receipt_id: str) -> Flow[None]:
    """Take up the payment of a receipt that nobody asks about."""
    yield from run(call, receipts.find(call, receipt_id))


def resume(call: Call, receipt_id: str) -> Flow[Receipt]:
    """Take up the payment of a receipt before its time, or after it was left to a person."""
    receipt = receipts.find(call, receipt_id)
    if receipt.billing is not None and receipt.id not in call.asked:
        receipt = steps.resume(call, receipt)
        call.state.put_receipt(receipt)
    call, receipt = yield from run(call, receipt)
    return receipt


def inquire(call: Call, method: str, args: dict[str, Any], receipt_id: str = "") -> Flow[Heard]:
    """Ask the merchant something that moves no payment: CheckTransaction, GetStatement.

    Args:
        call: The call.
        method: Name of the method.
        args: `params`.
        receipt_id: The receipt that it is about; empty for none.
    """
    request = MerchantRequest(call.state.next_number("exchange"), method, args)
    call, heard = yield from _exchange(Ask(request, receipt_id, 1))
    return heard


def _step(call: Call, receipt: Receipt) -> Flow[tuple[Call, Receipt]]:
    if steps.needs_merchant(call, receipt):
        receipt, ask = steps.ask(call, receipt)
        call.state.put_receipt(receipt)
        call, heard = yield from _exchange(ask)
        return call, _put(call, steps.heard(call, _again(call, receipt), heard))
    if receipt.billing is not None and receipt.billing.step == "debit" and call.config.merchant:
        # Whoever looks between the merchant's answer and the debit sees the receipt in state 2.
        call, _ = yield None
        receipt = _again(call, receipt)
    return call, _put(call, steps.take(steps.at_its_time(call, receipt), receipt))


def _exchange(ask: Ask) -> Flow[tuple[Call, Heard]]:
    call, heard = yield ask
    if heard is None:
        raise AssertionError("a question was not answered")
    call.state.add_exchange(asks.exchange(ask, heard, call.now, call.secrets))
    if ask.receipt_id:
        ledgers.note(call, ask, heard)
    return call, heard


def _looked_at(call: Call, receipt_id: str) -> Flow[tuple[Call, Receipt]]:
    found = receipts.find(call, receipt_id)
    receipt = found if found.id in call.asked else steps.nudge(call, found)
    if receipt is not found:
        call.state.put_receipt(receipt)
    call, receipt = yield from run(call, receipt)
    while steps.may_move_on(call, receipt):
        receipt = replace(receipt, due_at=call.now)
        call, receipt = yield from run(call, receipt)
    return call, receipt


def _again(call: Call, receipt: Receipt) -> Receipt:
    """Read a receipt once more: it may have got its fiscal data while the merchant was asked.

    Raises:
        Refused: If the sandbox was emptied in the meantime.
    """
    now = call.state.get_receipt(receipt.id)
    if now is None:
        raise Refused(Reason.UNKNOWN_RECEIPT)
    return now


def _put(call: Call, receipt: Receipt) -> Receipt:
    call.state.put_receipt(receipt)
    return receipt


def _outcome(call: Call, receipt: Receipt) -> dict[str, Any]:
    """Answer a payment with its receipt, or with the error that ended it."""
    failure = steps.failure(call, receipt)
    if failure is not None and receipt.state in steps.CANCELLING:
        raise failure
    return {"receipt": call.shapes.single(receipt)}


def _kept(receipt: Receipt) -> Refused:
    """Tell why a receipt was not cancelled."""
    error = None if receipt.billing is None else receipt.billing.refusal
    if error is not None and error["code"] == asks.CANNOT_CANCEL:
        return Refused(Reason.NOT_CANCELLABLE, error)
    return Refused(Reason.MERCHANT_REFUSED, error)
