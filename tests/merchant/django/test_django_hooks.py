"""What a shop in Django is told and may refuse."""

import pytest
from django.test import override_settings
from scenarios import KEY
from shopfront.orders import Orders

from payme.merchant import Merchant
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
