"""The same on MariaDB or MySQL, where a server answers: a row stands for the lock of an order."""

from collections import Counter

import pytest
from scenarios import code, every_scenario
from shopfront.models import Order
from test_django_races import race

from payme.merchant.django.models import Transaction

RACES = 200
LONG_RACES = 500
AT_ONCE = 8


@pytest.fixture
def crowd(mariadb_shop):
    Order.objects.bulk_create(Order(name=str(name)) for name in range(LONG_RACES))
    return mariadb_shop


@every_scenario
def test_on_mariadb(scenario, mariadb_shop):
    scenario(mariadb_shop)


@pytest.mark.slow
def test_first_creates_of_an_order_do_not_fail_each_other(crowd):
    def create(client, side, one):
        return crowd.with_client(client).create(2 * one + side, str(one))

    for pair in race(create, RACES):
        assert {code(answer) for answer in pair} == {None, -31008}
    assert Transaction.objects.count() == RACES


@pytest.mark.slow
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


@pytest.mark.slow
def test_perform_and_cancel_at_the_same_moment_agree(crowd):
    for one in range(LONG_RACES):
        crowd.create(one, str(one))

    def either(client, side, one):
        mine = crowd.with_client(client)
        return mine.cancel(one) if side else mine.perform(one)

    told = []
    for one, (performed, cancelled) in enumerate(race(either, LONG_RACES)):
        if "result" in performed:
            assert cancelled["result"]["state"] == -2
            told += [("paid", str(one)), ("cancelled", str(one))]
        else:
            assert (code(performed), cancelled["result"]["state"]) == (-31008, -1)
            told += [("released", str(one))]
    assert sorted(crowd.events(), key=lambda event: int(event[1])) == told


@pytest.mark.slow
@pytest.mark.parametrize("orders", [1, AT_ONCE], ids=["of one order", "of an order each"])
def test_no_first_create_of_many_at_once_is_lost_to_a_deadlock(crowd, orders):
    """Each is the first of its order, whose lock has no row yet; the tables are nearly empty."""

    def create(client, side, one):
        order = str(one * orders + side % orders)
        return crowd.with_client(client).create(one * AT_ONCE + side, order)

    rounds = LONG_RACES // AT_ONCE
    answers = [code(answer) for together in race(create, rounds, AT_ONCE) for answer in together]
    assert len(answers) == rounds * AT_ONCE
    accepted = rounds * orders
    assert Counter(answers) == Counter({None: accepted, -31008: len(answers) - accepted})
    assert Transaction.objects.count() == accepted
