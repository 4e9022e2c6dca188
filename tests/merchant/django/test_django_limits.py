"""A row that somebody holds ends a request of Payme's in time, in each of Django's databases."""

import copy
import threading
import time
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connections, transaction
from scenarios import code
from shopfront import routing
from shopfront.models import Order
from shopfront.orders import Orders

from payme.merchant import Limits
from payme.merchant.django import configuration
from payme.merchant.django.checks import check_settings
from payme.merchant.django.store import DjangoStore

QUICK = Limits(request_timeout=2.5, lock_timeout=0.5, statement_timeout=1)


@contextmanager
def quickly(limits=QUICK):
    merchant = configuration.configured()
    before = merchant._store
    merchant._store = DjangoStore(Orders(), limits=limits)
    try:
        yield
    finally:
        merchant._store = before


@contextmanager
def held(name):
    """Let another thread, with a connection of its own, hold the row of an order."""
    has, done = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic(using=routing.chosen):
                Order.objects.filter(pk=name).update(state="waiting")
                has.set()
                done.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert has.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def ends_in_time_and_pays_after_that(shop):
    shop.create(1)
    with quickly():
        with held("a"):
            began = time.monotonic()
            assert code(shop.perform(1)) == -32400
            assert time.monotonic() - began < QUICK.request_timeout
        assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
        assert shop.perform(1)["result"]["state"] == 2
    assert shop.events() == [("paid", "a")]


def test_held_row(shop):
    ends_in_time_and_pays_after_that(shop)


def test_held_row_on_mariadb(mariadb_shop):
    ends_in_time_and_pays_after_that(mariadb_shop)


SETTINGS = {
    "sqlite": "PRAGMA busy_timeout",
    "postgresql": "SELECT current_setting('lock_timeout') || current_setting('statement_timeout')",
    "mysql": "SELECT @@innodb_lock_wait_timeout",
    "mariadb": "SELECT @@innodb_lock_wait_timeout, @@max_statement_time",
}


def leaves_the_connection_as_it_was(shop):
    connection = connections[routing.chosen]
    is_mariadb = getattr(connection, "mysql_is_mariadb", False)
    with connection.cursor() as cursor:
        statement = SETTINGS["mariadb" if is_mariadb else connection.vendor]
        cursor.execute(statement)
        before = cursor.fetchone()
        with quickly():
            shop.create(1)
            shop.perform(1)
            cursor.execute(statement)
        assert cursor.fetchone() == before


def test_limits_are_not_left_to_the_pages_of_the_shop(shop):
    leaves_the_connection_as_it_was(shop)


def test_limits_are_not_left_to_the_pages_of_the_shop_on_mariadb(mariadb_shop):
    leaves_the_connection_as_it_was(mariadb_shop)


def test_statement_of_a_hook_is_cancelled(shop, alias):
    if alias == "sqlite":
        endless = (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"
        )
    else:
        endless = "SELECT pg_sleep(60)"

    def wait():
        with connections[alias].cursor() as cursor:
            cursor.execute(endless)

    shop.create(1)
    Orders.then = wait
    with quickly(Limits(request_timeout=1)):
        began = time.monotonic()
        assert code(shop.perform(1)) == -32400
        assert time.monotonic() - began < 5
        Orders.then = None
        assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.parametrize(
    ("name", "wrong"), [("LOCK_TIMEOUT", 0), ("REQUEST_TIMEOUT", "5"), ("AT_ONCE", 0)]
)
def test_settings_are_checked(monkeypatch, name, wrong):
    monkeypatch.setattr(settings, "PAYME", {**copy.copy(settings.PAYME), name: wrong})
    (found,) = check_settings()
    assert (found.id, f"{name}: got {wrong!r}, expected a positive" in found.msg) == (
        "payme.E007",
        True,
    )


def test_settings_become_the_limits(monkeypatch):
    given = {"REQUEST_TIMEOUT": 8, "LOCK_TIMEOUT": 2, "STATEMENT_TIMEOUT": 3, "AT_ONCE": 4}
    assert configuration.limits(given) == Limits(
        request_timeout=8, lock_timeout=2, statement_timeout=3, at_once=4
    )
