"""What a shop is told and may refuse, on memory, SQLite and PostgreSQL, blocking and asyncio."""

import functools

import pytest
from scenarios import KEY, MemoryShop, order_of
from sqlshop import AsyncShop, AsyncShopOrders, ShopOrders, state_of

from payme.errors import ConfigurationError
from payme.merchant import AsyncMerchant, MemoryStore, Merchant
from payme.merchant.orders import Shop
from payme.merchant.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore


def rebuilt(shop, blocking, asynchronous):
    """Give a shop of a database other orders."""
    if isinstance(shop, AsyncShop):
        shop.orders = asynchronous
        shop.store = AsyncSqlAlchemyStore(shop.async_engine, asynchronous)
        shop.merchant = AsyncMerchant(shop.store, KEY, clock=lambda: shop.now)
    else:
        shop.orders = blocking
        shop.store = SqlAlchemyStore(shop.engine, blocking)
        shop.merchant = Merchant(shop.store, KEY, clock=lambda: shop.now)
    return shop


class Curious(ShopOrders):
    def __init__(self):
        self.asked = []

    def find(self, connection, account, method="nobody"):
        self.asked.append(method)
        return super().find(connection, account)


class AsyncCurious(AsyncShopOrders):
    def __init__(self):
        self.asked = []

    async def find(self, connection, account, *, method):
        self.asked.append(method)
        return await super().find(connection, account)


def told(shop, asked):
    """Go through a payment and its refund; gives what `find` was told."""
    shop.call("CheckPerformTransaction", amount=50_000, account={"order_id": "a"})
    shop.create(1)
    shop.perform(1)
    shop.cancel(1, reason=5)
    assert shop.check(1)["result"]["state"] == -2
    return list(asked)


EVERY_METHOD = [
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CancelTransaction",
]


def test_find_is_told_which_request_asks(shop):
    rebuilt(shop, Curious(), AsyncCurious())
    assert told(shop, shop.orders.asked) == EVERY_METHOD
    # The whole way asks twice, and says the same.
    shop.orders.asked.clear()
    shop.create(2, "gone")
    assert set(shop.orders.asked) == {"CreateTransaction"}


def test_find_in_memory_is_told_which_request_asks():
    shop, asked = MemoryShop(), []

    def find(account, method):
        asked.append(method)
        return shop.find(account)

    store = MemoryStore(find, shop.hook)
    shop.merchant = Merchant(store, KEY, clock=lambda: shop.now)
    assert told(shop, asked) == EVERY_METHOD


class Mocked:
    """A shop whose `find` is what a test hands over."""

    def __init__(self, find):
        self.find = find


def by_method(account, method):
    return method


def wrapped(find):
    @functools.wraps(find)
    def wrapper(*arguments, **options):
        return find(*arguments, **options)

    return wrapper


@pytest.mark.parametrize(
    ("find", "said"),
    [
        (lambda account: "silent", "silent"),
        (lambda account, **options: str(options), "{}"),
        (lambda *arguments, **options: str(options), "{}"),
        (lambda account, way="default": way, "default"),
        (lambda method: method, "account"),
        (lambda method, /: method, "account"),
        (by_method, "CreateTransaction"),
        (wrapped(by_method), "CreateTransaction"),
        (lambda account, *, method="x": method, "CreateTransaction"),
        (functools.partial(by_method), "CreateTransaction"),
        (functools.partial(by_method, method="mine"), "CreateTransaction"),
        ({"account": "found"}.get, "found"),
    ],
)
def test_only_a_parameter_named_method_is_told(find, said):
    assert Shop(Mocked(find)).find("account", method="CreateTransaction") == said


@pytest.mark.parametrize(
    ("find", "names"),
    [
        (lambda: None, ["too many positional arguments", "expected find(account)"]),
        (lambda account, flavour: None, ["flavour"]),
        (lambda account, *, flavour, method: None, ["flavour"]),
        (lambda account, method, /: None, ["method"]),
        (lambda *, method: None, ["too many"]),
    ],
)
def test_find_that_cannot_be_called_is_refused_at_once(find, names):
    with pytest.raises(ConfigurationError, match=r"^find: got find") as refused:
        MemoryStore(find, print)
    assert all(name in str(refused.value) for name in names)


def test_find_without_a_connection_is_refused_by_the_stores_of_databases(shop):
    class Old(ShopOrders):
        def find(self, account):
            return order_of("a", state_of("a"))

    class AsyncOld(AsyncShopOrders):
        async def find(self, account):
            return order_of("a", state_of("a"))

    with pytest.raises(ConfigurationError, match=r"expected find\(connection, account\)"):
        rebuilt(shop, Old(), AsyncOld())
