"""The sandbox plays Payme's side of the Merchant API against a merchant in this process."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from merchant_tools import HALF_DAY, MESSAGE, No, Shop, basic
from sandbox_tools import BROKEN, GOOD, POOR, SLOW, Caller, Clock

from payme.sandbox import Sandbox, SandboxError
from payme.sandbox.engine import payments
from payme.sandbox.errors import InvalidSetting

MINUTE = 60_000
KEY = "k" * 36


@pytest.fixture
def shop(clock: Clock) -> Shop:
    return Shop(clock)


@pytest.fixture
def caller(clock: Clock, shop: Shop) -> Iterator[Caller]:
    sandbox = Sandbox(clock=clock, merchant=shop, merchant_key=KEY, merchant_pauses=(0, 0))
    yield Caller(sandbox)
    sandbox.stop()


def kinds(caller: Caller) -> list[str]:
    return [entry.kind for entry in caller.sandbox.ledger()]


def states(caller: Caller, receipt: str) -> tuple[int, int | None]:
    known = caller.sandbox.merchant.transaction(receipt)
    return caller.state(receipt), None if known is None else known.state


def pay(caller: Caller, receipt: str, number: str = GOOD, **params: Any) -> dict[str, Any]:
    params = {"id": receipt, "token": caller.verified(number), **params}
    return caller.call("receipts.pay", params)


# The way of a payment


def test_a_payment_asks_the_merchant_step_by_step(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt(50_000, account={"order_id": 7, "phone": "903595731"})
    assert shop.calls == [
        ("CheckPerformTransaction", {"amount": 50_000, "account": shop.calls[0][1]["account"]})
    ]
    assert shop.calls[0][1]["account"] == {"order_id": 7, "phone": "903595731"}
    paid = pay(caller, receipt)["result"]["receipt"]
    assert (paid["state"], paid["pay_time"]) == (4, caller.sandbox.clock.now())
    assert shop.methods()[1:] == ["CreateTransaction", "PerformTransaction", "SetFiscalData"]
    created = shop.of("CreateTransaction")[0]
    assert created == {
        "id": receipt,
        "time": caller.sandbox.clock.now(),
        "amount": 50_000,
        "account": {"order_id": 7, "phone": "903595731"},
    }
    assert shop.of("PerformTransaction") == [{"id": receipt}]
    assert kinds(caller) == ["debit"]
    assert states(caller, receipt) == (4, 2)
    assert caller.sandbox.merchant.difference() == []


def test_what_goes_over_the_wire(caller: Caller, shop: Shop) -> None:
    caller.receipt()
    request, headers = json.loads(shop.bodies[0]), shop.headers[0]
    assert set(request) == {"id", "method", "params"}
    assert isinstance(request["id"], int)
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["Test-Operation"] == "Paycom"
    assert headers["Referer"] == "http://test.paycom.uz"
    assert "Firefox" in headers["User-Agent"]
    assert headers["Authorization"] == basic(KEY)


def test_the_cash_boxs_key_is_the_default_password(clock: Clock, shop: Shop) -> None:
    sandbox = Sandbox(clock=clock, merchant=shop)
    shop.password = sandbox.key
    assert Caller(sandbox).receipt()
    assert shop.headers[0]["Authorization"] == basic(sandbox.key)
    sandbox.stop()


def test_ids_of_requests_differ(caller: Caller, shop: Shop) -> None:
    pay(caller, caller.receipt())
    ids = [json.loads(body)["id"] for body in shop.bodies]
    assert len(set(ids)) == len(ids) == 4


def test_fiscal_receipts_of_sale_and_refund(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    caller.ok("receipts.cancel", id=receipt)
    clock.advance(1000)
    assert caller.state(receipt) == 50
    sale, refund = shop.of("SetFiscalData")
    assert (sale["id"], sale["type"]) == (receipt, "PERFORM")
    assert (refund["id"], refund["type"]) == (receipt, "CANCEL")
    assert sale["fiscal_data"]["receipt_id"] != refund["fiscal_data"]["receipt_id"]
    assert sale["fiscal_data"]["date"] == "20231115031320"
    assert set(sale["fiscal_data"]) == {
        "receipt_id",
        "status_code",
        "message",
        "terminal_id",
        "fiscal_sign",
        "qr_code_url",
        "date",
    }


@pytest.mark.parametrize("fate", ["timeout", "refused", (500, b""), (200, b'{"error":{"code":1}}')])
def test_a_failed_fiscal_receipt_changes_nothing(caller: Caller, shop: Shop, fate: Any) -> None:
    shop.fail("SetFiscalData", fate)
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 4
    assert caller.sandbox.merchant.last_exchanges(1)[0].method == "SetFiscalData"
    caller.sandbox.merchant.run_due()
    assert len(caller.sandbox.merchant.exchanges(receipt)) == 3
    assert states(caller, receipt) == (4, 2)


# Creating


@pytest.mark.parametrize(
    ("amount", "order", "code", "data"), [(666, 1, -31001, None), (5, 404, -31050, "order_id")]
)
def test_a_refused_account_or_amount(
    caller: Caller, amount: int, order: int, code: int, data: str | None
) -> None:
    got = caller.no("receipts.create", amount=amount, account={"order_id": order})
    error = {"code": code, "message": MESSAGE, "data": data}
    assert got == (-31623, "Сервис поставщика услуг работает не корректно", error)
    assert caller.all() == []


def test_a_paid_order_is_refused(caller: Caller) -> None:
    pay(caller, caller.receipt())
    got = caller.no("receipts.create", amount=5, account={"order_id": 1})
    assert (got[0], got[2]["code"]) == (-31623, -31008)


@pytest.mark.parametrize("fate", ["refused", "timeout", "lost"])
def test_a_silent_merchant(caller: Caller, shop: Shop, fate: str) -> None:
    shop.fail("CheckPerformTransaction", fate)
    got = caller.no("receipts.create", amount=5, account={"order_id": 1})
    assert got == (-31622, "Сервис поставщика услуг недоступен", None)
    assert caller.all() == []
    assert caller.receipt()


BROKEN_ANSWERS: list[tuple[Any, str]] = [
    ((500, b""), "status"),
    ((201, b'{"result":{"allow":true}}'), "status"),
    ((302, b""), "status"),
    ("crash", "status"),
    ((200, b""), "malformed"),
    ((200, b"<html>"), "malformed"),
    ((200, b"\xff\xfe"), "malformed"),
    ((200, b"[" * 100_000), "malformed"),
    ((200, b"[]"), "malformed"),
    ((200, b'{"result":{"allow":true,"x":123456789012345678901234567890}}'), "malformed"),
    ((200, b'{"error":{"code":-31050,"message":"\\ud800"}}'), "malformed"),
    ((200, b"1"), "malformed"),
    ((200, b"{}"), "malformed"),
    ((200, b'{"result":null,"error":null}'), "malformed"),
    ((200, b'{"result":[]}'), "malformed"),
    ((200, b'{"result":{"allow":1}}'), "malformed"),
    ((200, b'{"result":{"allow":false}}'), "malformed"),
    ((200, b'{"error":"no"}'), "malformed"),
    ((200, b'{"error":{"code":"-31050"}}'), "malformed"),
    ((200, b'{"error":{"code":true}}'), "malformed"),
    ((200, b'{"id":999,"result":{"allow":true}}'), "malformed"),
    ((200, b'{"id":[],"result":{"allow":true}}'), "malformed"),
    ((200, b'{"id":true,"result":{"allow":true}}'), "malformed"),
    ((200, b" " * (1 << 20) + b'{"result":{"allow":true}}'), "malformed"),
]


@pytest.mark.parametrize(("fate", "outcome"), BROKEN_ANSWERS)
def test_an_answer_that_is_none_counts_as_a_system_error(
    caller: Caller, shop: Shop, fate: Any, outcome: str
) -> None:
    shop.fail("CheckPerformTransaction", fate)
    code, _, data = caller.no("receipts.create", amount=5, account={"order_id": 1})
    assert (code, data["code"]) == (-31623, -32400)
    (exchange,) = caller.sandbox.merchant.exchanges()
    assert (exchange.outcome, exchange.code, exchange.receipt_id) == (outcome, -32400, "")


@pytest.mark.parametrize(
    "answer", [b'{"id":null,"result":{"allow":true}}', b'{"result":{"allow":true,"additional":{}}}']
)
def test_an_answer_without_id_passes(caller: Caller, shop: Shop, answer: bytes) -> None:
    shop.fail("CheckPerformTransaction", (200, answer))
    assert caller.receipt()


def test_settings_are_looked_at_before_the_merchant(clock: Clock, shop: Shop) -> None:
    sandbox = Sandbox(clock=clock, merchant=shop, min_amount=100, account_fields={"order_id": "№"})
    caller = Caller(sandbox)
    assert caller.no("receipts.create", amount=99, account={"order_id": 1})[0] == -31611
    assert caller.no("receipts.create", amount=99, account={})[0] == -31610
    assert shop.calls == []
    sandbox.stop()


def test_a_wrong_password_is_the_merchants_refusal(caller: Caller, shop: Shop) -> None:
    shop.password = "another"
    code, _, data = caller.no("receipts.create", amount=5, account={"order_id": 1})
    assert (code, data["code"]) == (-31623, -32504)


# Paying: the transaction is created


def test_a_refused_transaction_cancels_the_receipt(caller: Caller, shop: Shop) -> None:
    first, second = caller.receipt(), caller.receipt()
    pay(caller, first)
    error = pay(caller, second)["error"]
    assert (error["code"], error["data"]["code"]) == (-31623, -31008)
    got = caller.ok("receipts.get", id=second)["receipt"]
    assert (got["state"], got["error"]) == (50, error)
    assert caller.sandbox.debits(second) == 0
    assert "CancelTransaction" not in shop.methods()
    assert caller.sandbox.merchant.difference() == []


@pytest.mark.parametrize(
    "fate", ["lost", "timeout", (500, b""), (200, b'{"error":{"code":-32400}}')]
)
def test_a_lost_answer_to_create_is_asked_for_again(caller: Caller, shop: Shop, fate: Any) -> None:
    shop.fail("CreateTransaction", fate, fate)
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 4
    asked = shop.of("CreateTransaction")
    assert len(asked) == 3
    assert asked[0] == asked[1] == asked[2]
    attempts = [one.attempt for one in caller.sandbox.merchant.exchanges(receipt)]
    assert attempts == [1, 2, 3, 1, 1]
    assert caller.sandbox.merchant.difference() == []


def test_create_that_is_never_answered_is_cancelled(caller: Caller, shop: Shop) -> None:
    shop.fail("CreateTransaction", "lost", "lost", "lost")
    receipt = caller.receipt()
    error = pay(caller, receipt)["error"]
    assert (error["code"], error["data"]) == (-31622, None)
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 3}]
    assert states(caller, receipt) == (50, -1)
    assert caller.sandbox.ledger() == []
    assert caller.sandbox.merchant.difference() == []


def test_create_that_never_arrived_needs_no_cancellation(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt()
    shop.fail("CreateTransaction", *["refused"] * 3)
    assert pay(caller, receipt)["error"]["code"] == -31622
    assert shop.methods() == ["CheckPerformTransaction"]
    assert states(caller, receipt) == (50, None)
    assert caller.sandbox.merchant.difference() == []


def test_system_errors_to_create_are_told_as_such(caller: Caller, shop: Shop) -> None:
    shop.fail("CreateTransaction", *[(502, b"Bad Gateway")] * 3)
    receipt = caller.receipt()
    error = pay(caller, receipt)["error"]
    assert (error["code"], error["data"]["code"]) == (-31623, -32400)
    # The merchant had not made it, and says so: -31003.
    assert caller.sandbox.merchant.exchanges(receipt)[-1].code == -31003
    assert caller.sandbox.merchant.difference() == []


def test_a_cancellation_that_is_lost_too_is_left_to_the_clock(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("CreateTransaction", "lost", "lost", "lost")
    shop.fail("CancelTransaction", "timeout", "timeout")
    receipt = caller.receipt()
    assert pay(caller, receipt)["error"]["code"] == -31622
    assert states(caller, receipt) == (50, None)
    (row,) = caller.sandbox.merchant.difference()
    assert (row.receipt_id, row.what, row.merchant) == (receipt, "unanswered", "CancelTransaction")
    clock.advance(MINUTE)
    assert states(caller, receipt) == (50, None)
    clock.advance(2 * MINUTE - 1)
    assert len(shop.of("CancelTransaction")) == 2
    assert caller.state(receipt) == 50
    clock.advance(1)
    assert caller.state(receipt) == 50
    assert states(caller, receipt) == (50, -1)
    assert caller.sandbox.merchant.difference() == []


def test_a_merchant_that_refuses_repetitions_is_cleaned_up_after(
    caller: Caller, shop: Shop
) -> None:
    shop.strict = False
    shop.fail("CreateTransaction", "lost")
    receipt = caller.receipt()
    assert pay(caller, receipt)["error"]["data"]["code"] == -31008
    assert shop.transactions[receipt].state == -1
    assert states(caller, receipt) == (50, -1)


# Paying: the card is debited


@pytest.mark.parametrize(
    ("number", "code", "delay"), [(POOR, -31630, 0), (BROKEN, -32400, 0), (SLOW, -31630, 10_000)]
)
def test_a_failed_debit_cancels_the_transaction(
    caller: Caller, shop: Shop, number: str, code: int, delay: int
) -> None:
    answers = []
    caller.sandbox.first.service._listener = answers.append
    receipt = caller.receipt()
    error = pay(caller, receipt, number)["error"]
    assert (error["code"], answers[-1].delay_ms) == (code, delay)
    assert shop.methods()[1:] == ["CreateTransaction", "CancelTransaction"]
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 2}]
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["error"]) == (50, error)
    assert (caller.sandbox.ledger(), caller.sandbox.debits(receipt)) == ([], 0)
    assert caller.sandbox.merchant.difference() == []


def test_a_one_time_token_is_used_up_by_the_debit_alone(caller: Caller, shop: Shop) -> None:
    token = caller.verified(save=False)
    first = caller.receipt(account={"order_id": "many"})
    second = caller.receipt(account={"order_id": "many"})
    shop.fail("CreateTransaction", (200, b'{"error":{"code":-31008}}'))
    assert caller.no("receipts.pay", id=first, token=token)[0] == -31623
    caller.ok("receipts.pay", id=second, token=token)
    assert caller.no("cards.check", token=token)[0] == -31400


def test_an_unverified_card_reaches_no_merchant(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt()
    assert caller.no("receipts.pay", id=receipt, token=caller.card())[0] == -31400
    assert shop.methods() == ["CheckPerformTransaction"]
    assert caller.state(receipt) == 0


# Paying: the transaction is performed


@pytest.mark.parametrize("fate", ["lost", "timeout", "refused", (500, b""), (200, b"?")])
def test_a_lost_answer_to_perform_is_asked_for_again(caller: Caller, shop: Shop, fate: Any) -> None:
    shop.fail("PerformTransaction", fate, fate)
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 4
    assert states(caller, receipt) == (4, 2)
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit"], [])


def test_perform_that_is_not_answered_waits_in_the_queue(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("PerformTransaction", *["lost"] * 4)
    receipt = caller.receipt()
    waiting = pay(caller, receipt)["result"]["receipt"]
    assert (waiting["state"], waiting["pay_time"], waiting["error"]) == (30, 0, None)
    assert kinds(caller) == ["debit"]
    assert [row.what for row in caller.sandbox.merchant.difference()] == ["state", "unanswered"]
    clock.advance(MINUTE)
    assert caller.state(receipt) == 30
    clock.advance(2 * MINUTE)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["pay_time"]) == (4, clock.now)
    assert len(shop.of("PerformTransaction")) == 5
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit"], [])


def test_the_pauses_double_up_to_an_hour(caller: Caller, shop: Shop, clock: Clock) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 100)
    pay(caller, caller.receipt())
    asked = []
    for minute in range(1, 5 * 60):
        clock.advance(MINUTE)
        before = len(shop.of("PerformTransaction"))
        caller.sandbox.merchant.run_due()
        asked += [minute] * (len(shop.of("PerformTransaction")) - before)
    assert asked == [1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_after_twelve_hours_it_is_cancelled_and_refunded(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    clock.advance(HALF_DAY)
    assert caller.state(receipt) == 50
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 4}]
    assert len(shop.of("PerformTransaction")) == 3
    assert shop.transactions[receipt].state == -1
    assert [one["type"] for one in shop.of("SetFiscalData")] == []
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit", "refund"], [])


def test_a_long_ledger_shows_its_end(caller: Caller, clock: Clock) -> None:
    receipts = []
    for order in range(3):
        receipts.append(caller.receipt(account={"order_id": order}))
        pay(caller, receipts[-1])
        clock.advance(1000)
    assert [one.receipt_id for one in caller.sandbox.merchant.ledger(2)] == receipts[1:]


def test_moving_the_clock_does_what_becomes_due_at_the_merchants(
    caller: Caller, shop: Shop
) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    caller.sandbox.clock.advance("11h59m")
    assert shop.of("CancelTransaction") == []
    assert len(shop.of("PerformTransaction")) == 4
    shop.fail("PerformTransaction", *["timeout"] * 100)
    second = caller.receipt(account={"order_id": 2})
    pay(caller, second)
    caller.sandbox.clock.freeze(caller.sandbox.clock.now() + HALF_DAY)
    assert shop.of("CancelTransaction") == [{"id": second, "reason": 4}]


def test_a_merchant_may_move_the_clock_while_it_is_asked(caller: Caller, shop: Shop) -> None:
    for method in ("CreateTransaction", "PerformTransaction"):
        shop.fail(method, lambda: caller.sandbox.clock.advance("1m"))
    receipt = caller.receipt()
    pay(caller, receipt)
    assert states(caller, receipt) == (4, 2)
    assert len(shop.of("PerformTransaction")) == 1


def test_the_clock_of_a_stopped_sandbox_asks_nobody(caller: Caller, shop: Shop) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    pay(caller, caller.receipt())
    asked = len(shop.calls)
    caller.sandbox.stop()
    caller.sandbox.clock.advance("12h")
    assert len(shop.calls) == asked


def test_until_a_millisecond_before_twelve_hours_it_is_performed(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    clock.advance(HALF_DAY - 1)
    assert caller.state(receipt) == 4


def test_what_was_performed_and_cant_be_cancelled_is_paid(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.can_cancel = False
    shop.fail("PerformTransaction", *["lost"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    clock.advance(HALF_DAY)
    assert states(caller, receipt)[0] == 4
    assert states(caller, receipt) == (4, 2)
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit"], [])


def test_long_silence_suspends_the_payment(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    shop.fail("PerformTransaction", *["lost"] * 100)
    shop.fail("CancelTransaction", *["timeout"] * 100)
    pay(caller, receipt)
    for _ in range(60):
        clock.advance(HALF_DAY // 20)
        caller.sandbox.merchant.run_due()
    assert caller.state(receipt) == 20
    assert kinds(caller) == ["debit"]
    assert {row.what for row in caller.sandbox.merchant.difference()} == {"state", "unanswered"}
    asked = len(shop.calls)
    clock.advance(100 * HALF_DAY)
    caller.sandbox.merchant.run_due()
    assert len(shop.calls) == asked < 100
    shop.fates.clear()
    assert caller.sandbox.merchant.retry(receipt).state == 4
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit"], [])


def test_retry_does_not_wait_for_the_clock(caller: Caller, shop: Shop) -> None:
    shop.fail("PerformTransaction", *["lost"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    assert caller.sandbox.merchant.retry(receipt).state == 4
    assert caller.sandbox.merchant.retry(receipt).state == 4
    assert len(shop.of("PerformTransaction")) == 4
    with pytest.raises(SandboxError, match="не найден"):
        caller.sandbox.merchant.retry("0" * 24)


@pytest.mark.parametrize("code", [-31003, -31008, -31050, -32504, -32601])
def test_a_refused_perform_is_refunded(caller: Caller, shop: Shop, code: int) -> None:
    error = json.dumps({"error": {"code": code, "message": MESSAGE}}).encode()
    shop.fail("PerformTransaction", (200, error))
    receipt = caller.receipt()
    got = pay(caller, receipt)["error"]
    assert (got["code"], got["data"]["code"]) == (-31623, code)
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 3}]
    assert states(caller, receipt) == (50, -1)
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["debit", "refund"], [])


def test_a_refund_does_not_wait_for_a_silent_merchant(caller: Caller, shop: Shop) -> None:
    shop.fail("PerformTransaction", (200, b'{"error":{"code":-31008}}'))
    shop.fail("CancelTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    assert pay(caller, receipt)["error"]["code"] == -31623
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])
    assert [row.what for row in caller.sandbox.merchant.difference()] == ["state", "unanswered"]
    caller.sandbox.merchant.retry(receipt)
    assert caller.sandbox.merchant.difference() == []


def test_a_merchant_that_contradicts_itself_takes_a_person(caller: Caller, shop: Shop) -> None:
    shop.can_cancel = False

    def perform() -> None:
        shop.PerformTransaction(shop.calls[-1][1]["id"])

    shop.fail("PerformTransaction", (200, b'{"error":{"code":-31008}}'))
    receipt = caller.receipt()
    shop.fail("CancelTransaction", perform)
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 20
    assert kinds(caller) == ["debit"]


def test_the_receipt_is_passing_through_while_the_merchant_is_asked(
    caller: Caller, shop: Shop
) -> None:
    seen: list[int] = []
    for method in ("CreateTransaction", "PerformTransaction", "SetFiscalData"):
        # The merchant calls back from within its handler.
        shop.fail(method, lambda: seen.append(caller.state(receipt)))
    receipt = caller.receipt()
    pay(caller, receipt)
    assert seen == [1, 3, 4]


def test_nothing_else_touches_a_receipt_that_is_being_paid(caller: Caller, shop: Shop) -> None:
    errors: list[tuple[int, int]] = []

    def meddle() -> None:
        token = caller.verified()
        errors.append(
            (
                caller.no("receipts.pay", id=receipt, token=token)[0],
                caller.no("receipts.cancel", id=receipt)[0],
            )
        )
        caller.sandbox.merchant.run_due()
        caller.sandbox.merchant.retry(receipt)

    shop.fail("CreateTransaction", meddle)
    shop.fail("PerformTransaction", meddle)
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 4
    assert errors == [(-31602, -31800)] * 2
    assert caller.sandbox.debits(receipt) == 1
    assert len(shop.of("CreateTransaction")) == 1


def test_fiscal_data_that_comes_while_the_merchant_is_asked_is_kept(
    caller: Caller, shop: Shop
) -> None:
    data = {"receipt_id": 1, "qr_code_url": "u"}
    shop.fail(
        "PerformTransaction",
        lambda: caller.ok("receipts.set_fiscal_data", id=receipt, fiscal_data=data),
    )
    receipt = caller.receipt()
    pay(caller, receipt)
    stored = caller.sandbox.receipt(receipt)
    assert stored is not None
    assert (stored.fiscal, stored.state) == (data, 4)


def test_racing_payments_debit_once(caller: Caller, shop: Shop) -> None:
    receipt, token = caller.receipt(), caller.verified()
    barrier, outcomes = threading.Barrier(8), []

    def race() -> None:
        barrier.wait()
        answer = caller.call("receipts.pay", {"id": receipt, "token": token})
        outcomes.append(answer["error"]["code"] if "error" in answer else "paid")

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [-31602] * 7 + ["paid"]
    assert caller.sandbox.debits(receipt) == 1
    assert len(shop.of("CreateTransaction")) == 1


# Cancelling


def test_a_refund_asks_the_merchant(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    queued = caller.ok("receipts.cancel", id=receipt)["receipt"]
    assert (queued["state"], queued["meta"]["source_cancel"]) == (21, "subscribe")
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 5}]
    assert states(caller, receipt) == (21, -2)
    clock.advance(999)
    assert kinds(caller) == ["debit"]
    clock.advance(1)
    assert kinds(caller) == ["debit", "refund"]
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["cancel_time"]) == (50, clock.now)
    assert caller.ok("receipts.cancel", id=receipt)["receipt"] == got
    assert len(shop.of("CancelTransaction")) == 1
    assert caller.sandbox.merchant.difference() == []


def test_what_the_merchant_has_delivered_stays_paid(caller: Caller, shop: Shop) -> None:
    shop.can_cancel = False
    receipt = caller.receipt()
    pay(caller, receipt)
    code, message, data = caller.no("receipts.cancel", id=receipt)
    assert (code, data["code"]) == (-31800, -31007)
    assert message == "Чек не может быть отменён автоматически."
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["meta"]) == (4, {"source": "subscribe", "owner": caller.front})
    assert kinds(caller) == ["debit"]
    shop.can_cancel = True
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21


def test_a_refund_that_the_merchant_does_not_allow_us(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    shop.password = "another"
    code, _, data = caller.no("receipts.cancel", id=receipt)
    assert (code, data["code"]) == (-31623, -32504)
    assert caller.state(receipt) == 4


def test_a_refund_waits_for_a_silent_merchant(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    shop.fail("CancelTransaction", *["lost"] * 3)
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(MINUTE - 1)
    assert (caller.state(receipt), kinds(caller)) == (21, ["debit"])
    clock.advance(1)
    assert caller.state(receipt) == 21
    assert len(shop.of("CancelTransaction")) == 4
    clock.advance(1000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])
    assert caller.sandbox.merchant.difference() == []


def test_a_queued_refund_that_is_refused_stays_in_the_queue(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    shop.can_cancel = False
    shop.fail("CancelTransaction", *["timeout"] * 3)
    caller.ok("receipts.cancel", id=receipt)
    clock.advance(HALF_DAY)
    assert caller.state(receipt) == 21
    assert kinds(caller) == ["debit"]
    (row,) = caller.sandbox.merchant.difference()
    assert (row.what, row.payme, row.merchant) == ("state", 21, 2)
    shop.can_cancel = True
    assert caller.sandbox.merchant.retry(receipt).state == 21
    clock.advance(1000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])


def test_what_the_merchant_does_not_know_is_refunded(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    shop.transactions.clear()
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(1000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])


def test_an_unpaid_receipt_is_cancelled_without_the_merchant(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt()
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 50
    assert shop.methods() == ["CheckPerformTransaction"]


def test_a_payment_in_the_queue_can_be_cancelled(caller: Caller, shop: Shop, clock: Clock) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 30
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(1000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])
    # Nothing was sold, so there is no sale to take back.
    assert shop.of("SetFiscalData") == []


def test_a_scenario_has_payme_cancel_what_was_paid(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    caller.sandbox.play("cancel_after_perform")
    receipt = caller.receipt()
    assert pay(caller, receipt)["result"]["receipt"]["state"] == 4
    clock.advance(5000)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["meta"]["source_cancel"]) == (21, "payme")
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 5}]
    clock.advance(5000)
    assert (caller.state(receipt), kinds(caller)) == (50, ["debit", "refund"])


# Holds


def hold(caller: Caller) -> str:
    receipt = caller.receipt(hold=True)
    assert pay(caller, receipt, hold=True)["result"]["receipt"]["state"] == 5
    return receipt


def test_a_hold_is_created_when_paid_and_performed_when_confirmed(
    caller: Caller, shop: Shop
) -> None:
    receipt = hold(caller)
    assert shop.methods()[1:] == ["CreateTransaction"]
    assert (states(caller, receipt), kinds(caller)) == ((5, 1), ["hold"])
    assert caller.ok("receipts.confirm_hold", id=receipt)["receipt"]["state"] == 4
    assert shop.methods()[2:] == ["PerformTransaction", "SetFiscalData"]
    assert kinds(caller) == ["hold", "capture"]
    assert caller.no("receipts.confirm_hold", id=receipt)[0] == -31602
    assert caller.sandbox.merchant.difference() == []


def test_a_hold_is_cancelled(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = hold(caller)
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(1000)
    assert states(caller, receipt)[0] == 50
    assert states(caller, receipt) == (50, -1)
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["hold", "release"], [])
    assert shop.of("SetFiscalData") == []


def test_a_hold_that_nobody_confirms_is_released(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = hold(caller)
    clock.advance(payments.HOLD_MS)
    assert caller.state(receipt) == 50
    assert shop.of("CancelTransaction") == [{"id": receipt, "reason": 4}]
    assert (kinds(caller), caller.sandbox.merchant.difference()) == (["hold", "release"], [])


def test_a_hold_that_the_merchant_no_longer_performs(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    receipt = hold(caller)
    clock.advance(HALF_DAY + 1)
    code, _, data = caller.no("receipts.confirm_hold", id=receipt)
    assert (code, data["code"]) == (-31623, -31008)
    assert (states(caller, receipt), kinds(caller)) == ((50, -1), ["hold", "release"])


def test_a_confirmation_that_is_not_answered_stays_held(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    receipt = hold(caller)
    shop.fail("PerformTransaction", *["lost"] * 3)
    assert caller.ok("receipts.confirm_hold", id=receipt)["receipt"]["state"] == 5
    assert kinds(caller) == ["hold"]
    clock.advance(MINUTE)
    assert (caller.state(receipt), kinds(caller)) == (4, ["hold", "capture"])


@pytest.mark.parametrize(("can_cancel", "end"), [(True, (50, -2)), (False, (4, 2))])
def test_a_confirmation_that_is_never_answered(
    caller: Caller, shop: Shop, clock: Clock, can_cancel: bool, end: tuple[int, int]
) -> None:
    receipt = hold(caller)
    shop.fail("PerformTransaction", *["lost"] * 3)
    caller.ok("receipts.confirm_hold", id=receipt)
    shop.can_cancel = can_cancel
    clock.advance(HALF_DAY)
    caller.state(receipt)
    assert states(caller, receipt) == end
    assert kinds(caller)[-1] == ("release" if can_cancel else "capture")
    assert caller.sandbox.merchant.difference() == []


@pytest.mark.parametrize("number", [POOR, BROKEN])
def test_a_hold_that_fails(caller: Caller, shop: Shop, number: str) -> None:
    receipt = caller.receipt(hold=True)
    assert "error" in pay(caller, receipt, number, hold=True)
    assert (states(caller, receipt), kinds(caller)) == ((50, -1), [])


# What the merchant said


def test_exchanges_are_recorded(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    shop.fail("CreateTransaction", "lost", (502, b"<h1>no</h1>"))
    pay(caller, receipt)
    first, *rest = caller.sandbox.merchant.exchanges()
    assert (first.method, first.receipt_id, first.outcome) == (
        "CheckPerformTransaction",
        "",
        "result",
    )
    assert first.answer == {"allow": True}
    got = [(one.method, one.attempt, one.outcome, one.status) for one in rest]
    assert got == [
        ("CreateTransaction", 1, "lost", None),
        ("CreateTransaction", 2, "status", 502),
        ("CreateTransaction", 3, "result", 200),
        ("PerformTransaction", 1, "result", 200),
        ("SetFiscalData", 1, "result", 200),
    ]
    assert rest[1].text == "<h1>no</h1>"
    assert rest[0].time == clock.now
    assert caller.sandbox.merchant.exchanges(receipt) == rest
    assert caller.sandbox.merchant.last_exchanges(2) == rest[:-3:-1]


def test_exchanges_hold_no_secret(caller: Caller, shop: Shop) -> None:
    secrets = ["8600069195406311", "998901304527", KEY, caller.sandbox.key, "new-password"]
    secrets += [basic(KEY).split()[1], basic("new-password").split()[1]]
    account = {"order_id": 1, "phone": "998901304527", "card": "8600069195406311"}
    receipt = caller.receipt(account=account)
    echo = f"echo {KEY} {secrets[0]} {caller.sandbox.key} {basic(KEY)}"
    shop.fail("CreateTransaction", (500, echo.encode()))
    error = {"code": -31008, "message": f"{KEY} {secrets[1]}", "data": secrets[0]}
    shop.fail("PerformTransaction", (200, json.dumps({"error": error}).encode()))
    pay(caller, receipt)
    caller.sandbox.merchant.change_password("new-password")
    shop.fail("GetStatement", (500, f"new-password {basic('new-password')}".encode()))
    caller.sandbox.merchant.statement(0, 1)
    exchanges = caller.sandbox.merchant.exchanges()
    text = repr(exchanges)
    assert not [secret for secret in secrets if secret in text]
    assert exchanges[2].code is None or exchanges[2].code < 0
    assert -31008 in [one.code for one in exchanges]
    refused = next(one for one in exchanges if one.code == -31008)
    assert refused.answer is not None
    assert refused.answer["code"] == -31008
    assert caller.verified() not in repr(caller.sandbox.receipt(receipt))


def test_check_and_statement_on_demand(caller: Caller, shop: Shop, clock: Clock) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    merchant = caller.sandbox.merchant
    assert merchant.check(receipt).state == 2
    assert merchant.check("0" * 24).code == -31003
    result = merchant.statement(0, clock.now).result
    assert result is not None
    assert [row["id"] for row in result["transactions"]] == [receipt]
    assert merchant.statement(0, 1).result == {"transactions": []}
    assert [one.method for one in merchant.last_exchanges(4)][::-1] == [
        "CheckTransaction",
        "CheckTransaction",
        "GetStatement",
        "GetStatement",
    ]


def test_a_new_password_is_used_from_then_on(caller: Caller, shop: Shop) -> None:
    shop.password = KEY
    assert caller.sandbox.merchant.change_password("new-password").agreed
    assert caller.receipt()
    assert shop.headers[-1]["Authorization"] == basic("new-password")
    shop.fail("ChangePassword", "timeout")
    assert not caller.sandbox.merchant.change_password("newer").agreed
    assert caller.receipt()


def test_reconcile_finds_what_the_merchant_changed_by_itself(caller: Caller, shop: Shop) -> None:
    first = caller.receipt(account={"order_id": 1})
    second = caller.receipt(account={"order_id": 2})
    third = caller.receipt(account={"order_id": 3})
    for receipt in (first, second, third):
        pay(caller, receipt)
    merchant = caller.sandbox.merchant
    assert merchant.reconcile() == merchant.difference() == []
    shop.transactions[first].state = -2
    shop.transactions[second].amount += 1
    del shop.transactions[third]
    stranger = "f" * 24
    shop.transactions[stranger] = shop.transactions[first].__class__(
        stranger, shop.transactions[first].time, 5, {}, 9
    )
    assert merchant.difference() == []
    rows = merchant.reconcile()
    assert {(row.receipt_id, row.what) for row in rows} == {
        (first, "state"),
        (second, "amount"),
        (third, "state"),
        (stranger, "unknown"),
    }
    assert {(row.receipt_id, row.what) for row in merchant.difference()} == {
        (first, "state"),
        (third, "state"),
    }


def test_reconcile_says_what_is_missing_from_the_statement(caller: Caller, shop: Shop) -> None:
    receipt = caller.receipt()
    pay(caller, receipt)
    shop.fail("GetStatement", (200, b'{"result":{"transactions":[]}}'))
    (row,) = caller.sandbox.merchant.reconcile()
    assert (row.receipt_id, row.what, row.payme, row.merchant) == (receipt, "missing", 4, None)
    shop.fail("GetStatement", (200, b'{"result":{"transactions":[1]}}'))
    with pytest.raises(SandboxError, match="GetStatement"):
        caller.sandbox.merchant.reconcile()


def test_without_a_merchant_nothing_is_asked(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    receipt = caller.paid()
    assert not sandbox.merchant.asked
    assert (sandbox.merchant.exchanges(), sandbox.merchant.difference()) == ([], [])
    sandbox.merchant.run_due()
    for ask in (sandbox.merchant.check, sandbox.merchant.retry, sandbox.merchant.change_password):
        with pytest.raises(SandboxError, match="merchant_url"):
            ask(receipt)


def test_receipts_of_before_the_merchant_are_cancelled_without_it(
    tmp_path: Any, clock: Clock, shop: Shop
) -> None:
    path = tmp_path / "state.db"
    alone = Sandbox(db=path, clock=clock)
    paid, held = Caller(alone).paid(), Caller(alone).held()
    alone.stop()
    sandbox = Sandbox(db=path, clock=clock, merchant=shop)
    caller = Caller(sandbox)
    assert caller.ok("receipts.cancel", id=paid)["receipt"]["state"] == 21
    assert caller.ok("receipts.confirm_hold", id=held)["receipt"]["state"] == 4
    assert shop.calls == []
    sandbox.stop()


def test_payments_of_the_merchants_time_go_on_without_it(
    tmp_path: Any, clock: Clock, shop: Shop
) -> None:
    path = tmp_path / "state.db"
    sandbox = Sandbox(db=path, clock=clock, merchant=shop, merchant_pauses=())
    caller = Caller(sandbox)
    paid, held = caller.receipt(account={"order_id": 2}), hold(caller)
    pay(caller, paid)
    shop.fail("PerformTransaction", "timeout")
    waiting = caller.receipt(account={"order_id": 3})
    assert pay(caller, waiting)["result"]["receipt"]["state"] == 30
    sandbox.stop()
    alone = Sandbox(db=path, clock=clock)
    caller = Caller(alone)
    clock.advance(MINUTE)
    assert caller.state(waiting) == 4
    assert caller.ok("receipts.confirm_hold", id=held)["receipt"]["state"] == 4
    assert caller.ok("receipts.cancel", id=paid)["receipt"]["state"] == 21
    clock.advance(1000)
    assert caller.state(paid) == 50
    alone.stop()


def test_exchanges_and_both_ledgers_survive_a_restart(
    tmp_path: Any, clock: Clock, shop: Shop
) -> None:
    path = tmp_path / "state.db"
    sandbox = Sandbox(db=path, clock=clock, merchant=shop, merchant_pauses=())
    shop.fail("PerformTransaction", "lost")
    pay(Caller(sandbox), receipt := Caller(sandbox).receipt())
    merchant = sandbox.merchant
    before = merchant.exchanges(), merchant.ledger(), merchant.difference()
    sandbox.stop()
    again = Sandbox(db=path, clock=clock, merchant=shop, merchant_pauses=())
    assert (
        again.merchant.exchanges(),
        again.merchant.ledger(),
        again.merchant.difference(),
    ) == before
    clock.advance(MINUTE)
    again.merchant.run_due()
    assert states(Caller(again), receipt) == (4, 2)
    again.stop()


@pytest.mark.parametrize(
    "wrong",
    [
        {"merchant_url": "localhost:8000"},
        {"merchant_url": "ftp://x/"},
        {"merchant_url": "http://"},
        {"merchant_url": "http://a:b@x/"},
        {"merchant_url": "http://x:99999/"},
        {"merchant_url": "http://[x/"},
        {"merchant_url": "http://x/я"},
        {"merchant_url": "http://x/", "merchant": print},
        {"merchant_timeout": 0},
        {"merchant_timeout": float("nan")},
        {"merchant_pauses": [-1]},
        {"merchant_pauses": [0] * 11},
    ],
)
def test_settings_that_cant_be_used(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Sandbox(**wrong)
    assert caught.value.argument in wrong


def test_the_shop_keeps_the_condition_matrix(clock: Clock) -> None:
    """The tests above are worth as much as the merchant that they ask."""
    shop, one = Shop(clock), "a" * 24
    args = {"time": clock.now, "amount": 5, "account": {"order_id": 1}}
    first = shop.CreateTransaction(one, **args)
    assert shop.CreateTransaction(one, **args) == first
    with pytest.raises(No):
        shop.CreateTransaction("b" * 24, **args)
    done = shop.PerformTransaction(one)
    assert shop.PerformTransaction(one) == done
    gone = shop.CancelTransaction(one, 5)
    assert (shop.CancelTransaction(one, 5), gone["state"]) == (gone, -2)


def test_a_statement_that_is_too_long_to_keep_is_still_read(caller: Caller, shop: Shop) -> None:
    rows = [{"id": "x y " * 250}] * 100
    shop.fail("GetStatement", (200, json.dumps({"result": {"transactions": rows}}).encode()))
    result = caller.sandbox.merchant.statement(0, 1).result
    assert result == {"transactions": rows}
    (exchange,) = caller.sandbox.merchant.last_exchanges(1)
    assert exchange.answer is None
    assert exchange.text.endswith(" bytes")


def test_a_merchant_that_returns_nonsense_is_told(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, merchant=lambda body, headers: ("200 OK", {}))  # type: ignore
    assert Caller(sandbox).no("receipts.create", amount=5, account={})[0] == -31623
    assert "an HTTP status and the bytes" in sandbox.merchant.exchanges()[0].text
    sandbox.stop()


def test_a_reset_forgets_a_new_password(caller: Caller, shop: Shop) -> None:
    caller.sandbox.merchant.change_password("new-password")
    caller.sandbox.reset()
    caller.no("receipts.create", amount=5, account={})
    assert shop.headers[-1]["Authorization"] == basic(KEY)


def test_the_sandboxs_own_look_takes_up_what_is_due(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    clock.advance(HALF_DAY)
    assert caller.sandbox.receipt(receipt).state == 50
    assert kinds(caller) == ["debit", "refund"]


def test_the_merchant_may_look_at_the_ledger_while_it_is_asked(
    caller: Caller, shop: Shop, clock: Clock
) -> None:
    shop.fail("PerformTransaction", *["timeout"] * 3)
    receipt = caller.receipt()
    pay(caller, receipt)
    seen: list[int] = []
    shop.fail("PerformTransaction", lambda: seen.append(len(caller.sandbox.ledger())))
    clock.advance(MINUTE)
    caller.sandbox.merchant.run_due()
    assert (seen, states(caller, receipt)) == ([1], (4, 2))


# A reset in the middle of it


def nothing_is_left(sandbox: Sandbox) -> bool:
    merchant = sandbox.merchant
    kept = [sandbox.receipts(), sandbox.ledger(), merchant.exchanges(), merchant.ledger()]
    return kept == [[], [], [], []]


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("receipts.create", "CheckPerformTransaction"),
        ("receipts.pay", "CreateTransaction"),
        ("receipts.pay", "PerformTransaction"),
        ("receipts.cancel", "CancelTransaction"),
    ],
)
@pytest.mark.parametrize("fate", ["answered", "lost", "refused"])
def test_a_reset_while_the_merchant_is_asked_leaves_nothing(
    clock: Clock, shop: Shop, method: str, asked: str, fate: str
) -> None:
    def reset() -> None:
        sandbox.reset()
        if fate == "lost":
            raise ConnectionResetError
        if fate == "refused":
            raise No(-31008)

    sandbox = Sandbox(clock=clock, merchant=shop, merchant_pauses=(0, 0), seed=7)
    caller = Caller(sandbox)
    params: dict[str, Any] = {"amount": 500, "account": {"order_id": 1}}
    if method != "receipts.create":
        params = {"id": caller.receipt(), "token": caller.verified()}
    if method == "receipts.cancel":
        caller.ok("receipts.pay", **params)
        del params["token"]
    shop.fail(asked, reset)
    code, message, _ = caller.no(method, **params)
    assert (code, "reset" in message) == (-32400, True)
    assert nothing_is_left(sandbox)
    # Nobody asks the merchant about it any more, and the same ids come again.
    calls = len(shop.calls)
    clock.advance(HALF_DAY * 3)
    sandbox.merchant.run_due()
    assert (len(shop.calls), nothing_is_left(sandbox)) == (calls, True)
    shop.transactions.clear()
    assert caller.state(caller.paid()) == 4
    sandbox.stop()


def test_a_reset_during_a_pause_keeps_the_repetition_from_being_sent(
    clock: Clock, shop: Shop
) -> None:
    sandbox = Sandbox(clock=clock, merchant=shop, merchant_pauses=(0.2, 0.2))
    caller = Caller(sandbox)
    params = {"id": caller.receipt(), "token": caller.verified()}

    class Pause(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout:
                sandbox.reset()
            return super().wait(0)

    sandbox.works.driver._closing = Pause()
    shop.fail("CreateTransaction", "timeout")
    caller.no("receipts.pay", **params)
    assert shop.methods().count("CreateTransaction") == 1
    assert shop.transactions == {}
    sandbox.stop()


def test_a_reset_during_an_inquiry_is_told(clock: Clock, shop: Shop) -> None:
    sandbox = Sandbox(clock=clock, merchant=shop)
    shop.fail("CheckTransaction", lambda: sandbox.reset())
    with pytest.raises(SandboxError, match="reset"):
        sandbox.merchant.check("0" * 24)
    assert nothing_is_left(sandbox)
    sandbox.stop()
