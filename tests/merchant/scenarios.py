"""What every store has to do, told as requests to a shop."""

import base64
import json

import pytest

from payme.errors.catalogue import Text
from payme.merchant.core import EXPIRY_MS, AccountError, Order, Receiver
from payme.merchant.service import Incoming, Merchant
from payme.merchant.stores.memory import MemoryStore

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
AUTH = "Basic " + base64.b64encode(f"Paycom:{KEY}".encode()).decode()
START = 1_700_000_000_000


def code(answer):
    return answer.get("error", {}).get("code")


def number(count):
    """Payme's id of a transaction."""
    return f"{count:024x}"


class Failure(Exception):
    """What a shop's own code raises in these scenarios."""


class Requests:
    """Payme's side; a shop adds `answer`, which takes and gives a body."""

    now = START

    def answer(self, incoming):
        raise NotImplementedError

    def call(self, method, auth=AUTH, **params):
        body = json.dumps({"method": method, "params": params, "id": 9}).encode()
        answer = json.loads(self.answer(Incoming("POST", body, auth)))
        assert answer["id"] == 9
        return answer

    def create(self, count, order="a", **changes):
        params = {"id": number(count), "time": self.now, "amount": 50_000}
        account = {"account": {"order_id": order}}
        return self.call("CreateTransaction", **{**params, **account, **changes})

    def perform(self, count):
        return self.call("PerformTransaction", id=number(count))

    def cancel(self, count, reason=3):
        return self.call("CancelTransaction", id=number(count), reason=reason)

    def check(self, count):
        return self.call("CheckTransaction", id=number(count))

    def statement(self, from_=0, to=START * 2):
        return self.call("GetStatement", **{"from": from_, "to": to})["result"]["transactions"]


class MemoryShop(Requests):
    """A shop on the store in memory, which the other stores are held against."""

    def __init__(self):
        self.orders = {"a": "waiting", "b": "waiting", "gone": "closed"}
        self.diary = []
        self.fails = None
        store = MemoryStore(self.find, self.hook)
        self.merchant = Merchant(store, KEY, clock=lambda: self.now)

    def answer(self, incoming):
        return self.merchant.answer(incoming)

    def find(self, account):
        name = str(account.get("order_id"))
        return order_of(name, self.orders.get(name))

    def hook(self, event, transaction):
        name = transaction.order_id
        after = {"paid": "paid", "cancelled": "closed"}.get(event, self.orders.get(name))
        kept = (list(self.diary), dict(self.orders))
        self.diary.append((event, name))
        self.orders[name] = after
        if self.fails is not None:
            self.diary, self.orders = kept
            raise self.fails

    def events(self):
        return list(self.diary)

    def forget(self, name):
        self.orders[name] = "waiting"

    def state(self, name):
        return self.orders[name]


def order_of(name, state):
    """What a shop says about an order in a state; accounts of phones take any amount."""
    if name.startswith("phone"):
        return Order(id=name, cumulative=True, field="phone")
    if state is None:
        raise AccountError("order_id", Text("Yoʻq", "Нет", "None"), -31_055)
    parts = (Receiver("5" * 24, 20_000), Receiver("6" * 24, 30_000)) if name == "b" else ()
    return Order(id=name, amount=50_000, state=state, receivers=parts)


def paymes_first_scenario(shop):
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    assert code(shop.call("CheckPerformTransaction", auth=None, **check)) == -32504
    assert code(shop.call("CheckPerformTransaction", **{**check, "amount": 1})) == -31001
    assert shop.call("CheckPerformTransaction", **check)["result"] == {"allow": True}
    first = shop.create(1)
    assert shop.create(1) == first
    assert shop.check(1)["result"]["state"] == 1
    assert code(shop.create(2)) == -31008
    cancelled = shop.cancel(1)
    assert cancelled["result"]["state"] == -1
    assert shop.cancel(1) == cancelled
    assert shop.events() == [("released", "a")]
    assert shop.state("a") == "waiting"


def paymes_second_scenario(shop):
    shop.create(1)
    performed = shop.perform(1)
    assert shop.perform(1) == performed
    assert (shop.check(1)["result"]["state"], shop.state("a")) == (2, "paid")
    cancelled = shop.cancel(1, reason=5)
    assert cancelled["result"]["state"] == -2
    assert shop.cancel(1, reason=5) == cancelled
    assert (shop.events(), shop.state("a")) == ([("paid", "a"), ("cancelled", "a")], "closed")


def cancelled_attempt_lets_another_one_pay(shop):
    shop.create(1)
    shop.cancel(1)
    assert shop.create(2)["result"]["state"] == 1
    assert shop.perform(2)["result"]["state"] == 2
    assert code(shop.create(3)) == -31008


def expired_attempt_lets_another_one_pay(shop):
    shop.create(1)
    shop.now += EXPIRY_MS + 1
    assert shop.create(2)["result"]["state"] == 1
    assert shop.events() == [("released", "a")]
    assert (shop.check(1)["result"]["state"], shop.check(1)["result"]["reason"]) == (-1, 4)
    assert code(shop.perform(1)) == -31008
    assert shop.perform(2)["result"]["state"] == 2


def account_error_is_the_answer_and_nothing_is_stored(shop):
    answer = shop.create(1, "zz")
    assert (code(answer), answer["error"]["data"]) == (-31_055, "order_id")
    assert answer["error"]["message"] == {"uz": "Yoʻq", "ru": "Нет", "en": "None"}
    assert code(shop.check(1)) == -31003
    assert shop.create(1)["result"]["state"] == 1


def hook_that_raises_takes_everything_back(shop):
    shop.create(1)
    for shop.fails in (Failure("no goods"), AccountError("order_id"), StopIteration()):
        assert code(shop.perform(1)) == -32400
        assert code(shop.cancel(1)) == -32400
        assert (shop.state("a"), shop.events()) == ("waiting", [])
        assert shop.check(1)["result"]["state"] == 1
    shop.fails = None
    assert shop.perform(1)["result"]["state"] == 2
    assert (shop.state("a"), shop.events()) == ("paid", [("paid", "a")])


def account_that_can_be_topped_up_takes_several_attempts(shop):
    assert shop.create(1, "phone", amount=700)["result"]["state"] == 1
    assert shop.perform(1)["result"]["state"] == 2
    assert shop.create(2, "phone", amount=5)["result"]["state"] == 1
    assert shop.perform(2)["result"]["state"] == 2
    assert shop.events() == [("paid", "phone"), ("paid", "phone")]


def statement_lists_by_paymes_time_with_both_ends(shop):
    shop.now += 20
    shop.create(3, "b")
    shop.now -= 20
    shop.create(1)
    shop.now += 10
    shop.cancel(1)
    shop.create(2)
    rows = shop.statement(START, START + 20)
    assert [row["id"] for row in rows] == [number(1), number(2), number(3)]
    assert [row["state"] for row in rows] == [-1, 1, 1]
    assert rows[2]["receivers"] == [
        {"id": "5" * 24, "amount": 20_000},
        {"id": "6" * 24, "amount": 30_000},
    ]
    assert [row["id"] for row in shop.statement(START, START + 9)] == [number(1)]
    assert [row["id"] for row in shop.statement(START + 10, START + 10)] == [number(2)]
    assert shop.statement(START + 21, START + 30) == []
    assert len(shop.statement(-(10**30), 10**30)) == 3


def account_and_fiscal_data_come_back_as_they_were_sent(shop):
    account = {
        "order_id": "a",
        "имя": "Оʻtkir \u0000 \"'\\ 😀",
        "numbers": [0, -1, 2**53 + 1, 10**30, 1.5, True, None],
        "nested": {"1": {"": []}},
    }
    first = shop.create(1, account=account)
    assert shop.create(1, account=account) == first
    assert code(shop.create(1, account={**account, "numbers": []})) == -31008
    fiscal = {"receipt_id": 121, "qr_code_url": "https://ofd.soliq.uz/чек?x=1"}
    params = {"id": number(1), "fiscal_data": fiscal}
    for kind in ("PERFORM", "CANCEL"):
        assert shop.call("SetFiscalData", type=kind, **params)["result"] == {"success": True}
    assert [row["account"] for row in shop.statement()] == [account]
    assert shop.perform(1)["result"]["state"] == 2


def what_no_database_keeps_is_malformed(shop):
    first = shop.create(1)
    for params in (
        {"time": 2**63},
        {"time": START * 1_000},  # microseconds: it would never expire
        {"time": -(2**63) - 1},
    ):
        assert code(shop.create(2, **params)) == -32602
    assert code(shop.create(2, "phone", amount=2**63)) == -31001
    for method in ("PerformTransaction", "CheckTransaction"):
        assert code(shop.call(method, id="a\0b")) == -32602
    assert code(shop.call("CancelTransaction", id="a\0b", reason=3)) == -32602
    assert code(shop.call("CancelTransaction", id=number(1), reason=2**63)) == -32602
    fiscal = shop.call("SetFiscalData", id="a\0b", type="PERFORM", fiscal_data={})
    assert code(fiscal) == -32602
    assert shop.create(1) == first
    # An order that no shop has; PostgreSQL can't even be asked for it.
    for value in ("\0", 2**70, -(2**70)):
        asked = {"amount": 50_000, "account": {"order_id": value}}
        for answer in (
            shop.call("CheckPerformTransaction", **asked),
            shop.create(3, account=asked["account"]),
        ):
            assert code(answer) in (-32602, -31_055)
    assert shop.check(1)["result"]["state"] == 1


def unknown_transactions_are_not_found(shop):
    for method in ("PerformTransaction", "CheckTransaction"):
        assert code(shop.call(method, id=number(7))) == -31003
    assert code(shop.cancel(7)) == -31003
    fiscal = shop.call("SetFiscalData", id=number(7), type="PERFORM", fiscal_data={})
    assert code(fiscal) == -32001


def paid_order_is_known_by_its_transaction(shop):
    shop.create(1)
    shop.perform(1)
    shop.forget("a")
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    assert code(shop.call("CheckPerformTransaction", **check)) == -31051
    assert code(shop.create(2)) == -31008
    assert code(shop.check(2)) == -31003
    shop.cancel(1, reason=5)
    shop.forget("a")
    assert shop.create(3)["result"]["state"] == 1


def what_ended_is_not_performed_again_whatever_the_shop_forgot(shop):
    shop.create(1)
    performed = shop.perform(1)
    shop.forget("a")
    shop.now += 1_000
    assert shop.perform(1) == performed
    assert shop.events() == [("paid", "a")]
    shop.cancel(1, reason=5)
    shop.forget("a")
    assert code(shop.perform(1)) == -31008
    shop.create(2)
    shop.cancel(2)
    assert code(shop.perform(2)) == -31008
    shop.create(3)
    shop.now += EXPIRY_MS + 1
    assert code(shop.perform(3)) == -31008
    assert [event for event, _ in shop.events()].count("paid") == 1
    assert shop.check(3)["result"]["state"] == -1


def closed_order_is_an_account_error(shop):
    assert code(shop.create(1, "gone")) == -31053


SCENARIOS = [
    paymes_first_scenario,
    paymes_second_scenario,
    cancelled_attempt_lets_another_one_pay,
    expired_attempt_lets_another_one_pay,
    account_error_is_the_answer_and_nothing_is_stored,
    account_that_can_be_topped_up_takes_several_attempts,
    statement_lists_by_paymes_time_with_both_ends,
    account_and_fiscal_data_come_back_as_they_were_sent,
    what_no_database_keeps_is_malformed,
    unknown_transactions_are_not_found,
    paid_order_is_known_by_its_transaction,
    what_ended_is_not_performed_again_whatever_the_shop_forgot,
    closed_order_is_an_account_error,
    hook_that_raises_takes_everything_back,
]

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
