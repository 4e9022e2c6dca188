"""A clock that goes far at once does what one does that goes there by and by."""

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merchant_tools import HALF_DAY, Shop
from sandbox_tools import GOOD, POOR, START, Caller, Clock

from payme.sandbox import Sandbox, SandboxClock
from payme.sandbox import clock as clock_module

HOUR, DAY = 3_600_000, 86_400_000


class TimedShop(Shop):
    """Notes when it was asked."""

    def __init__(self, clock: SandboxClock) -> None:
        super().__init__(clock)
        self.times: list[int] = []

    def __call__(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self.times.append(self.clock())
        return super().__call__(body, headers)


@dataclasses.dataclass
class World:
    sandbox: Sandbox
    caller: Caller
    shop: TimedShop | None

    def seen(self) -> Any:
        """Everything that happened, with its times and in its order."""
        box, shop = self.sandbox, self.shop
        return (
            box.ledger(),
            box.receipts(100),
            box.merchant.ledger(),
            [dataclasses.replace(one) for one in shop.transactions.values()] if shop else [],
            list(zip(shop.times, shop.calls, strict=True)) if shop else [],
            [(one.time, one.method, one.outcome) for one in box.merchant.exchanges()],
        )


def world(*, merchant: bool, progression: str, withdrawn_ms: int | None) -> World:
    clock = SandboxClock(Clock(), start=START, frozen=True)
    shop = TimedShop(clock) if merchant else None
    sandbox = Sandbox(
        clock=clock,
        merchant=shop,
        merchant_pauses=(0,),
        progression=progression,
        receipt_ttl_ms=5 * DAY,
        cancel_after_ms=HOUR,
        seed=7,
    )
    sandbox.first.first_config = dataclasses.replace(
        sandbox.first.first_config, cancel_paid_after_ms=withdrawn_ms
    )
    sandbox.first.play()
    return World(sandbox, Caller(sandbox), shop)


def act(world: World, action: str, order: int) -> None:
    caller, shop = world.caller, world.shop
    hold = action == "hold"
    flags = {"hold": True} if hold else {}
    receipt = caller.receipt(account={"order_id": order}, **flags)
    if action == "unpaid":
        return
    if shop is not None and action == "perform_lost":
        shop.fail("PerformTransaction", *["timeout"] * 7)
    if shop is not None and action == "perform_never":
        shop.fail("PerformTransaction", *["timeout"] * 100)
    token = caller.verified(POOR if action == "declined" else GOOD)
    caller.call("receipts.pay", {"id": receipt, "token": token, **flags})
    if action == "cancelled":
        if shop is not None:
            shop.fail("CancelTransaction", *["timeout"] * 5)
        caller.call("receipts.cancel", {"id": receipt})


ACTIONS = ["paid", "unpaid", "hold", "perform_lost", "perform_never", "declined", "cancelled"]


@settings(max_examples=60, deadline=None)
@given(
    actions=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5 * HOUR)), max_size=5),
    pieces=st.lists(st.integers(1, 6 * DAY), min_size=1, max_size=10),
    merchant=st.booleans(),
    progression=st.sampled_from(["at_once", "clock:2h"]),
    withdrawn_ms=st.sampled_from([None, 3 * DAY]),
)
def test_at_once_and_by_and_by_are_the_same(
    actions: list[tuple[str, int]],
    pieces: list[int],
    merchant: bool,
    progression: str,
    withdrawn_ms: int | None,
) -> None:
    options: dict[str, Any] = {"progression": progression, "withdrawn_ms": withdrawn_ms}
    worlds = [world(merchant=merchant, **options) for _ in range(3)]
    for one in worlds:
        for order, (action, wait) in enumerate(actions):
            act(one, action, order)
            one.sandbox.clock.advance(wait)
    far, near, frozen = worlds
    far.sandbox.clock.advance(sum(pieces))
    frozen.sandbox.clock.freeze(frozen.sandbox.clock.now() + sum(pieces))
    for piece in pieces:
        near.sandbox.clock.advance(piece)
        near.sandbox.ledger()
    for one in worlds:
        one.sandbox.merchant.run_due()
    assert far.sandbox.clock.now() == near.sandbox.clock.now() == frozen.sandbox.clock.now()
    assert far.seen() == near.seen() == frozen.seen()
    for one in worlds:
        one.sandbox.stop()


def test_what_becomes_due_is_done_at_its_own_time_and_in_order() -> None:
    one = world(merchant=True, progression="at_once", withdrawn_ms=None)
    assert one.shop is not None
    caller, clock = one.caller, one.sandbox.clock
    held = caller.receipt(account={"order_id": 1}, hold=True)
    caller.ok("receipts.pay", id=held, token=caller.verified(), hold=True)
    clock.advance("1h")
    one.shop.fail("PerformTransaction", *["timeout"] * 100)
    stuck = caller.receipt(account={"order_id": 2})
    caller.ok("receipts.pay", id=stuck, token=caller.verified())
    assert clock.advance("40d") == START + 40 * DAY + HOUR
    moves = [(entry.receipt_id, entry.kind, entry.time) for entry in one.sandbox.ledger()]
    assert moves == [
        (held, "hold", START),
        (stuck, "debit", START + HOUR),
        (stuck, "refund", START + HOUR + HALF_DAY),
        (held, "release", START + 30 * DAY),
    ]
    assert one.sandbox.merchant.difference() == []
    one.sandbox.stop()


def test_a_ledger_that_is_looked_at_late_is_in_the_order_of_time() -> None:
    source = Clock()
    sandbox = Sandbox(clock=source, cancel_after_ms=HOUR)
    caller = Caller(sandbox)
    first = caller.held()
    source.advance(DAY)
    second = caller.paid()
    source.advance(29 * DAY - HOUR // 2)
    caller.ok("receipts.cancel", id=second)
    source.advance(40 * DAY)
    moves = [(entry.receipt_id, entry.kind, entry.time) for entry in sandbox.ledger()]
    assert (
        moves[2:]
        == [
            (second, "refund", START + 30 * DAY + HOUR // 2),
            (first, "release", START + 30 * DAY),
        ][::-1]
    )
    sandbox.stop()


@pytest.mark.parametrize("progression", ["at_once", "clock:2h"])
def test_a_receipt_that_is_looked_at_late_moved_at_its_own_times(progression: str) -> None:
    source = Clock()
    sandbox = Sandbox(clock=source, progression=progression, cancel_after_ms=HOUR)
    sandbox.first.configure(cancel_paid_after_ms=3 * DAY)
    caller = Caller(sandbox)
    receipt = caller.paid()
    source.advance(40 * DAY)
    found = caller.ok("receipts.get", id=receipt)["receipt"]
    paid = START if progression == "at_once" else START + 6 * HOUR
    assert (found["state"], found["pay_time"]) == (50, paid)
    assert found["cancel_time"] == paid + 3 * DAY + HOUR
    sandbox.stop()


def test_a_merchant_who_keeps_it_too_long_does_not_hold_up_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock_module, "_PATIENCE_S", 0.2)
    one = world(merchant=True, progression="at_once", withdrawn_ms=None)
    assert one.shop is not None
    receipt = one.caller.paid()

    def hangs() -> None:
        time.sleep(0.05)
        raise TimeoutError

    # A refund is asked for every hour, without end: 960 times in 40 days.
    one.shop.fail("CancelTransaction", *[hangs] * 2000)
    one.caller.call("receipts.cancel", {"id": receipt})
    before = one.sandbox.clock.now()
    assert one.sandbox.clock.advance("40d") == before + 40 * DAY
    assert len(one.shop.of("CancelTransaction")) < 100
    assert one.caller.state(receipt) == 21
    one.sandbox.stop()


def test_after_a_long_stop_the_merchant_has_its_twelve_hours_from_then_on() -> None:
    source = Clock()
    shop = Shop(source)
    sandbox = Sandbox(clock=source, merchant=shop, merchant_pauses=())
    caller = Caller(sandbox)
    receipt = caller.held()
    shop.fail("CancelTransaction", "timeout")
    source.advance(40 * DAY)
    sandbox.merchant.run_due()
    assert len(shop.of("CancelTransaction")) == 1
    sandbox.clock.advance("1h")
    assert len(shop.of("CancelTransaction")) == 2
    assert caller.state(receipt) == 50
    assert sandbox.merchant.difference() == []
    sandbox.stop()


@pytest.mark.parametrize("running", [False, True])
def test_no_time_is_lost_or_won_on_the_way(running: bool) -> None:
    source = Clock()
    clock = SandboxClock(source, frozen=not running)
    stops = [1000, 2500, 2500, 7000]

    def next_due(after: int, until: int) -> int | None:
        return min((START + ms for ms in stops if after < START + ms <= until), default=None)

    seen: list[int] = []
    clock.follow(lambda: seen.append(clock.now() - START), next_due)
    assert clock.advance(10_000) == START + 10_000
    assert seen == [0, 1000, 2500, 7000, 10_000]
    assert clock.advance(0) == START + 10_000
