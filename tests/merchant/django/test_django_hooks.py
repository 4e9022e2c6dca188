"""What a shop in Django is told and may refuse."""

import pytest
from django.test import override_settings
from scenarios import KEY, code
from shopfront.orders import Orders

from payme.errors import ConfigurationError
from payme.errors.catalogue import Text
from payme.merchant import Merchant, Refuse
from payme.merchant.core import EXPIRY_MS
from payme.merchant.django.checks import check_settings
from payme.merchant.django.store import DjangoStore


class Curious(Orders):
    asked = []  # noqa: RUF012

    def find(self, account, method):
        Curious.asked.append(method)
        return super().find(account)


class Greedy(Orders):
    def find(self, account, flavour):
        return super().find(account)


@pytest.fixture
def served_by(shop):
    """A shop that is served by other orders."""

    def made(orders, **options):
        store = DjangoStore(orders)
        merchant = Merchant(store, KEY, clock=lambda: shop.now, **options)
        shop.answer = merchant.answer
        return shop

    return made


def test_find_is_told_which_request_asks(served_by):
    Curious.asked.clear()
    shop = served_by(Curious())
    shop.call("CheckPerformTransaction", amount=50_000, account={"order_id": "a"})
    shop.create(1)
    shop.perform(1)
    assert shop.cancel(1, reason=5)["result"]["state"] == -2
    assert Curious.asked == [
        "CheckPerformTransaction",
        "CreateTransaction",
        "PerformTransaction",
        "CancelTransaction",
    ]


def test_find_that_cannot_be_called_is_an_error_of_the_settings(alias):
    with override_settings(PAYME={"KEYS": [KEY], "ORDERS": f"{__name__}.Greedy"}):
        (error,) = check_settings()
    assert error.id == "payme.E003"
    assert "flavour" in error.msg


GONE = Text("Oxirgisi sotildi.", "Последний продан.", "The last one was sold.")


class Reserving(Orders):
    def created(self, transaction):
        self._note("created", transaction)


def says(answer, number):
    return answer.get("error") == {"code": number, "message": GONE._asdict(), "data": None}


def test_goods_are_reserved_once_and_freed(served_by):
    shop = served_by(Reserving())
    first = shop.create(1)
    assert shop.create(1) == first
    shop.cancel(1)
    shop.create(2)
    shop.now += EXPIRY_MS + 1
    shop.create(3)
    assert [event for event, _ in shop.events()] == [
        "created",
        "released",
        "created",
        "released",
        "created",
    ]


def test_refusal_reaches_payme_and_what_was_before_stands(served_by):
    shop = served_by(Reserving())
    shop.fails = Refuse(GONE)
    assert says(shop.create(1), -31008)
    assert (code(shop.check(1)), shop.events()) == (-31003, [])
    shop.fails = None
    shop.create(1)
    shop.fails = Refuse(GONE)
    assert says(shop.perform(1), -31008)
    assert (shop.check(1)["result"]["state"], shop.state("a")) == (1, "waiting")
    shop.fails = None
    shop.perform(1)
    shop.fails = Refuse(GONE)
    assert says(shop.cancel(1, reason=5), -31007)
    assert (shop.check(1)["result"]["state"], shop.state("a")) == (2, "paid")
    assert shop.events() == [("created", "a"), ("paid", "a")]


class Awaiting(Orders):
    async def created(self, transaction):
        pass


def test_hook_that_is_a_coroutine_is_an_error_of_the_settings(alias):
    with override_settings(PAYME={"KEYS": [KEY], "ORDERS": f"{__name__}.Awaiting"}):
        (error,) = check_settings()
    assert (error.id, "created" in error.msg) == ("payme.E003", True)


def test_function_in_the_settings_says_which_keys_are_accepted(shop):
    accepted = [KEY]
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    with override_settings(
        PAYME={"KEYS": lambda: accepted, "ORDERS": "shopfront.orders.Orders", "TELEMETRY": True}
    ):
        assert shop.call("CheckPerformTransaction", **check)["result"] == {"allow": True}
        accepted[:] = [KEY[::-1]]
        assert code(shop.call("CheckPerformTransaction", **check)) == -32504
        accepted.clear()
        assert code(shop.call("CheckPerformTransaction", **check)) == -32400


def test_orders_that_are_none_or_a_class_are_refused_by_name():
    with pytest.raises(ConfigurationError, match="orders: got NoneType, expected an object with"):
        DjangoStore(None)
    with pytest.raises(ConfigurationError, match=r"orders: got the class Orders, .+ Orders\(\)"):
        DjangoStore(Orders)
    with pytest.raises(ConfigurationError, match=r"^find: got"):
        DjangoStore(Greedy())
