import json
from typing import Any

import pytest
from merchant_tools import Shop
from sandbox_tools import BROKEN, POOR, Caller, Clock

from payme.sandbox import Sandbox
from payme.sandbox.engine.progression import AT_ONCE, Progression, progression
from payme.sandbox.errors import InvalidSetting


def made(clock: Clock, text: str, **options: Any) -> Caller:
    return Caller(Sandbox(clock=clock, progression=text, **options))


def pay(caller: Caller, *, hold: bool = False, number: str = "8600069195406311") -> str:
    receipt = caller.receipt(hold=hold)
    token = caller.verified(number)
    paid = caller.ok("receipts.pay", id=receipt, token=token, hold=hold)["receipt"]
    assert (paid["state"], paid["pay_time"]) == (1, 0)
    assert paid["card"]["number"].endswith(number[-4:])
    return receipt


def kinds(caller: Caller) -> list[str]:
    return [entry.kind for entry in caller.sandbox.ledger()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at_once", AT_ONCE),
        ("after_checks:3", Progression("after_checks", 3)),
        ("clock:2s", Progression("clock", 2000)),
        ("clock:1m30s", Progression("clock", 90_000)),
        ("clock:0", Progression("clock", 0)),
    ],
)
def test_what_is_understood(text: str, expected: Progression) -> None:
    assert progression(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "once", "at_once:1", "after_checks", "after_checks:", "after_checks:0", "after_checks:-1",
     "after_checks:x", "after_checks:٣", "clock", "clock:", "clock:x", "clock:-1s", "clock:101y"],
)  # fmt: skip
def test_what_is_not(text: str) -> None:
    with pytest.raises(InvalidSetting, match="progression"):
        Sandbox(progression=text)


@pytest.mark.parametrize(
    ("checks", "walk"),
    [
        (1, [4, 4]),
        (2, [2, 4, 4]),
        (3, [2, 3, 4, 4]),
        (4, [1, 2, 3, 4, 4]),
        (7, [1, 1, 2, 2, 3, 3, 4, 4]),
    ],
)
def test_the_nth_check_finds_it_paid(clock: Clock, checks: int, walk: list[int]) -> None:
    caller = made(clock, f"after_checks:{checks}")
    receipt = pay(caller)
    assert [caller.state(receipt) for _ in walk] == walk
    assert (kinds(caller), caller.sandbox.debits(receipt)) == (["debit"], 1)
    caller.sandbox.stop()


def test_get_counts_as_a_check_and_other_looks_do_not(clock: Clock) -> None:
    caller = made(clock, "after_checks:3")
    receipt = pay(caller)
    clock.advance(10**9)
    for _ in range(5):
        assert caller.all()[0]["state"] == 1
        assert caller.sandbox.receipt(receipt).state == 1
    assert caller.ok("receipts.get", id=receipt)["receipt"]["state"] == 2
    assert caller.state(receipt) == 3
    assert kinds(caller) == ["debit"]
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["pay_time"]) == (4, clock.now)
    caller.sandbox.stop()


def test_checks_before_the_payment_do_not_count(clock: Clock) -> None:
    caller = made(clock, "after_checks:3")
    other = caller.receipt()
    assert [caller.state(other) for _ in range(5)] == [0] * 5
    assert caller.state(pay(caller)) == 2
    caller.sandbox.stop()


def test_each_step_takes_its_time(clock: Clock) -> None:
    caller = made(clock, "clock:2s")
    receipt, begun = pay(caller), clock.now
    walk = []
    for _ in range(7):
        clock.advance(1000)
        walk.append(caller.state(receipt))
    assert walk == [1, 2, 2, 3, 3, 4, 4]
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert got["pay_time"] == begun + 6000
    assert caller.sandbox.ledger()[0].time == begun + 4000
    caller.sandbox.stop()


def test_a_leap_of_the_clock_takes_all_steps_at_their_times(clock: Clock) -> None:
    caller = made(clock, "clock:2s")
    receipt, begun = pay(caller), clock.now
    clock.advance(3_600_000)
    assert kinds(caller) == ["debit"]
    (listed,) = caller.all()
    assert (listed["state"], listed["pay_time"]) == (4, begun + 6000)
    assert caller.state(receipt) == 4
    caller.sandbox.stop()


@pytest.mark.parametrize("text", ["after_checks:2", "clock:1ms"])
def test_a_hold(clock: Clock, text: str) -> None:
    caller = made(clock, text)
    receipt = pay(caller, hold=True)
    walk = []
    for _ in range(3):
        clock.advance(1)
        walk.append(caller.state(receipt))
    assert walk == [6, 5, 5]
    assert kinds(caller) == ["hold"]
    assert caller.ok("receipts.confirm_hold", id=receipt)["receipt"]["state"] == 4
    assert kinds(caller) == ["hold", "capture"]
    caller.sandbox.stop()


@pytest.mark.parametrize(("number", "code"), [(POOR, -31630), (BROKEN, -32400)])
def test_a_debit_that_fails_cancels_the_receipt(clock: Clock, number: str, code: int) -> None:
    caller = made(clock, "after_checks:3")
    receipt = pay(caller, number=number)
    assert [caller.state(receipt) for _ in range(3)] == [2, 50, 50]
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["error"]["code"], got["pay_time"], kinds(caller)) == (code, 0, [])
    assert got["cancel_time"] == clock.now
    caller.sandbox.stop()


def test_a_card_that_is_removed_meanwhile_is_not_debited(clock: Clock) -> None:
    caller = made(clock, "clock:2s")
    receipt, token = caller.receipt(), caller.verified()
    caller.ok("receipts.pay", id=receipt, token=token)
    caller.ok("cards.remove", token=token)
    clock.advance(10_000)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["error"]["code"], kinds(caller)) == (50, -31400, [])
    caller.sandbox.stop()


def test_what_is_under_way_is_neither_paid_nor_cancelled(clock: Clock) -> None:
    caller = made(clock, "clock:2s")
    receipt, token = pay(caller), caller.verified()
    for _ in range(2):
        assert caller.no("receipts.pay", id=receipt, token=token)[0] == -31602
        assert caller.no("receipts.cancel", id=receipt)[0] == -31800
        assert caller.no("receipts.confirm_hold", id=receipt)[0] == -31602
        clock.advance(2000)
    clock.advance(2000)
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(1000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])
    caller.sandbox.stop()


@pytest.mark.parametrize("text", ["after_checks:3", "clock:2s"])
def test_a_restart_goes_on_where_it_was(clock: Clock, text: str, tmp_path: Any) -> None:
    caller = made(clock, text, db=tmp_path / "state.db")
    receipt = pay(caller)
    clock.advance(2000)
    assert caller.state(receipt) == 2
    caller.sandbox.stop()
    caller = made(clock, text, db=tmp_path / "state.db")
    walk = []
    for _ in range(3):
        clock.advance(2000)
        walk.append(caller.state(receipt))
    assert (walk, caller.sandbox.debits(receipt)) == ([3, 4, 4], 1)
    caller.sandbox.stop()


def test_the_merchant_is_asked_at_the_same_pace(clock: Clock) -> None:
    shop = Shop(clock)
    caller = made(clock, "after_checks:3", merchant=shop, merchant_pauses=())
    receipt = pay(caller)
    asked = []
    for _ in range(3):
        caller.state(receipt)
        asked.append(shop.methods()[-1])
    assert asked == ["CreateTransaction", "CreateTransaction", "SetFiscalData"]
    assert caller.sandbox.merchant.difference() == []
    caller.sandbox.stop()


def test_a_refusal_of_the_merchant_at_that_pace(clock: Clock) -> None:
    shop = Shop(clock)
    caller = made(clock, "clock:2s", merchant=shop, merchant_pauses=())
    receipt = pay(caller)
    error = {"code": -31008, "message": {}, "data": None}
    shop.fail("CreateTransaction", (200, json.dumps({"error": error}).encode()))
    clock.advance(2000)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["error"]["code"], got["error"]["data"]) == (50, -31623, error)
    caller.sandbox.stop()


def test_a_lost_answer_at_that_pace(clock: Clock) -> None:
    shop = Shop(clock)
    shop.fail("CreateTransaction", "lost")
    shop.fail("PerformTransaction", "lost")
    caller = made(clock, "after_checks:3", merchant=shop, merchant_pauses=(0,))
    receipt = pay(caller)
    assert [caller.state(receipt) for _ in range(3)] == [2, 3, 4]
    assert (caller.sandbox.merchant.difference(), kinds(caller)) == ([], ["debit"])
    caller.sandbox.stop()
