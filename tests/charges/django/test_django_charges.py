"""Charges in a Django project: beside the order, told once, driven by threads, no secret told."""

import os
import threading
import time
import traceback
import unittest
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from conftest_of_charges import CANARIES, KEY, PAYER, TOKEN, ordered, without_table
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction
from django.test import TestCase
from django.test.utils import override_settings
from shopfront.hooks import changed
from shopfront.models import Event, Order

from charges.ledgers import OTHER_KEY, new_charge, next_of
from payme.charges import ChargeConflict, ChargeState
from payme.charges.core import Overtaken
from payme.charges.django import charges, models
from payme.charges.django.configuration import configured
from payme.charges.django.driving import DjangoCharges
from payme.charges.django.ledger import DjangoLedger
from payme.errors import ConfigurationError, InvalidArgument

GIVE_UP = 30


def events():
    return list(Event.objects.order_by("pk").values_list("event", "name"))


def submit(shop, number=1, **options):
    return charges().submit(
        f"order-{number}", 50_000 + number, {"order_id": number}, shop.token, **options
    )


# Beside the order.


@pytest.mark.parametrize("fails", [True, False])
def test_a_charge_is_stored_beside_the_order_or_not_at_all(shop, alias, fails):
    try:
        with transaction.atomic(using=alias):
            Order.objects.create(name="order-1")
            submit(shop)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    there = 0 if fails else 1
    assert Order.objects.count() == there
    assert models.Charge.objects.count() == there
    assert models.ChargeEvent.objects.count() == there


def test_a_known_id_leaves_the_transaction_whole(shop, alias):
    first = submit(shop)
    with transaction.atomic(using=alias):
        assert submit(shop) == first
        with pytest.raises(ChargeConflict):
            charges().submit("order-1", 1, {"order_id": 1}, shop.token)
        Order.objects.create(name="order-1")
    assert Order.objects.count() == 1
    assert models.ChargeEvent.objects.count() == 1


@pytest.mark.slow
def test_an_order_is_paid_by_run_and_the_shop_is_told_in_its_own_tables(shop, alias):
    with transaction.atomic(using=alias):
        Order.objects.create(name="order-1")
        submit(shop)
    assert charges().run(drain=True, in_flight=3) == 1
    charge = charges().get("order-1")
    assert charge.is_paid
    assert shop.debits(charge.receipt_id) == 1
    assert Order.objects.get().state == "paid"
    assert events() == [("paid", "order-1")]
    assert charges().refund("order-1").state == ChargeState.REFUNDED
    assert events() == [("paid", "order-1"), ("refunded", "order-1")]
    assert Order.objects.get().state == "closed"


def test_a_charge_in_the_request(shop):
    charge = charges().charge("order-1", 50_000, {"order_id": 1}, shop.token)
    assert charge.is_paid
    assert charges().charge("order-1", 50_000, {"order_id": 1}, shop.token) == charge
    assert shop.debits(charge.receipt_id) == 1


def test_a_connection_is_not_asked_for(shop, alias):
    with pytest.raises(InvalidArgument, match=r"connection: .*transaction.atomic"):
        submit(shop, connection=connections[alias])


# What leaves must be stored before: never inside of a transaction that may be rolled back.


def test_inside_of_a_transaction_nothing_is_asked_of_payme(shop, alias):
    refused = pytest.raises(ConfigurationError, match=r"outside of transaction\.atomic")
    with refused, transaction.atomic(using=alias):
        charges().charge("order-1", 50_000, {"order_id": 1}, shop.token)
    assert not models.Charge.objects.exists()
    submit(shop)
    calls = {
        "advance": lambda: charges().advance("order-1"),
        "recover": lambda: charges().recover(),
        "run": lambda: charges().run(drain=True),
        "save": lambda: charges().ledger.save(next_of(charges().get("order-1"))),
        "cancel": lambda: charges().cancel("order-1"),
    }
    for name, call in calls.items():
        with transaction.atomic(using=alias), pytest.raises(ConfigurationError, match="submit"):
            call()
        assert charges().get("order-1").version == 0, name
    assert shop.receipts() == []


def test_without_autocommit_nothing_is_asked_of_payme(shop, alias):
    submit(shop)
    transaction.set_autocommit(False, using=alias)
    try:
        with pytest.raises(ConfigurationError, match=r"outside of transaction\.atomic"):
            charges().advance("order-1")
        transaction.rollback(using=alias)
    finally:
        transaction.set_autocommit(True, using=alias)
    assert shop.receipts() == []


class InTestCase(TestCase):
    """Django's own test case is one transaction; charges are driven in it all the same."""

    __test__ = False
    shop = None

    def test_driven(self):
        submit(self.shop)
        assert charges().advance("order-1").is_paid


def test_django_s_test_case_does_not_count_as_a_transaction(shop, alias):
    InTestCase.databases = [alias]
    InTestCase.shop = shop
    done = unittest.TestResult()
    unittest.TestSuite([InTestCase("test_driven")]).run(done)
    assert done.testsRun == 1
    assert done.wasSuccessful(), done.failures + done.errors
    assert not models.Charge.objects.exists()


# The hook.


def prove(ledger, state=ChargeState.PAID):
    charge, means = ordered()
    ledger.submit(charge, means)
    return next_of(charge, state=state, due=None)


def test_a_hook_that_fails_takes_the_change_back(shop, alias):
    ledger = configured().ledger
    paid = prove(ledger)

    def fail(charge):
        raise ZeroDivisionError

    changed.then = fail
    with pytest.raises(ZeroDivisionError):
        ledger.save(paid)
    assert events() == []
    assert ledger.load("order-1").charge == paid.before
    assert len(ledger.history("order-1")) == 1
    changed.then = None
    ledger.save(paid)
    assert events() == [("paid", "order-1")]
    with pytest.raises(Overtaken):
        ledger.save(paid)
    assert events() == [("paid", "order-1")]


def swallow_an_error(charge):
    try:
        Order.objects.create(name="twice")
        Order.objects.create(name="twice")
    except IntegrityError:
        pass


def swallow_in_the_middle_of_a_block(charge):
    try:
        with transaction.atomic(using=settings.DATABASE_ROUTERS and ALIAS[0], savepoint=False):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def roll_back_by_itself(charge):
    transaction.set_rollback(True, using=ALIAS[0])


def lose_the_transaction(charge):
    """As a deadlock of MariaDB's does."""
    with connections[ALIAS[0]].cursor() as cursor:
        cursor.execute("ROLLBACK")
        cursor.execute("BEGIN")


ALIAS = [""]


@pytest.mark.parametrize(
    "then",
    [swallow_an_error, swallow_in_the_middle_of_a_block, roll_back_by_itself, lose_the_transaction],
)
def test_a_hook_can_not_lose_what_was_proven_without_a_word(shop, alias, then):
    """Either the change is stored with the order's, or an error says that it is not."""
    ALIAS[0] = alias
    ledger = configured().ledger
    paid = prove(ledger)
    changed.then = then
    try:
        ledger.save(paid)
    except (DatabaseError, RuntimeError):
        assert ledger.load("order-1").charge == paid.before
        assert events() == []
    else:
        assert then is swallow_an_error
        assert alias != "charges_postgresql"
        assert ledger.load("order-1").charge == paid.after
        assert events() == [("paid", "order-1")]


def test_a_hook_that_is_a_coroutine_is_no_hook(alias):
    async def later(charge):
        raise AssertionError("nobody runs it")

    ledger = DjangoLedger(keys=[KEY], changed=later)
    paid = prove(ledger)
    with pytest.raises(TypeError, match="coroutine"):
        ledger.save(paid)
    assert ledger.load("order-1").charge == paid.before


def test_a_hook_may_submit_the_next_charge(shop, alias):
    def go_on(charge):
        if charge.id == "order-1":
            submit(shop, 2)

    changed.then = go_on
    submit(shop)
    charges().run(drain=True)
    assert [one.state for one in charges().iterate()] == ["paid", "paid"]


# Threads.


def in_threads(act, count=4):
    together = threading.Barrier(count)

    def run(number):
        try:
            together.wait(GIVE_UP)
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_of_threads_that_save_the_same_version_one_wins(shop, alias):
    ledger = configured().ledger
    paid = prove(ledger)

    def save(number):
        try:
            ledger.save(paid)
        except Overtaken:
            return 0
        return 1

    assert sum(in_threads(save)) == 1
    assert events() == [("paid", "order-1")]
    assert len(ledger.history("order-1")) == 2


def test_threads_that_claim_get_nobody_else_s_charge(shop, alias):
    ledger = configured().ledger
    for number in range(40):
        ledger.submit(new_charge(f"order-{number:02}"), ordered()[1])

    def claim(number):
        got = []
        while claimed := ledger.claim(f"owner-{number}", 1001.0, 1100.0, 3):
            got += [one.charge.id for one in claimed]
        return got

    got = list(chain.from_iterable(in_threads(claim)))
    got += [one.charge.id for one in ledger.claim("last", 1001.0, 1100.0, 40)]
    assert sorted(got) == [f"order-{number:02}" for number in range(40)]


def test_threads_that_submit_the_same_id_store_one(shop, alias):
    stored = in_threads(lambda number: submit(shop))
    assert len({(one.id, one.version) for one in stored}) == 1
    assert models.ChargeEvent.objects.count() == 1


def test_several_runners_take_each_charge_once(shop, alias):
    for number in range(30):
        submit(shop, number)

    def run(number):
        runner = DjangoCharges(configured().client, DjangoLedger(keys=[KEY], changed=changed))
        return runner.run(in_flight=4, drain=True)

    assert sum(in_threads(run, 3)) >= 30
    found = list(charges().iterate())
    assert [charge.state for charge in found] == ["paid"] * 30
    assert all(shop.debits(charge.receipt_id) == 1 for charge in found)
    assert sorted(events()) == sorted(("paid", charge.id) for charge in found)


def test_run_leaves_no_connection_open(shop, alias, monkeypatch):
    opened = []
    wrapper = type(connections[alias])
    connect = wrapper.connect

    def noted(self):
        connect(self)
        opened.append(self)

    monkeypatch.setattr(wrapper, "connect", noted)
    for number in range(8):
        submit(shop, number)
    charges().run(in_flight=4, drain=True)
    others = [one for one in opened if one is not connections[alias]]
    assert others
    assert [one for one in others if one.connection is not None] == []


def test_run_ends_when_it_is_told_to(shop, alias):
    stop = threading.Event()
    runner = threading.Thread(
        target=lambda: (charges().run(in_flight=2, stop=stop), connections.close_all())
    )
    submit(shop)
    runner.start()
    until = time.monotonic() + GIVE_UP
    while not charges().get("order-1").rests and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    runner.join(GIVE_UP)
    assert not runner.is_alive()
    assert charges().get("order-1").is_paid


@pytest.mark.parametrize("alias", ["charges_postgresql", "charges_mariadb"], indirect=True)
def test_a_connection_that_broke_is_replaced(shop, alias):
    """As after a restart of the database: outside of requests nobody else does it."""
    submit(shop)
    connection = connections[alias]
    connection.ensure_connection()
    suicide = {
        "charges_postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
        "charges_mariadb": "KILL CONNECTION_ID()",
    }
    with pytest.raises(OperationalError), connection.cursor() as cursor:
        cursor.execute(suicide[alias])
    assert charges().advance("order-1").is_paid


# One in a process.


def test_one_is_made_in_a_process_whoever_asks(shop, alias):
    made = in_threads(lambda number: charges())
    assert len({id(one) for one in made}) == 1
    with override_settings(LANGUAGE_CODE="uz"):
        assert charges() is made[0]
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "POLICY": {"lease": 7}}):
        assert charges() is not made[0]
        assert charges()._procedures._policy.lease == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork here")
def test_it_is_used_after_a_fork(shop, alias):
    charges().charge("order-1", 50_000, {"order_id": 1}, shop.token)
    connections.close_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            paid = charges().charge("order-2", 50_000, {"order_id": 2}, shop.token).is_paid
            os._exit(0 if paid else 1)
        except BaseException:
            traceback.print_exc()
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert charges().get("order-2").is_paid
    assert charges().charge("order-3", 50_000, {"order_id": 3}, shop.token).is_paid


# Keys and secrets.


def contents(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT * FROM payme_charge")
        rows = cursor.fetchall()
        cursor.execute("SELECT * FROM payme_charge_event")
        rows += cursor.fetchall()
    parts = [part for row in rows for part in row]
    binary = (bytes, memoryview)
    return b"".join(
        bytes(part) if isinstance(part, binary) else str(part).encode() for part in parts
    )


def plain(**options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DjangoLedger(keys=[], **options)


def shown(data):
    return [canary for canary in CANARIES if canary.encode() in data]


def test_tokens_are_encrypted_at_rest(alias):
    charge, means = ordered(payer=PAYER)
    plain().submit(charge, means)
    assert shown(contents(alias)) == CANARIES
    ledger = DjangoLedger(keys=[KEY])
    ledger.rotate()
    assert shown(contents(alias)) == []
    ledger.save(next_of(charge), means)
    assert shown(contents(alias)) == []
    assert ledger.load("order-1").means.payer == PAYER


def test_keys_are_rotated_page_by_page(alias, monkeypatch):
    monkeypatch.setattr("payme.charges.ledger.rows.PAGE", 4)
    old = DjangoLedger(keys=[OTHER_KEY])
    for number in range(10):
        old.submit(new_charge(f"order-{number}"), ordered()[1])
    DjangoLedger(keys=[KEY, OTHER_KEY]).rotate()
    new = DjangoLedger(keys=[KEY])
    assert {new.load(f"order-{n}").means.token.open() for n in range(10)} == {TOKEN}
    with pytest.raises(ConfigurationError, match=r"^keys: "):
        old.load("order-3")


def test_who_has_no_key_leases_nothing(alias):
    DjangoLedger(keys=[KEY]).submit(*ordered())
    other = DjangoLedger(keys=[OTHER_KEY])
    for lease in (
        lambda: other.claim("a", 1001.0, 1100.0, 1),
        lambda: other.take("a", "order-1", 1001.0, 1100.0),
    ):
        with pytest.raises(ConfigurationError, match=r"^keys: "):
            lease()
    assert len(DjangoLedger(keys=[KEY]).claim("b", 1001.0, 1100.0, 1)) == 1


def test_a_ledger_without_keys_says_so():
    with pytest.warns(UserWarning, match="unencrypted") as said:
        DjangoLedger()
    assert said[0].filename == __file__


@pytest.mark.parametrize("write", ["submit", "save"])
def test_an_error_of_the_database_shows_no_token(alias, write):
    charge, means = ordered(payer=PAYER)
    ledger = plain()
    act = {
        "submit": lambda: ledger.submit(charge, means),
        "save": lambda: ledger.save(next_of(charge), means),
    }[write]
    with without_table(alias, "payme_charge"), pytest.raises(DatabaseError) as raised:
        act()
    found = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    text = str(raised.value) + "".join(found.format())
    assert "order-1" in text
    assert shown(text.encode()) == []
