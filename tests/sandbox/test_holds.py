"""Holds: an Uzcard's ends by itself, a Humo card's waits to be confirmed."""

from collections.abc import Iterator

import pytest
from merchant_tools import Shop, Transaction
from sandbox_tools import GOOD, HUMO, Caller

from payme.protocol.states import ReceiptState
from payme.sandbox import Sandbox, SandboxClock
from payme.sandbox.engine.model import Receipt
from payme.sandbox.engine.payments import HOLD_MS

START = "2026-03-01T09:00:00+05:00"
KINDS = ["at once", "in steps", "with a merchant"]


class PatientShop(Shop):
    """Gives a hold more than the twelve hours that other transactions have."""

    def expire(self, known: Transaction) -> None:
        pass


@pytest.fixture(params=KINDS)
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    clock = SandboxClock(start=START, frozen=True)
    merchant = PatientShop(clock) if request.param == "with a merchant" else None
    progression = "clock:1s" if request.param == "in steps" else "at_once"
    sandbox = Sandbox(clock=clock, merchant=merchant, progression=progression)
    yield Caller(sandbox)
    sandbox.stop()


def held(caller: Caller, number: str) -> str:
    receipt = caller.receipt(hold=True)
    caller.ok("receipts.pay", id=receipt, token=caller.verified(number), hold=True)
    caller.sandbox.clock.advance("5s")
    assert caller.state(receipt) == 5
    return receipt


def kinds(caller: Caller) -> list[str]:
    return [entry.kind for entry in caller.sandbox.ledger()]


def test_an_uzcards_hold_is_released_after_thirty_days(caller: Caller) -> None:
    receipt = held(caller, GOOD)
    caller.sandbox.clock.advance("31d")
    assert (caller.state(receipt), kinds(caller)) == (50, ["hold", "release"])


def test_a_humo_cards_hold_can_only_be_confirmed_after_thirty_days(caller: Caller) -> None:
    receipt = held(caller, HUMO)
    caller.sandbox.clock.advance("400d")
    assert (caller.state(receipt), kinds(caller)) == (5, ["hold"])
    code, message, _ = caller.no("receipts.cancel", id=receipt)
    assert code == -31800
    assert "only be confirmed" in message
    assert (caller.state(receipt), kinds(caller)) == (5, ["hold"])
    caller.ok("receipts.confirm_hold", id=receipt)
    caller.sandbox.clock.advance("5s")
    assert (caller.state(receipt), kinds(caller)) == (4, ["hold", "capture"])
    # What was sold can be taken back, as ever.
    caller.ok("receipts.cancel", id=receipt)
    caller.sandbox.clock.advance("5s")
    assert (caller.state(receipt), kinds(caller)) == (50, ["hold", "capture", "refund"])
    assert caller.sandbox.merchant.difference() == []


@pytest.mark.parametrize("number", [GOOD, HUMO])
@pytest.mark.parametrize("method", ["receipts.cancel", "receipts.confirm_hold"])
def test_within_thirty_days_both_can_be_cancelled_and_confirmed(
    caller: Caller, number: str, method: str
) -> None:
    receipt = held(caller, number)
    caller.sandbox.clock.advance(HOLD_MS - 10_000)
    caller.ok(method, id=receipt)
    caller.sandbox.clock.advance("5s")
    ends = {"receipts.cancel": (50, "release"), "receipts.confirm_hold": (4, "capture")}[method]
    assert (caller.state(receipt), kinds(caller)[-1]) == ends


def test_a_hold_in_a_file_of_an_earlier_version_ends_as_it_was_written() -> None:
    clock = SandboxClock(start=START, frozen=True)
    sandbox = Sandbox(clock=clock)
    old = Receipt(
        id="a" * 24,
        number=1,
        create_time=clock.now(),
        amount=500,
        account={},
        state=ReceiptState.HELD,
        hold=True,
        card_number="986003******0006",
        due_at=clock.now() + HOLD_MS,
    )
    sandbox._run(lambda state: state.put_receipt(old))
    Caller(sandbox).ok("receipts.cancel", id=old.id)
    clock.advance("31d")
    assert Caller(sandbox).state(old.id) == 50
    sandbox.stop()
