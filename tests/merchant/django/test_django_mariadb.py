"""The same on MariaDB or MySQL, where a server answers: a row stands for the lock of an order."""

import pytest
from scenarios import code, every_scenario
from shopfront.models import Order
from test_django_races import race

from payme.merchant.django.models import Transaction

RACES = 200


@pytest.fixture
def crowd(mariadb_shop):
    Order.objects.bulk_create(Order(name=str(name)) for name in range(RACES))
    return mariadb_shop


@every_scenario
def test_on_mariadb(scenario, mariadb_shop):
    scenario(mariadb_shop)


def test_first_creates_of_an_order_do_not_fail_each_other(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(2 * one + side, str(one))

    for pair in race(create, RACES):
        assert {code(answer) for answer in pair} == {None, -31008}
    assert Transaction.objects.count() == RACES


def test_repeated_create_and_perform_get_the_same_answer(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(one, str(one))

    def perform(client, side, one):
        return crowd.with_client(client).perform(one)

    for first, second in (*race(create, RACES), *race(perform, RACES)):
        assert "result" in first
        assert first == second
    told = crowd.events()
    assert len(told) == len(set(told)) == RACES


def test_perform_and_cancel_at_the_same_moment_agree(crowd):
    for one in range(RACES):
        crowd.create(one, str(one))

    def either(client, side, one):
        mine = crowd.with_client(client)
        return mine.cancel(one) if side else mine.perform(one)

    for performed, cancelled in race(either, RACES):
        states = (code(performed), cancelled["result"]["state"])
        assert states in {(None, -2), (-31008, -1)}
