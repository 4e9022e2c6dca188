"""How a payment is driven: what is asked of the merchant, and what is stored before.

Each flow is a generator that yields what to ask, and is sent the reply together with the call as it
is by then. Whatever a flow has written when it yields is committed before the merchant is asked, so
no thread and no transaction waits for the merchant, and a `kill -9` finds the payment where
`payments` can take it up. A flow that yields None only wants its work committed.
"""

from collections.abc import Generator
from typing import Any, TypeVar

from payme.sandbox.engine import ledgers, merchant_calls, payments
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.merchant_calls import MerchantCall, MerchantReply, MerchantRequest
from payme.sandbox.engine.model import Receipt
from payme.sandbox.engine.refusals import Reason, Refused

T = TypeVar("T")

Flow = Generator[MerchantCall | None, tuple[Call, MerchantReply | None], T]


def find(call: Call, receipt_id: str) -> Receipt:
    """Find a receipt, moved on to where the clock has brought it.

    Raises:
        Refused: If there is no receipt with that id.
    """
    return apply_due(call, stored(call, receipt_id))


def apply_due(call: Call, receipt: Receipt) -> Receipt:
    """Take the steps that are due and need no merchant, if any, and store where they lead."""
    # Another flow is at work on a receipt that the merchant is being asked about.
    moved = receipt if receipt.id in call.asked else payments.advance(call, receipt)
    if moved is not receipt:
        call.state.put_receipt(moved)
    return moved


def set_out(call: Call, receipt: Receipt) -> Flow[tuple[Call, Receipt]]:
    """Store a receipt that has got something to do, and take the steps that are due."""
    if not call.config.merchant:
        receipt = payments.advance(call, receipt)
    call.state.put_receipt(receipt)
    return (yield from run(call, receipt))


def run(call: Call, receipt: Receipt) -> Flow[tuple[Call, Receipt]]:
    """Take the steps of a payment that are due, until there is nothing left or it must wait.

    Only one flow at a time is at work on a receipt; for any other it stays as it is.
    """
    if receipt.id in call.asked or not payments.is_due(receipt, call.now):
        return call, receipt
    call.asked.add(receipt.id)
    try:
        while payments.is_due(receipt, call.now):
            call, receipt = yield from _step(call, receipt)
    finally:
        call.asked.discard(receipt.id)
    return call, receipt


def take_up(call: Call, receipt_id: str) -> Flow[None]:
    """Take up the payment of a receipt that nobody asks about."""
    yield from run(call, find(call, receipt_id))


def resume(call: Call, receipt_id: str) -> Flow[Receipt]:
    """Take up the payment of a receipt before its time, or after it was left to a person."""
    receipt = find(call, receipt_id)
    if receipt.id not in call.asked:
        call, receipt = yield from set_out(call, payments.resume(call, receipt))
    return receipt


def inquire(
    call: Call, method: str, args: dict[str, Any], receipt_id: str = ""
) -> Flow[MerchantReply]:
    """Ask the merchant something that moves no payment: CheckTransaction, GetStatement.

    Args:
        call: The call.
        method: Name of the method.
        args: `params`.
        receipt_id: The receipt that it is about; empty for none.
    """
    request = MerchantRequest(call.state.next_number("exchange"), method, args)
    _, reply = yield from exchange(MerchantCall(request, receipt_id, 1))
    return reply


def exchange(asked: MerchantCall) -> Flow[tuple[Call, MerchantReply]]:
    """Ask the merchant, and note what it said."""
    call, reply = yield asked
    if reply is None:
        raise AssertionError("a question was not answered")
    call.state.add_exchange(merchant_calls.exchange(asked, reply, call.now, call.secrets))
    if asked.receipt_id:
        ledgers.note(call, asked, reply)
    return call, reply


def stored(call: Call, receipt_id: str) -> Receipt:
    """Read a receipt as it is stored.

    Raises:
        Refused: If there is no receipt with that id: perhaps the sandbox was emptied meanwhile.
    """
    receipt = call.state.get_receipt(receipt_id)
    if receipt is None:
        raise Refused(Reason.UNKNOWN_RECEIPT)
    return receipt


def _step(call: Call, receipt: Receipt) -> Flow[tuple[Call, Receipt]]:
    if payments.needs_merchant(call, receipt):
        receipt, asked = payments.ask(call, receipt)
        call.state.put_receipt(receipt)
        call, reply = yield from exchange(asked)
        # It may have got its fiscal data while the merchant was asked.
        receipt = payments.heard(call, stored(call, receipt.id), reply)
    else:
        if payments.next_step(receipt) == "debit":
            # Whoever looks between the merchant's reply and the debit sees the receipt in state 2.
            call, _ = yield None
            receipt = stored(call, receipt.id)
        receipt = payments.take(call, receipt)
    call.state.put_receipt(receipt)
    return call, receipt
