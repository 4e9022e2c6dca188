"""Faults on Payme's calls to the merchant: the network between the two, rehearsed."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from merchant_tools import HALF_DAY, Shop, shop_server
from sandbox_tools import START, Caller, Clock

from payme.sandbox import InvalidSetting, Sandbox, SandboxClock
from payme.sandbox.engine.faults import ACTIONS, WHENS

METHODS = (
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CancelTransaction",
)


@pytest.fixture
def clock() -> SandboxClock:
    return SandboxClock(Clock(), start=START, frozen=True)


@pytest.fixture
def shop(clock: SandboxClock) -> Shop:
    return Shop(clock)


@pytest.fixture
def caller(clock: SandboxClock, shop: Shop) -> Iterator[Caller]:
    sandbox = Sandbox(clock=clock, merchant=shop, merchant_pauses=(0, 0))
    yield Caller(sandbox)
    sandbox.stop()


def run_through(caller: Caller, *, cancelled: bool) -> None:
    made = caller.call("receipts.create", {"amount": 500, "account": {"order_id": 1}})
    if "error" in made:
        return
    receipt = made["result"]["receipt"]["_id"]
    caller.call("receipts.pay", {"id": receipt, "token": caller.verified()})
    if cancelled:
        caller.call("receipts.cancel", {"id": receipt})
    caller.sandbox.clock.advance("3d")


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("when", "action"), list(itertools.product(WHENS, ACTIONS)))
@pytest.mark.parametrize("times", [1, 5, 500])
def test_whatever_is_lost_both_ledgers_agree_in_the_end(
    caller: Caller, shop: Shop, when: Any, action: Any, method: str, cancelled: bool, times: int
) -> None:
    box = caller.sandbox
    fault = box.faults.add(method, when=when, action=action, times=times, delay_ms="11s")
    run_through(caller, cancelled=cancelled)
    struck = fault.fired
    assert struck or (method == "CancelTransaction" and not cancelled)
    box.faults.clear()
    for receipt in box.receipts():
        # What was left to a person is taken up by one.
        box.merchant.retry(receipt.id)
    box.clock.advance("2d")
    assert box.merchant.difference() == []
    for receipt in box.receipts():
        debits = box.debits(receipt.id)
        assert debits <= 1
        states = [one.state for one in shop.transactions.values() if one.id == receipt.id]
        assert states in ([], [2], [-1], [-2])
        paid = receipt.state == 4
        assert paid is (states == [2])
        if not paid:
            kinds = [entry.kind for entry in box.entries(receipt.id)]
            assert kinds in ([], ["debit", "refund"])


def test_before_and_after_the_effect(caller: Caller, shop: Shop) -> None:
    for when, calls in (("before", 1), ("after", 2)):
        shop.calls.clear()
        caller.sandbox.faults.add("PerformTransaction", when=when, action="drop", times=1)  # type: ignore[arg-type]
        receipt = caller.receipt(account={"order_id": when})
        caller.ok("receipts.pay", id=receipt, token=caller.verified())
        assert len(shop.of("PerformTransaction")) == calls
        outcomes = [
            (one.method, one.outcome, one.text)
            for one in caller.sandbox.merchant.exchanges(receipt)
        ]
        lost = [one for one in outcomes if one[1] == "lost"]
        assert len(lost) == 1
        assert f"PerformTransaction {when} drop" in lost[0][2]


def test_a_duplicate_reaches_the_merchant_twice(caller: Caller, shop: Shop) -> None:
    caller.sandbox.faults.add_text("CreateTransaction before duplicate times=1")
    receipt = caller.paid()
    assert len(shop.of("CreateTransaction")) == 2
    assert len(shop.transactions) == 1
    assert caller.state(receipt) == 4


def test_the_account_and_the_amount_choose(caller: Caller, shop: Shop) -> None:
    caller.sandbox.faults.add_text("CreateTransaction before drop account.order_id=7 amount=500")
    spared = caller.receipt(500, account={"order_id": 8})
    caller.ok("receipts.pay", id=spared, token=caller.verified())
    struck = caller.receipt(500, account={"order_id": 7})
    code, _, _ = caller.no("receipts.pay", id=struck, token=caller.verified())
    assert code == -31622
    assert [one["account"]["order_id"] for one in shop.of("CreateTransaction")] == [8]


def test_globs_of_the_subscribe_api_spare_the_merchant(caller: Caller, shop: Shop) -> None:
    for rule in ("* after delay advance=1s", "receipts.* before delay advance=1s"):
        caller.sandbox.faults.add_text(rule)
    caller.paid()
    assert [one.outcome for one in caller.sandbox.merchant.exchanges()] == ["result"] * 4
    caller.sandbox.faults.clear()
    all_of_them = caller.sandbox.faults.add_text("*Transaction after delay")
    caller.receipt(account={"order_id": 2})
    assert all_of_them.fired == 1
    # A call of the Subscribe API that only has such a name is none of the merchant's.
    caller.call("CreateTransaction", {})
    assert all_of_them.fired == 1


def test_a_method_that_nobody_has_is_refused(caller: Caller) -> None:
    with pytest.raises(InvalidSetting, match="PerformTransaction"):
        caller.sandbox.faults.add_text("PerformTransactions after drop")


def test_over_http_a_slow_merchant_is_waited_for_and_not_longer_than_that() -> None:
    shop = Shop(Clock())
    with (
        shop_server(shop) as url,
        Sandbox(merchant_url=url, merchant_timeout=0.5, merchant_pauses=()) as sandbox,
    ):
        caller = Caller(sandbox)
        sandbox.faults.add_text("CheckPerformTransaction after delay delay=50ms times=1")
        caller.receipt()
        sandbox.faults.add_text("CheckPerformTransaction after delay delay=1h times=1")
        began = time.monotonic()
        code, _, _ = caller.no("receipts.create", amount=500, account={"order_id": 2})
        assert code == -31622
        assert time.monotonic() - began < 60
        assert [one.outcome for one in sandbox.merchant.exchanges()] == ["result", "timeout"]


def test_a_fault_moves_the_clock(caller: Caller) -> None:
    before = caller.sandbox.clock.now()
    caller.sandbox.faults.add_text("PerformTransaction after drop advance=12h times=3")
    receipt = caller.paid()
    assert caller.sandbox.clock.now() >= before + HALF_DAY
    assert caller.sandbox.merchant.difference() is not None
    assert caller.sandbox.receipt(receipt) is not None
