"""Two cash-boxes in one store: neither reaches what came by the other."""

import copy

import pytest
import sqlalchemy as sa
from cash_boxes import SECOND, every_box_scenario
from scenarios import KEY, MemoryShop, number
from sqlshop import AsyncShop, BlockingShop, opened

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant import Merchant
from payme.merchant.limits import Limits
from payme.merchant.stores.sqlalchemy.rows import LIMITS, SqlRows


def beside(shop):
    """The same shop, called by its second cash-box."""
    other = copy.copy(shop)
    clock = lambda: other.now  # noqa: E731
    store = shop.merchant._store
    other.merchant = type(shop.merchant)(store, KEY, box=SECOND, clock=clock)
    return other


def asking(shop):
    """How the store is asked for the transactions of an order."""
    store = shop.merchant._store
    if isinstance(shop, AsyncShop):
        return lambda order_id, box: shop.runner.run(store.transactions_of(order_id, box))
    return store.transactions_of


def sweeping(shop):
    """How what waited too long is cancelled."""
    kind, store = type(shop.merchant), shop.merchant._store

    def sweep(box):
        swept = kind(store, KEY, box=box, clock=lambda: shop.now).expire()
        return shop.runner.run(swept) if isinstance(shop, AsyncShop) else swept

    return sweep


@every_box_scenario
def test_in_memory(scenario):
    shop = MemoryShop()
    scenario(shop, beside(shop), asking(shop), sweeping(shop))


@every_box_scenario
def test_in_a_database(scenario, shop):
    scenario(shop, beside(shop), asking(shop), sweeping(shop))


def test_a_merchant_lists_what_came_by_its_own_cash_box(shop):
    other = beside(shop)
    shop.create(1)
    other.create(2)

    def listed(one):
        found = one.merchant.transactions_of("a")
        return [row.id for row in (shop.runner.run(found) if kind is AsyncShop else found)]

    kind = type(shop)
    assert (listed(shop), listed(other)) == ([number(1)], [number(2)])


@pytest.mark.parametrize("order_id", [7, "", None, "a" * 256])
def test_an_order_that_no_store_has_is_refused_by_name(order_id):
    with pytest.raises(InvalidArgument, match="order_id: got"):
        MemoryShop().merchant.transactions_of(order_id)


@pytest.mark.parametrize("box", [None, 7, "a b", "a\n", "é", "x" * 65, KEY * 2])
def test_a_name_that_can_be_none_is_refused_and_not_shown(box):
    with pytest.raises(ConfigurationError, match="box: got") as refused:
        Merchant(MemoryShop().merchant._store, KEY, box=box)
    assert KEY not in str(refused.value)


# What gets the name of a cash-box ...........................................................

THIRD = "587f72c72cac0d162c722ae2"


def adopted(shop, box):
    found = shop.store.adopt(box)
    return shop.runner.run(found) if isinstance(shop, AsyncShop) else found


def test_what_is_named_already_is_not_adopted(shop):
    shop.create(1)
    beside(shop).create(2)
    assert adopted(shop, THIRD) == 1
    assert adopted(shop, THIRD) == 0
    listed = asking(shop)
    boxes = [(one.id, one.box) for one in listed("a", None)]
    assert sorted(boxes) == [(number(1), THIRD), (number(2), SECOND)]


@pytest.mark.parametrize(("taken", "order"), [(1, "b"), (2, "a")])
def test_what_a_cash_box_has_already_is_not_given_to_it(shop, taken, order):
    shop.create(3, "phone")
    shop.create(1)
    beside(shop).create(taken, order)
    with pytest.raises(ConfigurationError, match="shares its id or its order"):
        adopted(shop, SECOND)
    listed = asking(shop)
    assert [one.box for one in listed("phone", None)] == [""]
    assert shop.check(1)["result"]["state"] == 1

    shop.create(1)
    with pytest.raises(ConfigurationError, match="box: got"):
        adopted(shop, "two words")
    assert shop.check(1)["result"]["state"] == 1


# Whose locks wait for whose .................................................................


SHORT = Limits(lock_timeout=0.3)


@pytest.fixture(params=["postgres_db", "mariadb_db"])
def locking(request):
    """A shop on a server, with the same order under both cash-boxes."""
    with opened(BlockingShop, request.getfixturevalue(request.param), "a", "b") as shop:
        shop.create(1)
        beside(shop).create(2)
        yield shop


def waits(shop, box, name, argument):
    """Return whether another connection has to wait for a lock."""
    with shop.engine.execution_options(**{LIMITS: SHORT}).connect() as connection:
        is_postgresql = connection.dialect.name == "postgresql"
        limit = "lock_timeout = 300" if is_postgresql else "innodb_lock_wait_timeout = 1"
        connection.exec_driver_sql(f"SET {limit}")
        try:
            getattr(SqlRows(connection, box), name)(argument)
        except sa.exc.OperationalError:
            return True
        finally:
            connection.rollback()
            connection.invalidate()
    return False


@pytest.mark.slow
@pytest.mark.parametrize("held", [("lock_order", "a"), ("lock", number(1))], ids=lambda one: one[0])
def test_the_lock_of_an_order_is_one_in_its_cash_box_and_none_in_another(locking, held):
    """Perform and Create of an order wait for each other: both name its lock alike."""
    name, argument = held
    with locking.engine.execution_options(**{LIMITS: SHORT}).begin() as connection:
        getattr(SqlRows(connection, ""), name)(argument)
        assert waits(locking, "", "lock_order", "a")
        assert waits(locking, "", "lock", number(1))
        assert not waits(locking, "", "lock_order", "b")
        assert not waits(locking, SECOND, "lock_order", "a")
        assert not waits(locking, SECOND, "lock", number(2))
        assert not waits(locking, SECOND, "lock", number(1))
