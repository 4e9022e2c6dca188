"""The endpoint on a store in memory: whole requests in, whole answers out."""

import base64
import json
import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from payme.errors import ConfigurationError, InvalidArgument
from payme.errors.catalogue import Text
from payme.merchant.auth import AllowList
from payme.merchant.core import EXPIRY_MS, AccountError, Order
from payme.merchant.service import AsyncMerchant, Incoming, Merchant
from payme.merchant.stores.memory import MemoryStore

KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
AUTH = "Basic " + base64.b64encode(f"Paycom:{KEY}".encode()).decode()
START = 1_700_000_000_000


class Shop:
    """A merchant with orders and a diary of what its hook was told."""

    def __init__(self, **amounts):
        self.states = dict.fromkeys(amounts, "waiting")
        self.amounts = amounts
        self.events = []
        self.now = START
        self.fail = False
        self.merchant = Merchant(MemoryStore(self.find, self.hook), KEY, clock=lambda: self.now)

    def find(self, account):
        name = str(account.get("order_id"))
        if name not in self.amounts:
            raise AccountError("order_id", Text("Yoʻq", "Нет", "None"))
        return Order(id=name, amount=self.amounts[name], state=self.states[name])

    def hook(self, event, transaction):
        if self.fail:
            raise RuntimeError("the shop's database is gone")
        self.events.append((event, transaction.order_id))
        if event != "released":
            self.states[transaction.order_id] = {"paid": "paid", "cancelled": "closed"}[event]

    def call(self, method, auth=AUTH, **params):
        body = json.dumps({"method": method, "params": params, "id": 9}).encode()
        answer = json.loads(self.merchant.answer(Incoming("POST", body, auth)))
        assert answer["id"] == 9
        return answer

    def create(self, number, order="a", **changes):
        params = {"id": f"{number:024x}", "time": self.now, "amount": self.amounts[order]}
        return self.call("CreateTransaction", account={"order_id": order}, **{**params, **changes})


@pytest.fixture
def shop():
    return Shop(a=50_000)


def code(answer):
    return answer.get("error", {}).get("code")


def test_paymes_first_scenario(shop):
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    assert code(shop.call("CheckPerformTransaction", auth=None, **check)) == -32504
    assert code(shop.call("CheckPerformTransaction", **{**check, "amount": 1})) == -31001
    missing = shop.call("CheckPerformTransaction", amount=50_000, account={"order_id": "zz"})
    assert code(missing) == -31050
    assert missing["error"]["data"] == "order_id"
    assert shop.call("CheckPerformTransaction", **check)["result"] == {"allow": True}
    first = shop.create(1)
    assert shop.create(1) == first
    assert shop.call("CheckTransaction", id=f"{1:024x}")["result"]["state"] == 1
    assert code(shop.create(2)) == -31008
    cancelled = shop.call("CancelTransaction", id=f"{1:024x}", reason=3)
    assert cancelled["result"]["state"] == -1
    assert shop.call("CancelTransaction", id=f"{1:024x}", reason=3) == cancelled
    assert shop.events == [("released", "a")]


def test_paymes_second_scenario(shop):
    shop.create(1)
    performed = shop.call("PerformTransaction", id=f"{1:024x}")
    assert shop.call("PerformTransaction", id=f"{1:024x}") == performed
    assert shop.call("CheckTransaction", id=f"{1:024x}")["result"]["state"] == 2
    assert shop.events == [("paid", "a")]
    cancelled = shop.call("CancelTransaction", id=f"{1:024x}", reason=5)
    assert cancelled["result"]["state"] == -2
    assert shop.call("CancelTransaction", id=f"{1:024x}", reason=5) == cancelled
    assert shop.events == [("paid", "a"), ("cancelled", "a")]


def test_cancelled_attempt_lets_another_one_pay(shop):
    shop.create(1)
    shop.call("CancelTransaction", id=f"{1:024x}", reason=2)
    assert shop.create(2)["result"]["state"] == 1
    assert shop.call("PerformTransaction", id=f"{2:024x}")["result"]["state"] == 2


def test_hook_that_fails_takes_the_payment_back(shop, caplog):
    shop.create(1)
    shop.fail = True
    with caplog.at_level(logging.ERROR, logger="payme.merchant"):
        assert code(shop.call("PerformTransaction", id=f"{1:024x}")) == -32400
    assert "Perform" in caplog.text
    assert shop.call("CheckTransaction", id=f"{1:024x}")["result"]["state"] == 1
    shop.fail = False
    assert shop.call("PerformTransaction", id=f"{1:024x}")["result"]["state"] == 2
    assert shop.events == [("paid", "a")]


def test_hook_that_stops_an_iteration_is_a_failure_too(shop):
    shop.create(1)
    shop.hook = lambda event, transaction: next(iter(()))
    shop.merchant = Merchant(MemoryStore(shop.find, shop.hook), KEY, clock=lambda: shop.now)
    shop.create(2)
    assert code(shop.call("PerformTransaction", id=f"{2:024x}")) == -32400
    assert shop.call("CheckTransaction", id=f"{2:024x}")["result"]["state"] == 1


def test_statement_lists_by_paymes_time_with_both_ends(shop):
    shop.create(1)
    shop.now += 10
    shop.call("CancelTransaction", id=f"{1:024x}", reason=3)
    shop.create(2)
    rows = shop.call("GetStatement", **{"from": START, "to": START + 10})["result"]["transactions"]
    assert [row["id"] for row in rows] == [f"{1:024x}", f"{2:024x}"]
    assert [row["state"] for row in rows] == [-1, 1]
    empty = shop.call("GetStatement", **{"from": START + 11, "to": START + 20})
    assert empty["result"] == {"transactions": []}


def test_text_of_a_refusal_in_one_language_is_refused_when_it_is_made():
    with pytest.raises(InvalidArgument, match=r"message: got 'blocked', expected a Text"):
        AccountError("phone", "blocked")


def test_answer_that_cannot_be_written_is_a_system_error(shop):
    shop.find = lambda account: (_ for _ in ()).throw(AccountError(object()))
    store = MemoryStore(shop.find, shop.hook)
    shop.merchant = Merchant(store, KEY, clock=lambda: shop.now)
    assert code(shop.call("CheckPerformTransaction", amount=5, account={})) == -32400


@pytest.mark.parametrize("gone", [None, Order(id="b", amount=50_000)])
def test_refund_of_an_order_that_find_forgot_is_refused_unless_configured(shop, gone):
    shop.create(1)
    shop.call("PerformTransaction", id=f"{1:024x}")
    store = MemoryStore(lambda account: gone, shop.hook)
    store._rows = shop.merchant._store._rows
    refund = {"method": "CancelTransaction", "id": f"{1:024x}", "reason": 5}
    shop.merchant = Merchant(store, KEY, clock=lambda: shop.now)
    assert code(shop.call(**refund)) == -31007
    shop.merchant = Merchant(store, KEY, clock=lambda: shop.now, refund_missing=True)
    assert shop.call(**refund)["result"]["state"] == -2


def test_change_password_is_not_offered(shop):
    answer = shop.call("ChangePassword", password="x" * 36)
    assert (code(answer), answer["error"]["data"]) == (-32601, "ChangePassword")


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_anything_but_post_is_refused(shop, method):
    answer = json.loads(shop.merchant.answer(Incoming(method, b"", AUTH)))
    assert code(answer) == -32300


WRONG = [
    ({"store": None}, "store: got NoneType, expected a store such as "),
    ({"store": MemoryStore}, "store: got the class MemoryStore, expected"),
    ({"store": KEY}, "store: got str, expected"),
    ({"keys": KEY.encode()}, "keys: got bytes, expected one key as text, or a list"),
    ({"keys": {"key": KEY}}, "keys: got dict, expected one key as text"),
    ({"keys": [KEY.encode()]}, "keys: one of 1 is bytes, expected text"),
    ({"login": None}, "login: got NoneType, expected text"),
    ({"login": ""}, "login: got '', expected text"),
    ({"keys": lambda: KEY, "login": 5}, "login: got int, expected text"),
    ({"allow": ["185.234.113.1"]}, "allow: got list, expected an AllowList, or None"),
    ({"clock": 5}, "clock: got int, expected a function"),
    ({"refund_missing": "no"}, "refund_missing: got str, expected True or False"),
    ({"refund_missing": None}, "refund_missing: got NoneType, expected True or False"),
    ({"telemetry": True}, "telemetry: got bool, expected payme.telemetry.Telemetry"),
]


class Awaited:
    """A store of asyncio's, which is never asked."""

    async def run(self, flow):
        raise AssertionError


@pytest.mark.parametrize(("wrong", "told"), WRONG)
@pytest.mark.parametrize("kind", [Merchant, AsyncMerchant])
def test_a_wrong_argument_is_refused_at_the_start_by_name_and_shows_no_key(kind, wrong, told):
    """A request would only get -32400, and a text in `refund_missing` would count as True."""
    store = MemoryStore(print, print) if kind is Merchant else Awaited()
    with pytest.raises(ConfigurationError, match=re.escape(told)) as refused:
        kind(**{"store": store, "keys": KEY, **wrong})
    assert KEY not in str(refused.value)


def test_a_store_that_has_to_be_awaited_is_refused_where_nothing_is_and_the_other_way_round():
    """One that blocks would store a payment, and fail when its answer is awaited."""
    with pytest.raises(ConfigurationError, match="store: got Awaited, expected a store"):
        Merchant(Awaited(), KEY)
    with pytest.raises(ConfigurationError, match="store: got MemoryStore, expected a store"):
        AsyncMerchant(MemoryStore(print, print), KEY)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        *(([one], f"{one!r}, expected addresses") for one in (185, None, True, "payme.uz")),
        *((one, f"{one!r}, expected a list") for one in ("185.234.113.1", 5)),
    ],
)
@pytest.mark.parametrize("argument", ["addresses", "trusted_proxies"])
def test_what_is_no_list_of_addresses_is_shown(argument, wrong, told):
    """Python reads a number as an address, from which nobody would ever call."""
    with pytest.raises(ConfigurationError, match=f"{argument}: got {re.escape(told)}"):
        AllowList(**{argument: wrong})


def test_address_that_is_not_allowed_is_refused_like_a_wrong_key():
    store = MemoryStore(lambda account: None, lambda event, transaction: None)
    merchant = Merchant(store, KEY, allow=AllowList())
    body = b'{"method":"CheckTransaction","params":{"id":"x"},"id":1}'
    for peer, expected in (("185.234.113.3", -31003), ("203.0.113.9", -32504)):
        answer = json.loads(merchant.answer(Incoming("POST", body, AUTH, peer)))
        assert code(answer) == expected


@settings(deadline=None)
@given(st.binary(), st.one_of(st.just(AUTH), st.none(), st.text()))
def test_any_bytes_get_an_answer_of_the_protocol(body, auth):
    answer = json.loads(Shop(a=1).merchant.answer(Incoming("POST", body, auth)))
    assert set(answer) == {"jsonrpc", "id", "error"}
    assert set(answer["error"]) == {"code", "message", "data"}


class Payments(RuleBasedStateMachine):
    """Many attempts on few orders, repeated, cancelled, and left to time out."""

    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.shop = Shop(a=50_000, b=70_000)
        self.created = {}
        self.answers = {}
        self.number = 0

    @rule(target=ids, order=st.sampled_from("ab"))
    def create(self, order):
        self.number += 1
        time = self.shop.now
        answer = self.shop.create(self.number, order)
        self.created[self.number] = (order, time)
        if "result" in answer:
            self.answers["create", self.number] = answer
        return self.number

    @rule(number=ids)
    def repeat_create(self, number):
        order, time = self.created[number]
        answer = self.shop.create(number, order, time=time)
        first = self.answers.get(("create", number))
        if first is not None and "result" in answer:
            assert answer == first

    @rule(number=ids)
    def perform(self, number):
        answer = self.shop.call("PerformTransaction", id=f"{number:024x}")
        first = self.answers.setdefault(("perform", number), answer)
        if "result" in first:
            assert answer == first or code(answer) == -31008

    @rule(number=ids, reason=st.sampled_from([1, 2, 3, 5, 10]))
    def cancel(self, number, reason):
        answer = self.shop.call("CancelTransaction", id=f"{number:024x}", reason=reason)
        if "result" in answer:
            assert answer == self.answers.setdefault(("cancel", number), answer)

    @rule(hours=st.sampled_from([1, 11, 13]))
    def wait(self, hours):
        self.shop.now += hours * 3_600_000

    @invariant()
    def an_order_is_paid_at_most_once_and_taken_back_only_after(self):
        for order in "ab":
            events = [event for event, name in self.shop.events if name == order]
            assert events.count("paid") <= 1
            assert events.count("cancelled") <= events.count("paid")

    @invariant()
    def one_living_attempt_holds_an_order(self):
        everything = {"from": 0, "to": self.shop.now}
        rows = self.shop.call("GetStatement", **everything)["result"]["transactions"]
        for order in "ab":
            mine = [row for row in rows if row["account"]["order_id"] == order]
            living = [
                row
                for row in mine
                if row["state"] == 2
                or (row["state"] == 1 and self.shop.now - row["time"] <= EXPIRY_MS)
            ]
            assert len(living) <= 1


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
