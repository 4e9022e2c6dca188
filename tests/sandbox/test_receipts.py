import pytest
from sandbox_tools import BLOCKED, BROKEN, EXPIRED, HUMO, POOR, SLOW, UNKNOWN_ID, Caller, Clock

from payme.errors import catalogue
from payme.sandbox import Sandbox
from payme.sandbox.engine import payments

ITEM = {
    "title": "Olma",
    "price": 50_000,
    "count": 1,
    "code": "00702001001000001",
    "vat_percent": 15,
    "package_code": "123456",
}


def kinds(caller: Caller, receipt: str) -> list[str]:
    return [entry.kind for entry in caller.sandbox.ledger() if entry.receipt_id == receipt]


def test_create_keeps_what_was_sent(caller: Caller) -> None:
    detail = {
        "receipt_type": 0,
        "shipping": {"title": "Yetkazish", "price": 1000},
        "items": [{**ITEM, "discount": 10, "units": 241092}],
    }
    receipt = caller.receipt(description="Buyurtma", detail=detail)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["description"], got["detail"], got["amount"]) == ("Buyurtma", detail, 50_000)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": "50000"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 2**53}, "amount"),
        ({"amount": 1e300}, "amount"),
        ({"account": None}, "account"),
        ({"account": []}, "account"),
        ({"account": {"a": [1]}}, "account[...]"),
        ({"account": {"a": True}}, "account[...]"),
        ({"hold": "true"}, "hold"),
        ({"hold": 1}, "hold"),
        ({"description": 5}, "description"),
        ({"detail": {}}, "detail.receipt_type"),
        ({"detail": {"receipt_type": 0, "items": [{}]}}, "detail.items[0].title"),
        ({"detail": {"receipt_type": 0, "items": [{**ITEM, "vat": 1}]}}, "detail.items[0].vat"),
        ({"acount": {}}, "acount"),
    ],
)
def test_create_refuses_params(strict: Caller, params: dict[str, object], name: str) -> None:
    whole = {"amount": 1000, "account": {"order_id": 1}, **params}
    code, message, data = strict.no("receipts.create", **whole)
    assert (code, data) == (-32602, name)
    assert name in message


def test_create_needs_amount_and_account(caller: Caller) -> None:
    assert caller.no("receipts.create", account={})[::2] == (-32602, "amount")
    assert caller.no("receipts.create", amount=1)[::2] == (-32602, "account")


def test_an_integral_double_is_an_integer(caller: Caller) -> None:
    answer = caller.raw(
        b'{"method":"receipts.create","params":{"amount":10000.0,"account":{"order_id":1}}}'
    )
    assert repr(answer["result"]["receipt"]["amount"]) == "10000"


def test_configured_account_fields(clock: Clock) -> None:
    fields = {"order_id": "Buyurtma raqami", "shop": "Doʻkon"}
    caller = Caller(Sandbox(clock=clock, account_fields=fields))
    account = {"order_id": 106, "shop": "007", "extra": "kept"}
    shown = caller.ok("receipts.create", amount=1000, account=account)["receipt"]["account"]
    assert shown == [
        {"name": "order_id", "title": "Buyurtma raqami", "value": "106", "main": True},
        {"name": "shop", "title": "Doʻkon", "value": "007", "main": False},
    ]
    (listed,) = caller.all()
    assert listed["account"][0]["title"] == {"ru": "Buyurtma raqami", "uz": "Buyurtma raqami"}
    assert [field["value"] for field in listed["account"]] == [106, "007"]
    error = caller.no("receipts.create", amount=1000, account={"orderid": 106, "shop": 1})
    assert error[::2] == (-31610, "order_id")
    caller.sandbox.stop()


def test_the_account_sent_is_stored(caller: Caller) -> None:
    receipt = caller.receipt(account={"order_id": 7, "x": "y"})
    stored = caller.sandbox._run(lambda state: state.get_receipt(receipt))
    assert stored is not None
    assert stored.account == {"order_id": 7, "x": "y"}


def test_limits(clock: Clock) -> None:
    caller = Caller(Sandbox(clock=clock, min_amount=1000, max_amount=2000))
    account = {"order_id": 1}
    assert caller.no("receipts.create", amount=999, account=account)[0] == -31611
    assert caller.no("receipts.create", amount=2001, account=account)[0] == -31612
    assert caller.receipt(1000)
    assert caller.receipt(2000)
    caller.sandbox.stop()


def test_pay(caller: Caller, clock: Clock) -> None:
    receipt, token = caller.receipt(), caller.verified()
    clock.advance(500)
    payer = {"id": "1", "phone": "998901304527", "email": "a@b.uz", "name": "A", "ip": "1.1.1.1"}
    paid = caller.ok("receipts.pay", id=receipt, token=token, payer=payer)["receipt"]
    assert (paid["state"], paid["pay_time"], paid["payer"]) == (4, clock.now, payer)
    assert caller.ok("receipts.get", id=receipt)["receipt"] == paid
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["payer"] == payer
    assert caller.all()[0]["payer"] == payer
    assert caller.sandbox.debits(receipt) == 1
    (entry,) = caller.sandbox.ledger()
    assert (entry.kind, entry.amount, entry.time) == ("debit", 50_000, clock.now)
    assert entry.card == "860006******6311"


@pytest.mark.parametrize("payer", [{}, {"payer": None}, {"payer": {}}])
def test_receipt_without_payer_has_no_such_member(caller: Caller, payer: dict[str, object]) -> None:
    params = {"id": caller.receipt(), "token": caller.verified(), **payer}
    assert "payer" not in caller.ok("receipts.pay", **params)["receipt"]


def test_a_humo_card_pays(caller: Caller) -> None:
    receipt = caller.receipt()
    paid = caller.ok("receipts.pay", id=receipt, token=caller.verified(HUMO))["receipt"]
    assert paid["card"]["number"] == "986003******0006"


def test_paying_twice_is_refused(caller: Caller) -> None:
    receipt, token = caller.receipt(), caller.verified()
    caller.ok("receipts.pay", id=receipt, token=token)
    error = caller.no("receipts.pay", id=receipt, token=token)
    assert error == (-31602, "Чек не найден или оплачен", None)
    assert caller.sandbox.debits(receipt) == 1


@pytest.mark.parametrize("save", [True, False])
def test_only_a_saved_token_pays_again(caller: Caller, save: bool) -> None:
    token = caller.verified(save=save)
    first, second = caller.receipt(), caller.receipt()
    caller.ok("receipts.pay", id=first, token=token)
    if save:
        caller.ok("receipts.pay", id=second, token=token)
    else:
        assert caller.no("receipts.pay", id=second, token=token)[::2] == (-31400, "deleted")
        # The receipt is looked at first: this says that it is paid, not that the token is gone.
        assert caller.no("receipts.pay", id=first, token=token)[0] == -31602
    assert caller.sandbox.debits(second) == int(save)


def test_a_refused_payment_keeps_a_one_time_token(caller: Caller) -> None:
    token = caller.verified(POOR, save=False)
    receipt = caller.receipt()
    assert caller.no("receipts.pay", id=receipt, token=token)[0] == -31630
    assert caller.ok("cards.check", token=token)


def test_an_unverified_card_does_not_pay(caller: Caller) -> None:
    receipt = caller.receipt()
    error = caller.no("receipts.pay", id=receipt, token=caller.card())
    assert error[::2] == (-31400, "not_verified")
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (0, 0)


@pytest.mark.parametrize(
    ("number", "code", "meaning", "delay"),
    [
        (BROKEN, -32400, "ServiceUnavailable", 0),
        (SLOW, -31630, "CardRejected", 10_000),
        (POOR, -31630, "InsufficientFunds", 0),
    ],
)
def test_cards_that_fail_to_pay(
    caller: Caller, number: str, code: int, meaning: str, delay: int
) -> None:
    receipt, token = caller.receipt(), caller.verified(number)
    answers = []
    caller.sandbox.first.service._listener = answers.append
    error = caller.no("receipts.pay", id=receipt, token=token)
    entry = catalogue.lookup(error[0], "receipts.pay", error[1])
    assert entry is not None
    assert (error[0], entry.kind, answers[0].delay_ms) == (code, meaning, delay)
    assert (answers[0].receipt_id, answers[0].method) == (receipt, "receipts.pay")
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (0, 0)


@pytest.mark.parametrize(
    ("number", "meaning"), [(EXPIRED, "CardExpired"), (BLOCKED, "CardBlocked")]
)
def test_a_card_that_was_good_when_it_was_bound(caller: Caller, number: str, meaning: str) -> None:
    receipt, token = caller.receipt(), caller.verified()
    caller.sandbox.add_card(token, number=number)
    error = caller.no("receipts.pay", id=receipt, token=token)
    entry = catalogue.lookup(error[0], "receipts.pay", error[1])
    assert entry is not None
    assert (error[0], entry.kind) == (-31301, meaning)
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (0, 0)


@pytest.mark.parametrize("token", ["", "50501010793410469483"])
def test_pay_with_a_malformed_token(caller: Caller, token: str) -> None:
    assert caller.no("receipts.pay", id=caller.receipt(), token=token)[0] == -32500


def test_pay_refuses_unknown_payer_fields(strict: Caller) -> None:
    params = {"id": strict.receipt(), "token": strict.verified(), "payer": {"fax": "1"}}
    assert strict.no("receipts.pay", **params)[::2] == (-32602, "payer.fax")


@pytest.mark.parametrize(("made", "paid"), [(True, False), (False, True)])
def test_hold_must_match(caller: Caller, made: bool, paid: bool) -> None:
    receipt, token = caller.receipt(hold=made), caller.verified()
    error = caller.no("receipts.pay", id=receipt, token=token, hold=paid)
    assert error[::2] == (-32602, "hold")
    assert (caller.state(receipt), caller.sandbox.debits(receipt)) == (0, 0)


def test_hold_and_confirm(caller: Caller, clock: Clock) -> None:
    receipt = caller.held()
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["pay_time"], got["processing_id"]) == (5, 0, 0)
    clock.advance(1000)
    confirmed = caller.ok("receipts.confirm_hold", id=receipt)["receipt"]
    assert (confirmed["state"], confirmed["pay_time"]) == (4, clock.now)
    assert kinds(caller, receipt) == ["hold", "capture"]
    assert caller.sandbox.debits(receipt) == 1
    clock.advance(payments.HOLD_MS)
    assert caller.state(receipt) == 4
    assert caller.no("receipts.confirm_hold", id=receipt)[0] == -31602


def test_hold_and_cancel(caller: Caller, clock: Clock) -> None:
    receipt = caller.held()
    assert caller.ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    assert caller.no("receipts.confirm_hold", id=receipt)[0] == -31602
    clock.advance(1000)
    assert caller.state(receipt) == 50
    assert kinds(caller, receipt) == ["hold", "release"]


def test_a_hold_is_released_after_30_days(caller: Caller, clock: Clock) -> None:
    receipt = caller.held()
    clock.advance(payments.HOLD_MS - 1)
    assert caller.state(receipt) == 5
    clock.advance(5)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["cancel_time"]) == (50, clock.now - 4)
    assert "source_cancel" not in got["meta"]
    assert kinds(caller, receipt) == ["hold", "release"]


def test_confirm_of_what_is_not_held(caller: Caller) -> None:
    assert caller.no("receipts.confirm_hold", id=caller.receipt())[0] == -31602
    assert caller.no("receipts.confirm_hold", id=caller.paid())[0] == -31602
    held = caller.held()
    assert caller.no("receipts.confirm_hold", id=held, amount=1)[::2] == (-32602, "amount")
    assert caller.state(held) == 5


def test_cancel_an_unpaid_receipt(caller: Caller, clock: Clock) -> None:
    receipt = caller.receipt()
    clock.advance(10)
    got = caller.ok("receipts.cancel", id=receipt)["receipt"]
    assert (got["state"], got["cancel_time"], got["pay_time"]) == (50, clock.now, 0)
    assert (got["card"], got["meta"]["source_cancel"]) == (None, "subscribe")
    assert caller.no("receipts.pay", id=receipt, token=caller.verified())[0] == -31602
    assert caller.sandbox.ledger() == []


def test_refund_waits_in_the_queue(caller: Caller, clock: Clock) -> None:
    receipt = caller.paid()
    queued = caller.ok("receipts.cancel", id=receipt)["receipt"]
    assert (queued["state"], queued["cancel_time"], queued["processing_id"]) == (21, 0, None)
    due = clock.now + 1000
    clock.advance(999)
    assert caller.state(receipt) == 21
    assert kinds(caller, receipt) == ["debit"]
    clock.advance(5)
    got = caller.ok("receipts.get", id=receipt)["receipt"]
    assert (got["state"], got["cancel_time"], got["processing_id"]) == (50, due, None)
    assert got["card"] is not None
    assert kinds(caller, receipt) == ["debit", "refund"]
    assert caller.sandbox.ledger()[-1].time == due
    assert caller.sandbox.debits(receipt) == 1


def test_the_ledger_knows_what_nobody_asked_about(caller: Caller, clock: Clock) -> None:
    receipt = caller.paid()
    caller.ok("receipts.cancel", id=receipt)
    clock.advance(1000)
    assert kinds(caller, receipt) == ["debit", "refund"]
    assert kinds(caller, receipt) == ["debit", "refund"]


def test_cancel_is_idempotent(caller: Caller, clock: Clock) -> None:
    receipt = caller.paid()
    first = caller.ok("receipts.cancel", id=receipt)
    clock.advance(600)
    assert caller.ok("receipts.cancel", id=receipt) == first
    clock.advance(600)
    done = caller.ok("receipts.cancel", id=receipt)
    assert done["receipt"]["state"] == 50
    clock.advance(600)
    assert caller.ok("receipts.cancel", id=receipt) == done
    assert kinds(caller, receipt) == ["debit", "refund"]


def test_cancel_refuses_partially(caller: Caller) -> None:
    error = caller.no("receipts.cancel", id=caller.paid(), partially={})
    assert error[::2] == (-32602, "partially")


@pytest.mark.parametrize(
    ("method", "extra"),
    [
        ("receipts.pay", {"token": "x"}),
        ("receipts.send", {"phone": "998901304527"}),
        ("receipts.cancel", {}),
        ("receipts.check", {}),
        ("receipts.get", {}),
        ("receipts.confirm_hold", {}),
        ("receipts.set_fiscal_data", {"fiscal_data": {"receipt_id": 1, "qr_code_url": "u"}}),
    ],
)
def test_unknown_receipt(caller: Caller, method: str, extra: dict[str, object]) -> None:
    for receipt in (UNKNOWN_ID, "", "x\x00y", "я"):
        assert caller.no(method, id=receipt, **extra)[0] == -31602
    assert caller.no(method, id=1, **extra)[::2] == (-32602, "id")
    assert caller.no(method, **extra)[::2] == (-32602, "id")


def test_send(caller: Caller) -> None:
    receipt = caller.paid()
    caller.ok("receipts.send", id=receipt, phone="998901304527")
    sms = caller.sandbox.sent_sms()[-1]
    assert (sms.kind, sms.receipt_id, sms.phone) == ("receipt", receipt, "998901304527")
    for phone in ("901304527", "+998901304527", "998 90 130 45 27", "997901304527", ""):
        assert caller.no("receipts.send", id=receipt, phone=phone)[::2] == (-32602, "phone")


def test_set_fiscal_data(strict: Caller) -> None:
    receipt = strict.paid()
    data = {
        "receipt_id": 121,
        "qr_code_url": "https://ofd.soliq.uz/check?t=EP000000000025",
        "status_code": 0,
        "message": "accepted",
        "terminal_id": "EP000000000025",
        "fiscal_sign": "800031554082",
        "date": "20220706221021",
    }
    answer = strict.ok("receipts.set_fiscal_data", id=receipt, fiscal_data=data)
    assert answer == {"success": True}
    stored = strict.sandbox._run(lambda state: state.get_receipt(receipt))
    assert stored is not None
    assert stored.fiscal == data
    for wrong, name in (
        ({"receipt_id": "121"}, "receipt_id"),
        ({"date": "2022-07-06"}, "date"),
        ({"x": 1}, "x"),
    ):
        error = strict.no("receipts.set_fiscal_data", id=receipt, fiscal_data={**data, **wrong})
        assert error[::2] == (-32602, f"fiscal_data.{name}")


def test_get_all_pages_newest_first(caller: Caller, clock: Clock) -> None:
    receipts = []
    for _ in range(7):
        receipts.append(caller.receipt())
        clock.advance(1)
    newest = receipts[::-1]
    # Two of the same moment: the one made last comes first.
    newest.insert(0, caller.receipt())
    newest.insert(0, caller.receipt())

    def ids(**window: int) -> list[str]:
        return [receipt["_id"] for receipt in caller.all(**window)]

    assert ids() == newest
    assert ids(count=2) == newest[:2]
    assert ids(count=3, offset=2) == newest[2:5]
    assert ids(offset=100) == []
    assert ids(count=0) == []
    since = clock.now - 5
    assert ids(since=since, until=clock.now - 3) == newest[4:7][::1]
    assert ids(since=since, until=clock.now - 3, count=1, offset=1) == newest[5:6]
    assert ids(since=5, until=5) == newest


def test_get_all_applies_what_is_due(caller: Caller, clock: Clock) -> None:
    receipt = caller.paid()
    caller.ok("receipts.cancel", id=receipt)
    clock.advance(1000)
    assert caller.all()[0]["state"] == 50


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"count": 51}, "count"),
        ({"count": -1}, "count"),
        ({"count": "2"}, "count"),
        ({"count": 1.5}, "count"),
        ({"count": True}, "count"),
        ({"offset": -1}, "offset"),
        ({"offset": 2**63}, "offset"),
        ({"offset": None}, "offset"),
        ({"from": "2020"}, "from"),
        ({"to": 10**30}, "to"),
        ({"from": 2, "to": 1}, "from"),
        ({"_from": 1}, "_from"),
    ],
)
def test_get_all_refuses(strict: Caller, changed: dict[str, object], name: str) -> None:
    params = {"count": 1, "from": 0, "to": 0, "offset": 0, **changed}
    assert strict.no("receipts.get_all", **params)[::2] == (-32602, name)


@pytest.mark.parametrize("name", ["count", "from", "to", "offset"])
def test_get_all_needs_every_param(caller: Caller, name: str) -> None:
    params = {"count": 1, "from": 0, "to": 0, "offset": 0}
    del params[name]
    assert caller.no("receipts.get_all", **params)[::2] == (-32602, name)


def test_get_all_takes_the_largest_page(caller: Caller) -> None:
    for _ in range(51):
        caller.receipt()
    assert len(caller.all(count=50)) == 50
