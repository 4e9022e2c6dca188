"""A refund that the merchant's billing refuses is never told as done: the sandbox, end to end."""

import json

import pytest

from payme import OutcomeUnknown, Payme
from payme.errors import CannotCancel
from payme.sandbox import Sandbox

CANNOT_CANCEL = {"code": -31007, "message": {"uz": "Yoʻq", "ru": "Нет", "en": "No"}}


class Billing:
    """Takes every payment, and stays silent about cancellations before it refuses them."""

    def __init__(self, silences):
        self.silences = silences

    def __call__(self, body, headers):
        request = json.loads(body)
        answer = {"id": request["id"]}
        if request["method"] == "CancelTransaction":
            self.silences -= 1
            if self.silences >= 0:
                raise TimeoutError
            answer["error"] = CANNOT_CANCEL
        else:
            now = request["params"].get("time", 1)
            state = 2 if request["method"] == "PerformTransaction" else 1
            answer["result"] = {
                "allow": True,
                "transaction": "7",
                "state": state,
                "create_time": now,
                "perform_time": now,
            }
        return 200, json.dumps(answer).encode()


@pytest.fixture
def world(request):
    with (
        Sandbox(merchant=Billing(request.param), merchant_pauses=(0, 0)) as sandbox,
        Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url, timeout=2) as payme,
    ):
        yield sandbox, payme


def lost_payment(sandbox, payme):
    receipt = payme.receipts.create(50_000, {"order_id": 1}).id
    sandbox.faults.add("receipts.pay", when="after", action="drop", times=1)
    with pytest.raises(OutcomeUnknown) as lost:
        payme.receipts.pay(receipt, sandbox.add_card())
    return receipt, lost.value


@pytest.mark.parametrize("world", [3], indirect=True)
def test_a_refund_that_stays_in_the_queue_is_not_called_cancelled(world):
    """It was: the merchant charged again, and the payer had paid twice."""
    sandbox, payme = world
    receipt, lost = lost_payment(sandbox, payme)
    unreadable = sandbox.faults.add("receipts.get", when="before", action="drop")
    with pytest.raises(OutcomeUnknown):
        payme.receipts.resolve(lost, timeout=0.2, cancel=True)
    sandbox.faults.remove(unreadable.id)
    sandbox.clock.advance("30d")
    queued = payme.receipts.get(receipt)
    assert queued.is_refund_pending
    assert not queued.is_cancelled
    assert not queued.is_paid
    for ask in (payme.receipts.resolve, lambda one, **rest: payme.receipts.wait(receipt, **rest)):
        with pytest.raises(OutcomeUnknown, match="CANCEL_QUEUED"):
            ask(lost, timeout=0.3)
    assert sandbox.debits(receipt) == 1


@pytest.mark.parametrize("world", [0], indirect=True)
def test_a_refund_that_is_refused_at_once_leaves_the_receipt_paid(world):
    sandbox, payme = world
    receipt, lost = lost_payment(sandbox, payme)
    sandbox.faults.add("receipts.get", when="before", action="drop", times=6)
    assert payme.receipts.resolve(lost, timeout=0.5, cancel=True).is_paid
    assert lost.cancels == 0
    with pytest.raises(CannotCancel):
        payme.receipts.cancel(receipt)
    assert sandbox.debits(receipt) == 1


@pytest.mark.slow
@pytest.mark.parametrize("progression", ["after_checks:3", "at_once"])
def test_wait_brings_a_payment_and_its_refund_to_their_ends(progression):
    with (
        Sandbox(progression=progression) as sandbox,
        Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme,
    ):
        receipt = payme.receipts.create(50_000, {"order_id": 1})
        begun = payme.receipts.pay(receipt.id, sandbox.add_card())
        assert begun.is_paid == (progression == "at_once")
        assert payme.receipts.wait(begun, timeout=10).is_paid
        assert payme.receipts.wait(payme.receipts.cancel(receipt.id), timeout=10).is_cancelled
        with pytest.raises(OutcomeUnknown, match="CREATED"):
            payme.receipts.wait(payme.receipts.create(50_000, {"order_id": 2}), timeout=0.2)
