"""The scenarios of the store in memory, and what only Django can do wrong."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from django.core import serializers
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.http.request import UnreadablePostError
from django.test import RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from scenarios import AUTH, START, code, every_scenario, number
from shopfront import routing
from shopfront.models import Event, Order
from shopfront.orders import Awaited, Orders, Silent
from test_service import Payments

from payme.merchant import core
from payme.merchant.django import models
from payme.merchant.django.store import DjangoStore
from payme.merchant.django.views import merchant_view, payme
from payme.merchant.flows import serve
from payme.merchant.service import Merchant


def ask(shop, *given, **extra):
    return json.loads(shop.send(*given, **extra))


def held(count):
    return models.Transaction.objects.get(payme_id=number(count)).reserves


@every_scenario
def test_in_django(scenario, shop):
    scenario(shop)


@pytest.mark.slow
def test_payments_in_any_order_keep_the_rules(make_shop):
    class InDjango(Payments):
        def __init__(self):
            super().__init__()
            self.shop = make_shop()

    run_state_machine_as_test(
        InDjango, settings=settings(max_examples=15, stateful_step_count=25, deadline=None)
    )


def test_order_is_held_until_its_attempt_ends(shop):
    shop.create(1)
    assert held(1) == "a"
    shop.perform(1)
    assert held(1) == "a"
    shop.cancel(1, reason=5)
    assert held(1) is None


def test_order_is_held_while_its_payment_stands_whatever_the_shop_says(shop):
    shop.create(1)
    shop.perform(1)
    Order.objects.update(state="waiting")
    assert code(shop.create(2)) == -31008
    assert code(shop.check(2)) == -31003
    shop.cancel(1, reason=5)
    Order.objects.update(state="waiting")
    assert shop.create(3)["result"]["state"] == 1


def test_account_that_is_topped_up_takes_many_payments_at_once(shop):
    for count in (1, 2):
        shop.create(count, "phone", amount=count * 100)
    for count in (1, 2):
        assert shop.perform(count)["result"]["state"] == 2
    assert shop.events() == [("paid", "phone"), ("paid", "phone")]


@pytest.mark.parametrize("failure", [StopIteration(), GeneratorExit()])
def test_iteration_that_ends_in_a_hook_does_not_end_the_flow(shop, failure):
    shop.create(1)
    shop.fails = failure
    if isinstance(failure, Exception):
        assert code(shop.perform(1)) == -32400
    else:
        with pytest.raises(GeneratorExit):
            shop.perform(1)
    shop.fails = None
    assert (shop.check(1)["result"]["state"], shop.state("a"), shop.events()) == (1, "waiting", [])


def swallow_an_error_of_the_orm():
    with suppress(IntegrityError):
        Order.objects.create(name="a", state="waiting")


def swallow_an_error_of_sql():
    with suppress(DatabaseError), connections[routing.chosen].cursor() as cursor:
        cursor.execute("INSERT INTO shopfront_order (name, state) VALUES ('a', 'waiting')")


def ask_for_a_rollback():
    transaction.set_rollback(True, using=routing.chosen)


def roll_back_behind_djangos_back():
    connections[routing.chosen].connection.rollback()


@pytest.mark.parametrize(
    "spoil",
    [
        swallow_an_error_of_the_orm,
        swallow_an_error_of_sql,
        ask_for_a_rollback,
        roll_back_behind_djangos_back,
    ],
)
def test_payment_that_a_hook_dooms_is_not_confirmed(shop, spoil):
    shop.create(1)
    Orders.then = spoil
    confirmed = "result" in shop.perform(1)
    Orders.then = None
    # SQLite goes on after an error in plain SQL, and so all of it is kept.
    assert confirmed == (shop.check(1)["result"]["state"] == 2) == (shop.state("a") == "paid")
    if spoil is not swallow_an_error_of_sql or routing.chosen == "postgresql":
        assert not confirmed


def test_transaction_that_changed_without_the_lock_is_not_overwritten(shop, monkeypatch):
    shop.create(1)
    shop.perform(1)
    find = Orders.find

    def meddle(self, account):
        models.Transaction.objects.update(state=-1)
        return find(self, account)

    monkeypatch.setattr(Orders, "find", meddle)
    told = shop.events()
    assert code(shop.cancel(1, reason=5)) == -32400
    assert shop.events() == told


def test_hook_that_is_a_coroutine_is_refused(alias):
    store = DjangoStore(Awaited())
    store.run(serve(core.Create("x" * 24, START, 500, {}), START))
    with pytest.raises(TypeError, match="coroutine"):
        store.run(serve(core.Perform("x" * 24), START))
    assert models.Transaction.objects.get().state == 1


def test_statement_does_not_wait_for_a_writer(shop, alias):
    if alias == "sqlite":
        connections[alias].settings_dict["OPTIONS"]["timeout"] = 0.01
    shop.create(1)
    connections[alias].close()
    try:
        with ThreadPoolExecutor(1) as pool, transaction.atomic(using=alias):
            Event.objects.create(event="begun", name="elsewhere")

            def statement():
                try:
                    return shop.statement()
                finally:
                    connections.close_all()

            assert len(pool.submit(statement).result(30)) == 1
    finally:
        connections[alias].close()
        connections["sqlite"].settings_dict["OPTIONS"]["timeout"] = 30


def test_dump_is_loaded_as_it_was(shop):
    account = {"order_id": "a", "note": "\0 ў", "list": [1, {"b": None}]}
    shop.create(1, account=account)
    dumped = serializers.serialize("json", models.Transaction.objects.all())
    models.Transaction.objects.all().delete()
    for row in serializers.deserialize("json", dumped):
        row.save()
    assert shop.statement()[0]["account"] == account


def test_shop_without_released_is_not_told(alias):
    store = DjangoStore(Silent())
    store.run(serve(core.Create("x" * 24, START, 500, {}), START))
    answer = store.run(serve(core.Cancel("x" * 24, 3), START))
    assert answer["state"] == -1


def test_flow_that_raises_leaves_nothing(alias):
    orders = Silent()
    orders.find = lambda account: 1 / 0
    with pytest.raises(ZeroDivisionError):
        DjangoStore(orders).run(serve(core.Create("x" * 24, START, 500, {}), START))
    assert not models.Transaction.objects.exists()
    assert not connections[alias].in_atomic_block


def test_store_refuses_to_run_inside_of_somebody_elses_transaction(alias):
    # The answer would be given before the commit, and the commit can still fail.
    with transaction.atomic(using=alias), pytest.raises(RuntimeError, match="durable"):
        DjangoStore(Silent()).run(serve(core.Check("x"), START))


def test_view_is_exempt_from_atomic_requests(shop, alias):
    connections[alias].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert shop.create(1)["result"]["state"] == 1
    finally:
        connections[alias].settings_dict["ATOMIC_REQUESTS"] = False


def test_database_that_is_named_is_used(sqlite, postgresql):
    routing.chosen = "sqlite"
    models.Transaction.objects.using("postgresql").all().delete()
    store = DjangoStore(Silent(), using="postgresql")
    store.run(serve(core.Create("x" * 24, START, 500, {}), START))
    assert models.Transaction.objects.using("postgresql").count() == 1
    assert not models.Transaction.objects.using("sqlite").filter(payme_id="x" * 24).exists()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("CreateTransaction", {"id": "x" * 500}),
        ("CreateTransaction", {"id": "\0"}),
        ("CreateTransaction", {"account": {"order_id": "a", "note": "\0"}}),
        ("CreateTransaction", {"account": {"order_id": "\0"}}),
        ("CreateTransaction", {"account": {"order_id": ["a"]}}),
        ("CreateTransaction", {"amount": 2**62}),
        ("CreateTransaction", {"time": 2**62}),
        ("CheckTransaction", {"id": "\0"}),
        ("CancelTransaction", {"reason": 2**62}),
        ("GetStatement", {"from": -(2**63), "to": 2**63 - 1}),
        ("GetStatement", {"from": 2**63, "to": 2**64 - 1}),
    ],
)
def test_hostile_values_get_an_answer_of_the_protocol(shop, method, params):
    id_ = {} if method == "GetStatement" else {"id": number(1)}
    usual = {
        "CreateTransaction": {"time": START, "amount": 50_000, "account": {"order_id": "a"}},
        "CancelTransaction": {"reason": 1},
    }
    answer = shop.call(method, **{**id_, **usual.get(method, {}), **params})
    assert "result" in answer or set(answer["error"]) == {"code", "message", "data"}
    # What broke one answer breaks no other one.
    assert code(shop.call("CheckTransaction", id="nobody")) == -31003


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.binary())
def test_any_bytes_get_an_answer_of_the_protocol(shop, body):
    assert set(json.loads(shop.send(body))) == {"jsonrpc", "id", "error"}


def test_body_that_breaks_off_is_no_json(sqlite):
    request = RequestFactory().post("/payme/", HTTP_AUTHORIZATION=AUTH)
    request.read = lambda *size: (_ for _ in ()).throw(UnreadablePostError)
    assert code(json.loads(payme(request).content)) == -32700


@override_settings(PAYME={"KEYS": [""], "ORDERS": "shopfront.orders.Orders"})
def test_server_without_a_key_lets_nobody_in_and_says_so(sqlite, caplog):
    blank = {"HTTP_AUTHORIZATION": "Basic UGF5Y29tOg=="}
    response = payme(RequestFactory().post("/payme/", b"{}", "text/json", **blank))
    assert (response.status_code, code(json.loads(response.content))) == (200, -32400)
    assert "KEYS" in caplog.text or "keys" in caplog.text


@override_settings(
    PAYME={
        "KEYS": ["another key, eight or more"],
        "ORDERS": "shopfront.orders.Orders",
        "ALLOWED_ADDRESSES": ["185.234.113.1"],
        "TRUSTED_PROXIES": ["127.0.0.1"],
        "LOGIN": "Merchant",
    }
)
@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [("185.234.113.1", -31003), ("203.0.113.9", -32504), ("185.234.113.1, 9.9.9.9", -32504)],
)
def test_settings_reach_the_endpoint(shop, forwarded, expected):
    auth = "Basic TWVyY2hhbnQ6YW5vdGhlciBrZXksIGVpZ2h0IG9yIG1vcmU="
    body = b'{"method":"CheckTransaction","params":{"id":"x"}}'
    assert code(ask(shop, body, auth, HTTP_X_FORWARDED_FOR=forwarded)) == expected
    assert code(ask(shop, body, AUTH, HTTP_X_FORWARDED_FOR=forwarded)) == -32504


def test_views_of_several_cash_boxes_stand_side_by_side(alias):
    view = merchant_view(Merchant(DjangoStore(Silent()), "the second key"))
    body = b'{"method":"CheckTransaction","params":{"id":"x"}}'
    key = {"HTTP_AUTHORIZATION": "Basic UGF5Y29tOnRoZSBzZWNvbmQga2V5"}
    response = view(RequestFactory().post("/second", body, "text/json", **key))
    assert code(json.loads(response.content)) == -31003


def test_statement_is_read_through_its_index(alias):
    models.Transaction.objects.bulk_create(
        models.Transaction(
            payme_id=number(count),
            order_id=str(count),
            time=count,
            amount=1,
            account={},
            create_time=0,
        )
        for count in range(2000)
    )
    with connections[alias].cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connections[alias]) as seen:
        DjangoStore(Silent()).run(serve(core.Statement(100, 110), START))
    [select] = [query["sql"] for query in seen if "BETWEEN" in query["sql"] or ">=" in query["sql"]]
    explain = "EXPLAIN QUERY PLAN " if alias == "sqlite" else "EXPLAIN "
    with connections[alias].cursor() as cursor:
        cursor.execute(explain + select)
        plan = str(cursor.fetchall())
    assert "payme_transaction_statement" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
