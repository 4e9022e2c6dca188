import pickle
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_tools import START, Caller, Clock

from payme.sandbox import InvalidSetting, Sandbox, SandboxClock
from payme.sandbox.engine.durations import MAX_MOMENT_MS, duration_ms, iso, moment_ms

HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def source() -> Clock:
    return Clock()


@pytest.fixture
def clock(source: Clock) -> SandboxClock:
    return SandboxClock(source)


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("12h", 12 * HOUR),
        ("90s", 90_000),
        ("30d", 30 * DAY),
        ("1h30m", 90 * 60_000),
        ("250ms", 250),
        ("1m1ms", 60_001),
        (" 5s ", 5000),
        ("1500", 1500),
        ("12", 12),
        (0, 0),
        (1500, 1500),
        (timedelta(hours=2, microseconds=999), 2 * HOUR),
    ],
)
def test_spans_of_time(written: str | int | timedelta, ms: int) -> None:
    assert duration_ms(written) == ms


@pytest.mark.parametrize(
    "written",
    [
        "",
        "h",
        "12 hours",
        "-1h",
        "1.5h",
        "1h 30m",
        "5w",
        "1e3",
        "٣h",
        -1,
        1.5,
        True,
        None,
        "999999999999999d",
        timedelta(seconds=-1),
        timedelta(days=36501),
        [],
        {},
    ],
)
def test_what_is_no_span_of_time(written: object) -> None:
    with pytest.raises(InvalidSetting) as caught:
        duration_ms(written, "advance")  # type: ignore[arg-type]
    assert caught.value.argument == "advance"
    assert '"12h"' in caught.value.expected


@pytest.mark.parametrize("ms", ["999999999999999d", timedelta(seconds=-1), timedelta(days=36501)])
def test_a_span_beyond_all_use(ms: str | timedelta) -> None:
    with pytest.raises(InvalidSetting, match="at most 100 years and not negative"):
        duration_ms(ms)


@pytest.mark.parametrize("ms", [MAX_MOMENT_MS + 1, "9" * 15, None])
def test_a_moment_beyond_the_calendar(ms: object) -> None:
    with pytest.raises(InvalidSetting):
        moment_ms(ms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        (START, START),
        (str(START), START),
        ("2026-03-01T09:00:00+05:00", 1772337600000),
        ("2026-03-01T04:00:00Z", 1772337600000),
        (datetime(2026, 3, 1, 4, tzinfo=UTC), 1772337600000),
        (datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=5))), 1772337600000),
    ],
)
def test_moments(written: int | str | datetime, ms: int) -> None:
    assert moment_ms(written) == ms


@pytest.mark.parametrize(
    "written",
    [
        "tomorrow",
        "2026-03-01",
        "2026-03-01T09:00:00",
        datetime(2026, 3, 1),
        -1,
        True,
        1.0,
        MAX_MOMENT_MS + 1,
        None,
        "9" * 15,
    ],
)
def test_what_is_no_moment(written: object) -> None:
    with pytest.raises(InvalidSetting):
        moment_ms(written)  # type: ignore[arg-type]


@pytest.mark.parametrize("moment", [1_790_000_000, " 1790000000 ", 1_293_840_000])
def test_seconds_are_not_taken_for_milliseconds(moment: int | str) -> None:
    with pytest.raises(InvalidSetting, match="it looks like seconds"):
        moment_ms(moment)


def test_early_moments_are_taken_when_they_are_meant() -> None:
    assert moment_ms("1970-01-21T17:13:20+00:00") == 1_790_000_000
    assert moment_ms(datetime.fromtimestamp(1_790_000, UTC)) == 1_790_000_000
    assert moment_ms(0) == 0


@given(st.integers(0, MAX_MOMENT_MS))
def test_a_moment_that_is_written_is_read_again(ms: int) -> None:
    assert moment_ms(iso(ms)) == ms


def test_real_time_by_default(clock: SandboxClock, source: Clock) -> None:
    source.advance(5)
    assert (clock.now(), clock(), clock.frozen) == (START + 5, START + 5, False)
    assert abs(SandboxClock().now() - datetime.now(UTC).timestamp() * 1000) < 60_000


def test_advance_running_and_frozen(clock: SandboxClock, source: Clock) -> None:
    assert clock.advance("12h") == START + 12 * HOUR
    source.advance(7)
    assert clock.now() == START + 12 * HOUR + 7
    clock.freeze()
    source.advance(1000)
    assert clock.advance(timedelta(seconds=1)) == START + 12 * HOUR + 1007


def test_freeze_at_a_moment_and_resume_without_a_jump(clock: SandboxClock, source: Clock) -> None:
    assert clock.freeze("2026-03-01T04:00:00Z") == 1772337600000
    source.advance(HOUR)
    assert (clock.now(), clock.frozen) == (1772337600000, True)
    assert clock.resume() == 1772337600000
    source.advance(3)
    assert (clock.now(), clock.frozen) == (1772337600003, False)
    assert clock.resume() == 1772337600003


def test_start_frozen_and_reset(source: Clock) -> None:
    clock = SandboxClock(source, start=1000, frozen=True)
    clock.advance(5)
    clock.resume()
    clock.reset()
    assert (clock.now(), clock.frozen) == (1000, True)
    running = SandboxClock(source, start=1000)
    source.advance(9)
    assert running.now() == 1009


def test_time_ends_and_the_clock_stays_where_it_is(clock: SandboxClock) -> None:
    clock.freeze(MAX_MOMENT_MS - 10)
    with pytest.raises(InvalidSetting, match="advance is 11"):
        clock.advance(11)
    assert clock.now() == MAX_MOMENT_MS - 10


def test_no_advance_is_lost_between_threads(clock: SandboxClock) -> None:
    def turn() -> None:
        for _ in range(500):
            clock.advance(1)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=turn) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert clock.now() == START + 4000


def test_the_sandbox_takes_a_function_or_a_clock() -> None:
    mine = SandboxClock(frozen=True)
    assert Sandbox(clock=mine).clock is mine
    assert Sandbox(clock=lambda: 77).clock.now() == 77
    assert not Sandbox().clock.frozen


def test_everything_timed_follows_the_clock(caller: Caller) -> None:
    clock = caller.sandbox.clock
    token = caller.card()
    caller.ok("cards.get_verify_code", token=token)
    clock.advance("60s")
    caller.ok("cards.verify", token=token, code="666666")
    caller.ok("cards.get_verify_code", token=token)
    clock.advance("60001ms")
    assert caller.no("cards.verify", token=token, code="666666")[0] == -31101

    paid, held = caller.paid(), caller.held()
    caller.ok("receipts.cancel", id=paid)
    clock.advance("999ms")
    assert (caller.state(paid), caller.state(held)) == (21, 5)
    clock.advance("1ms")
    assert caller.state(paid) == 50
    clock.advance("30d")
    assert caller.state(held) == 50


class TestAReceiptThatExpires:
    @pytest.fixture
    def caller(self, clock: SandboxClock) -> Caller:
        return Caller(Sandbox(clock=clock, receipt_ttl_ms=24 * HOUR))

    def test_it_can_be_paid_until_then(self, caller: Caller) -> None:
        receipt, token = caller.receipt(), caller.verified()
        caller.sandbox.clock.advance(24 * HOUR - 1)
        assert caller.ok("receipts.pay", id=receipt, token=token)["receipt"]["state"] == 4
        caller.sandbox.clock.advance("300d")
        assert caller.state(receipt) == 4

    def test_it_is_cancelled_then(self, caller: Caller) -> None:
        receipt, token = caller.receipt(), caller.verified()
        caller.sandbox.clock.advance("24h")
        code, message, _ = caller.no("receipts.pay", id=receipt, token=token)
        assert (code, message) == (-31403, "Срок действия чека истёк.")
        shown = caller.ok("receipts.get", id=receipt)["receipt"]
        assert (shown["state"], shown["cancel_time"]) == (50, START + 24 * HOUR)
        assert (caller.sandbox.ledger(), caller.sandbox.debits(receipt)) == ([], 0)
        assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 50

    def test_one_that_was_put_in_place_expires_too(self, caller: Caller) -> None:
        receipt = caller.sandbox.add_receipt()
        caller.sandbox.clock.advance("24h")
        assert caller.state(receipt) == 50

    def test_a_cancelled_one_does_not_expire(self, caller: Caller) -> None:
        receipt = caller.receipt()
        caller.ok("receipts.cancel", id=receipt)
        caller.sandbox.clock.advance("48h")
        assert caller.ok("receipts.get", id=receipt)["receipt"]["cancel_time"] == START
        assert caller.no("receipts.pay", id=receipt, token=caller.verified())[0] == -31602

    def test_by_default_a_receipt_lives_for_ever(self) -> None:
        caller = Caller(Sandbox())
        receipt, token = caller.receipt(), caller.verified()
        caller.sandbox.clock.advance("3650d")
        assert caller.ok("receipts.pay", id=receipt, token=token)["receipt"]["state"] == 4


def test_the_error_can_be_pickled_and_holds_no_secret() -> None:
    error = InvalidSetting("card", "8600069195406311", "a card")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "card is '860006******6311': expected a card"
    assert (again.argument, again.given, again.expected) == ("card", error.given, "a card")
