"""What a shop is told and may refuse, on memory, SQLite and PostgreSQL, blocking and asyncio."""

import functools
from contextlib import contextmanager, suppress
from functools import partial

import pytest
import sqlalchemy as sa
from racing import in_threads
from scenarios import KEY, Failure, MemoryShop, code, order_of
from sqlshop import AsyncShop, AsyncShopOrders, BlockingShop, ShopOrders, opened, state_of

from payme import MemoryTransport, Payme
from payme.errors import ConfigurationError, InvalidArgument, MerchantRefused, Rejected
from payme.errors.catalogue import Text
from payme.merchant import AsyncMerchant, Incoming, MemoryStore, Merchant, Order, Refuse
from payme.merchant.core import CANNOT_PERFORM, EXPIRY_MS
from payme.merchant.orders import Shop
from payme.merchant.stores.sqlalchemy import AsyncSqlAlchemyStore, SqlAlchemyStore
from payme.protocol.states import ReceiptState
from payme.sandbox import Sandbox


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


KINDS = {"blocking": BlockingShop, "asyncio": AsyncShop}

GONE = Text("Oxirgisi sotildi.", "Последний продан.", "The last one was sold.")
REFUSED = {"uz": GONE.uz, "ru": GONE.ru, "en": GONE.en}


class Reserving(ShopOrders):
    def created(self, connection, transaction):
        self.note(connection, transaction.order_id, "created")


class AsyncReserving(AsyncShopOrders):
    async def created(self, connection, transaction):
        await self.note(connection, transaction.order_id, "created")


EVERY_STORE = ["memory", *(f"{way}-{name}" for way in KINDS for name in ("sqlite", "postgresql"))]


@pytest.fixture(params=EVERY_STORE)
def reserving(request, tmp_path):
    """A shop that reserves goods, in memory and in every database."""
    way, _, database = request.param.partition("-")
    if database:
        at = f"sqlite:///{tmp_path / 'shop.db'}"
        url = at if database == "sqlite" else request.getfixturevalue("postgres_db")
        with opened(KINDS[way], url, "a", "b") as shop:
            yield rebuilt(shop, Reserving(), AsyncReserving())
    else:
        yield reserving_in_memory()


def reserving_in_memory():
    shop = MemoryShop()

    def created(transaction):
        shop.hook("created", transaction)

    store = MemoryStore(shop.find, shop.hook, created=created)
    shop.merchant = Merchant(store, KEY, clock=lambda: shop.now)
    return shop


def test_goods_are_reserved_once_however_often_create_comes(reserving):
    first = reserving.create(1)
    assert reserving.create(1) == first
    assert first["result"]["state"] == 1
    assert code(reserving.create(2)) == -31008
    assert reserving.events() == [("created", "a")]


def test_reservation_ends_in_a_payment_or_in_a_release(reserving):
    reserving.create(1)
    reserving.cancel(1)
    reserving.create(2)
    reserving.now += EXPIRY_MS + 1
    reserving.create(3)
    reserving.perform(3)
    assert [event for event, _ in reserving.events()] == [
        "created",
        "released",
        "created",
        "released",
        "created",
        "paid",
    ]


def test_reservation_that_fails_stores_nothing_and_is_asked_for_again(reserving):
    reserving.fails = Failure("the shelf is locked")
    assert code(reserving.create(1)) == -32400
    assert (code(reserving.check(1)), reserving.events()) == (-31003, [])
    reserving.fails = None
    assert reserving.create(1)["result"]["state"] == 1
    assert reserving.events() == [("created", "a")]


def test_top_up_is_reserved_for_each_attempt(reserving):
    for count in (1, 2):
        assert reserving.create(count, "phone", amount=700)["result"]["state"] == 1
    assert reserving.events() == [("created", "phone")] * 2


def says(answer, number, data=None):
    return answer.get("error") == {"code": number, "message": REFUSED, "data": data}


def test_refusal_to_reserve_reaches_payme_and_nothing_is_stored(reserving):
    reserving.fails = Refuse(GONE)
    assert says(reserving.create(1), -31008)
    assert (code(reserving.check(1)), reserving.events()) == (-31003, [])
    assert reserving.state("a") == "waiting"
    reserving.fails = None
    # The order is free: nobody holds it.
    assert reserving.create(2)["result"]["state"] == 1


def test_refusal_to_reserve_leaves_the_expired_attempt_as_it_was(reserving):
    reserving.create(1)
    reserving.now += EXPIRY_MS + 1
    kept = reserving.events()

    def refuse_the_second(event, *ignored):
        if event == "created":
            raise Refuse(GONE)

    with told_first(reserving, refuse_the_second):
        answer = reserving.create(2)
    assert says(answer, -31008)
    assert reserving.check(1)["result"]["state"] == 1
    # The diary of the shop in memory is its own: nobody takes that back.
    assert isinstance(reserving, MemoryShop) or reserving.events() == kept
    assert code(reserving.check(2)) == -31003


@contextmanager
def told_first(shop, listen):
    """Have a shop's hooks call a function before they do anything."""
    owner, name = (shop, "hook") if isinstance(shop, MemoryShop) else (shop.orders, "note")
    real = getattr(owner, name)

    def blocking(*arguments):
        listen(arguments[0] if name == "hook" else arguments[2])
        return real(*arguments)

    if isinstance(shop, MemoryShop):
        shop.merchant._store._shop.orders._hook = blocking
    setattr(owner, name, blocking)
    yield
    setattr(owner, name, real)


def test_refusal_to_hand_over_lets_the_attempt_wait(reserving):
    reserving.create(1)
    reserving.fails = Refuse(GONE, {"shelf": 7})
    assert says(reserving.perform(1), -31008, {"shelf": 7})
    reserving.fails = None
    assert (reserving.check(1)["result"]["state"], reserving.state("a")) == (1, "waiting")
    assert reserving.events() == [("created", "a")]
    assert reserving.cancel(1)["result"]["state"] == -1


def test_refusal_to_take_back_leaves_the_order_paid(reserving):
    reserving.create(1)
    performed = reserving.perform(1)
    reserving.fails = Refuse(GONE)
    assert says(reserving.cancel(1, reason=5), -31007)
    reserving.fails = None
    assert (reserving.check(1)["result"]["state"], reserving.state("a")) == (2, "paid")
    assert reserving.perform(1) == performed
    assert reserving.events() == [("created", "a"), ("paid", "a")]


def test_attempt_that_is_over_can_not_be_refused(reserving):
    reserving.create(1)
    reserving.fails = Refuse(GONE)
    assert code(reserving.cancel(1)) == -32400
    reserving.fails = None
    assert reserving.check(1)["result"]["state"] == 1
    assert reserving.cancel(1)["result"]["state"] == -1


def test_refusal_without_words_has_paymes(reserving):
    reserving.fails = Refuse()
    answer = reserving.create(1)["error"]
    assert (answer["code"], answer["message"]) == (-31008, CANNOT_PERFORM.message._asdict())


@pytest.mark.parametrize("given", [{"message": "sold"}, {"data": object()}])
def test_refusal_that_cannot_be_sent_is_refused_where_it_is_made(given):
    with pytest.raises(InvalidArgument, match=next(iter(given))):
        Refuse(**given)


def test_refusal_in_find_is_answered_by_what_was_asked():
    shop = MemoryShop()
    shop.create(1)
    shop.merchant._store._shop.orders.find = refuse
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    assert says(shop.call("CheckPerformTransaction", **check), -31050, "order_id")
    assert says(shop.create(2), -31008)
    assert says(shop.perform(1), -31008)
    shop.merchant._store._shop.orders.find = shop.find
    assert shop.perform(1)["result"]["state"] == 2
    shop.merchant._store._shop.orders.find = refuse
    assert says(shop.cancel(1, reason=5), -31007)
    assert shop.check(1)["result"]["state"] == 2


def refuse(account):
    raise Refuse(GONE)


def test_reservation_that_swallows_an_error_of_the_database_is_not_answered(shop):
    if shop.engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL gives a transaction up")

    class Swallowing(ShopOrders):
        def created(self, connection, transaction):
            with suppress(sa.exc.SQLAlchemyError):
                connection.execute(sa.text("SELECT nothing FROM nowhere"))

    class AsyncSwallowing(AsyncShopOrders):
        async def created(self, connection, transaction):
            with suppress(sa.exc.SQLAlchemyError):
                await connection.execute(sa.text("SELECT nothing FROM nowhere"))

    rebuilt(shop, Swallowing(), AsyncSwallowing())
    assert code(shop.create(1)) == -32400
    assert code(shop.check(1)) == -31003


RACES = 60


def test_goods_of_an_order_are_reserved_once_when_two_attempts_race(url):
    names = [f"o{index}" for index in range(RACES)]
    with opened(BlockingShop, url, *names) as shop:
        rebuilt(shop, Reserving(), None)
        pairs = [
            (partial(shop.create, 2 * index, name), partial(shop.create, 2 * index + 1, name))
            for index, name in enumerate(names)
        ]
        answers = in_threads(pairs)
        assert [sorted(map(code, pair), key=str) for pair in answers] == [[-31008, None]] * RACES
        assert sorted(shop.events()) == sorted(("created", name) for name in names)


def test_reservation_of_an_attempt_that_comes_twice_at_once_is_made_once(url):
    names = [f"o{index}" for index in range(RACES)]
    with opened(BlockingShop, url, *names) as shop:
        rebuilt(shop, Reserving(), None)
        same = [partial(shop.create, index, name) for index, name in enumerate(names)]
        answers = in_threads([(one, one) for one in same])
        assert all(left == right and code(left) is None for left, right in answers)
        assert sorted(shop.events()) == sorted(("created", name) for name in names)


def test_payme_is_told_what_the_shop_refuses():
    """The whole way of a payment: Payme gives up, and both ledgers agree."""
    refuses = []

    def hook(event, transaction):
        if event in refuses:
            raise Refuse(GONE)

    def find(account):
        return Order(id=str(account["order_id"]), amount=50_000)

    def endpoint(body, headers):
        return 200, merchant.answer(Incoming("POST", body, headers["Authorization"]))

    store = MemoryStore(find, hook, created=partial(hook, "created"))
    merchant = Merchant(store, KEY)
    with Sandbox(merchant=endpoint, merchant_key=KEY) as box:
        payme = Payme(box.merchant_id, box.key, transport=MemoryTransport(box.handle))
        for event in ("created", "paid"):
            refuses[:] = [event]
            receipt = payme.receipts.create(50_000, {"order_id": event})
            with pytest.raises(MerchantRefused) as refused:
                payme.receipts.pay(receipt.id, box.add_card())
            assert says({"error": refused.value.data}, -31008)
            assert payme.receipts.check(receipt.id) == ReceiptState.CANCELLED
        refuses[:] = ["cancelled"]
        receipt = payme.receipts.create(50_000, {"order_id": "cancelled"})
        payme.receipts.pay(receipt.id, box.add_card())
        with pytest.raises(Rejected) as kept:
            payme.receipts.cancel(receipt.id)
        assert says({"error": kept.value.data}, -31007)
        assert payme.receipts.check(receipt.id) == ReceiptState.PAID
        assert not box.merchant.reconcile()
