"""Two requests at the same moment, in threads with connections of their own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.test import Client
from psycopg import IsolationLevel
from scenarios import code
from shopfront import routing
from shopfront.models import Event, Order

from payme.merchant.django import rows
from payme.merchant.django.models import OrderLock, Transaction

RACES = 500
GIVE_UP = 60


def race(attempt, rounds=RACES, sides=2):
    """Let two threads, or more, make each attempt at once; gives their answers together."""
    barrier = threading.Barrier(sides)

    def run(side):
        client = Client()
        answers = []
        try:
            for number in range(rounds):
                barrier.wait(GIVE_UP)
                answers.append(attempt(client, side, number))
        except BaseException:
            barrier.abort()
            raise
        finally:
            connections.close_all()
        return answers

    with ThreadPoolExecutor(sides) as pool:
        return list(zip(*pool.map(run, range(sides)), strict=True))


@pytest.fixture
def crowd(shop):
    """A shop with an order for each race."""
    Order.objects.bulk_create(Order(name=str(name)) for name in range(RACES))
    return shop


@pytest.mark.slow
def test_of_two_creates_for_an_order_exactly_one_is_accepted(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(2 * one + side, str(one))

    for pair in race(create):
        assert sorted("result" in answer for answer in pair) == [False, True]
        assert {code(answer) for answer in pair} == {None, -31008}
    assert Transaction.objects.count() == RACES


@pytest.mark.slow
def test_repeated_create_at_the_same_moment_gives_the_same_answer(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(one, str(one))

    for first, second in race(create, 100):
        assert first == second
        assert first["result"]["state"] == 1


def test_one_id_for_two_orders_at_the_same_moment_is_accepted_once(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(one, str((one + 50 * side) % 100))

    for pair in race(create, 100):
        assert {code(answer) for answer in pair} <= {None, -31008}
    assert Transaction.objects.count() == 100


@pytest.mark.slow
def test_repeated_perform_at_the_same_moment_tells_the_shop_once(crowd):
    for one in range(RACES):
        crowd.create(one, str(one))
    for first, second in race(lambda client, side, one: crowd.with_client(client).perform(one)):
        assert first == second
        assert first["result"]["state"] == 2
    told = crowd.events()
    assert len(told) == len(set(told)) == RACES


@pytest.mark.slow
def test_perform_and_cancel_at_the_same_moment_agree(crowd):
    for one in range(RACES):
        crowd.create(one, str(one))

    def either(client, side, one):
        mine = crowd.with_client(client)
        return mine.cancel(one) if side else mine.perform(one)

    told = []
    for one, (performed, cancelled) in enumerate(race(either)):
        if "result" in performed:
            assert cancelled["result"]["state"] == -2
            told += [("paid", str(one)), ("cancelled", str(one))]
        else:
            assert (code(performed), cancelled["result"]["state"]) == (-31008, -1)
            told += [("released", str(one))]
    assert sorted(crowd.events(), key=lambda event: int(event[1])) == told


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["postgresql"], indirect=True)
@pytest.mark.parametrize("where", ["OPTIONS", "database"])
def test_isolation_of_the_project_does_not_matter(crowd, alias, where):
    """In REPEATABLE READ who waited for a lock would not see what the former holder committed."""
    level = {"isolation_level": IsolationLevel.REPEATABLE_READ} if where == "OPTIONS" else {}
    default = "ALTER DATABASE {} SET default_transaction_isolation = '{}'"
    name = settings.DATABASES[alias]["NAME"]

    def isolate(options, default_level):
        with connections[alias].cursor() as cursor:
            cursor.execute(default.format(name, default_level))
        settings.DATABASES[alias]["OPTIONS"] = options
        connections[alias].close()

    def create(client, side, one):
        return crowd.with_client(client).create(one, str(one))

    def perform(client, side, one):
        return crowd.with_client(client).perform(one)

    isolate(level, "repeatable read" if where == "database" else "read committed")
    try:
        created, performed = race(create, 200), race(perform, 200)
    finally:
        isolate({}, "read committed")
    for first, second in (*created, *performed):
        assert "result" in first
        assert first == second


def test_row_locks_keep_two_apart_where_there_are_no_other_locks(postgresql, monkeypatch):
    monkeypatch.setattr(routing, "chosen", postgresql)
    OrderLock.objects.all().delete()
    Event.objects.all().delete()

    def count(client, side, one):
        with transaction.atomic(using=postgresql):
            # A new row every tenth time: the making of it is a lock too.
            rows.lock_row(postgresql, f"counter {one // 10}")
            Event.objects.create(event="count", name=str(Event.objects.count()))

    race(count, 100)
    assert sorted(int(event.name) for event in Event.objects.all()) == list(range(200))
    assert OrderLock.objects.count() == 10


@pytest.mark.parametrize("alias", ["postgresql"], indirect=True)
def test_creates_are_kept_apart_by_row_locks(crowd, monkeypatch):
    by_row = lambda self, order_id: rows.lock_row(self._alias, order_id)  # noqa: E731
    monkeypatch.setattr(rows.DjangoRows, "lock_order", by_row)

    def create(client, side, one):
        return crowd.with_client(client).create(2 * one + side, str(one))

    for pair in race(create, 100):
        assert {code(answer) for answer in pair} == {None, -31008}
    assert Transaction.objects.count() == 100
