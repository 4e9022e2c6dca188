"""Two cash-boxes in one database of Django's."""

import base64
import copy
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from cash_boxes import SECOND, every_box_scenario
from django.db import OperationalError, connections, transaction
from django.test import override_settings
from scenarios import KEY, code, number
from shopfront import routing
from shopfront.models import Order
from shopfront.orders import Orders

from payme.errors import ConfigurationError
from payme.merchant import Merchant
from payme.merchant.django.checks import check_database, check_settings
from payme.merchant.django.configuration import configured
from payme.merchant.django.models import Transaction
from payme.merchant.django.rows import DjangoRows
from payme.merchant.django.store import DjangoStore
from payme.merchant.limits import Limits


@pytest.fixture
def settings_of():
    """Have the project another setting `PAYME` for a while."""

    @contextmanager
    def other(given):
        with override_settings(PAYME=given):
            yield

    return other


def beside(shop):
    """The same shop, called by its second cash-box."""
    other = copy.copy(shop)
    merchant = Merchant(DjangoStore(Orders()), KEY, box=SECOND, clock=lambda: other.now)
    other.answer = merchant.answer
    return other


def sweeping(shop):
    """How what waited too long is cancelled."""
    store = DjangoStore(Orders())
    return lambda box: Merchant(store, KEY, box=box, clock=lambda: shop.now).expire()


@every_box_scenario
def test_in_django(scenario, shop):
    scenario(shop, beside(shop), DjangoStore(Orders()).transactions_of, sweeping(shop))


@every_box_scenario
def test_on_mariadb(scenario, mariadb_shop):
    of = DjangoStore(Orders()).transactions_of
    scenario(mariadb_shop, beside(mariadb_shop), of, sweeping(mariadb_shop))


def test_an_order_is_asked_for_inside_of_a_transaction_too(shop, alias):
    shop.create(1)
    with transaction.atomic(using=alias):
        (found,) = DjangoStore(Orders()).transactions_of("a")
    assert found.amount == 50_000


OTHER_KEY = "mjES8ycLucnvygt4dPwerK2vj45Eensn3ZPr"
OTHER_AUTH = "Basic " + base64.b64encode(f"Paycom:{OTHER_KEY}".encode()).decode()
FIRST = "587f72c72cac0d162c722ae2"
BOXES = {
    "ORDERS": "shopfront.orders.Orders",
    "BOXES": {FIRST: {"KEYS": [KEY]}, SECOND: {"KEYS": [OTHER_KEY], "REFUND_MISSING": True}},
}


def test_settings_of_several_cash_boxes_reach_the_endpoint(shop, settings_of, alias):
    with settings_of(BOXES):
        assert check_settings() == []
        for one in (configured()[FIRST], configured()[SECOND]):
            one._clock = lambda: shop.now
        assert shop.create(1)["result"]["state"] == 1
        assert code(shop.call("CheckTransaction", OTHER_AUTH, id=number(1))) == -31003
        assert code(shop.call("CheckTransaction", None, id=number(1))) == -32504
        assert [configured()[box]._refund_missing for box in (FIRST, SECOND)] == [False, True]
        assert Transaction.objects.get().box == FIRST


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"BOXES": {}}, "BOXES: got an empty dict, expected"),
        ({"BOXES": [FIRST]}, "BOXES: got list, expected"),
        ({"BOXES": {FIRST: KEY}}, "is str, expected a dict with its KEYS"),
        ({"BOXES": {FIRST: {"KEYS": [KEY], "KEY": KEY}}}, "KEY, which mean nothing"),
        ({"BOXES": {FIRST: {"KEYS": [KEY]}, SECOND: {"KEYS": [KEY]}}}, "a key in common"),
        ({"BOXES": {FIRST: {}}}, "keys:"),
        ({"BOXES": {"a b": {"KEYS": [KEY]}}}, "box:"),
        ({"KEYS": [KEY]}, "expected in each of BOXES"),
        ({"BOX": FIRST}, "expected in each of BOXES"),
    ],
)
def test_wrong_settings_of_cash_boxes_are_said_and_show_no_key(settings_of, changes, said):
    with settings_of({**BOXES, **changes}):
        texts = [str(one) for one in check_settings()]
    assert said in "".join(texts)
    assert KEY not in "".join(texts)


def test_transactions_of_a_cash_box_that_is_not_served_are_told_and_adopted(
    shop, settings_of, alias
):
    shop.create(1)
    assert check_database([alias]) == []
    with settings_of(BOXES):
        assert [one.id for one in check_database([alias])] == ["payme.E008"]
        assert DjangoStore(Orders()).adopt(FIRST) == 1
        assert check_database([alias]) == []
        configured()[FIRST]._clock = lambda: shop.now
        assert shop.perform(1)["result"]["state"] == 2
    with settings_of({**BOXES, "BOXES": {FIRST: {"KEYS": [KEY]}}}):
        assert check_database([alias]) == []


def test_what_is_named_already_is_not_adopted(shop):
    shop.create(1)
    beside(shop).create(2)
    store = DjangoStore(Orders())
    assert store.adopt(FIRST) == 1
    assert store.adopt(FIRST) == 0
    boxes = [(one.id, one.box) for one in store.transactions_of("a")]
    assert sorted(boxes) == [(number(1), FIRST), (number(2), SECOND)]
    with pytest.raises(ConfigurationError, match="box: got"):
        store.adopt("two words")


def test_transactions_in_every_state_are_adopted(shop, alias):
    """A refund names one that was paid before; its ended attempts are in Payme's statement, too."""
    for one in (1, 2):
        shop.create(one)
        shop.cancel(one)
    shop.create(3)
    shop.perform(3)
    shop.create(4, "b")
    shop.perform(4)
    shop.cancel(4, reason=5)
    shop.forget("b")
    shop.create(5, "b")
    before = shop.statement()
    assert [row["state"] for row in before] == [-1, -1, 2, -2, 1]
    assert DjangoStore(Orders()).adopt(SECOND) == 5
    assert (shop.statement(), beside(shop).statement()) == ([], before)


def test_a_cash_box_that_settings_name_has_the_transactions(shop, settings_of):
    with settings_of({"ORDERS": "shopfront.orders.Orders", "KEYS": [KEY], "BOX": SECOND}):
        configured()._clock = lambda: shop.now
        assert shop.create(1)["result"]["state"] == 1
        assert Transaction.objects.get().box == SECOND


# Whose locks wait for whose .................................................................


@pytest.fixture
def shop_on_postgresql(postgresql, monkeypatch, make_merchant):
    monkeypatch.setattr(routing, "chosen", postgresql)
    for model in (Transaction, Order):
        model.objects.all().delete()
    return make_merchant("a", "b")


@pytest.fixture(params=["shop_on_postgresql", "mariadb_shop"])
def locking(request):
    """The alias of a server, with the same order under both cash-boxes."""
    shop = request.getfixturevalue(request.param)
    shop.create(1)
    beside(shop).create(2)
    return routing.chosen


SHORT = Limits(lock_timeout=0.3)


def waits(alias, box, name, argument):
    """Return whether another connection has to wait for a lock."""
    is_postgresql = connections[alias].vendor == "postgresql"
    limit = "lock_timeout = 300" if is_postgresql else "innodb_lock_wait_timeout = 1"

    def lock():
        try:
            with transaction.atomic(using=alias):
                with connections[alias].cursor() as cursor:
                    cursor.execute(f"SET {limit}")
                getattr(DjangoRows(alias, SHORT, box), name)(argument)
        except OperationalError:
            return True
        finally:
            connections[alias].close()
        return False

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lock).result()


@pytest.mark.slow
@pytest.mark.parametrize("held", [("lock_order", "a"), ("lock", number(1))], ids=lambda one: one[0])
def test_the_lock_of_an_order_is_one_in_its_cash_box_and_none_in_another(locking, held):
    """Perform and Create of an order wait for each other: both name its lock alike."""
    name, argument = held
    with transaction.atomic(using=locking):
        getattr(DjangoRows(locking, SHORT, ""), name)(argument)
        assert waits(locking, "", "lock_order", "a")
        assert waits(locking, "", "lock", number(1))
        assert not waits(locking, "", "lock_order", "b")
        assert not waits(locking, SECOND, "lock_order", "a")
        assert not waits(locking, SECOND, "lock", number(2))
        assert not waits(locking, SECOND, "lock", number(1))


@pytest.mark.parametrize(("taken", "order"), [(1, "b"), (2, "a")])
def test_what_a_cash_box_has_already_is_not_given_to_it(shop, taken, order):
    shop.create(3, "phone")
    shop.create(1)
    beside(shop).create(taken, order)
    store = DjangoStore(Orders())
    with pytest.raises(ConfigurationError, match="shares its id or its order"):
        store.adopt(SECOND)
    assert [one.box for one in store.transactions_of("phone")] == [""]
    assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.parametrize("using", ["replica", "", 7])
def test_a_database_that_the_project_has_not_is_refused_by_name(using):
    with pytest.raises(ConfigurationError, match=r"using: got .*, expected one of DATABASES: def"):
        DjangoStore(Orders(), using)
