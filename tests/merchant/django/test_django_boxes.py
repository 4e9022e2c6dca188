"""Two cash-boxes in one database of Django's."""

import base64
import copy
from contextlib import contextmanager

import pytest
from cash_boxes import SECOND, every_box_scenario
from django.db import transaction
from django.test import override_settings
from scenarios import KEY, code, number
from shopfront.orders import Orders

from payme.merchant import Merchant
from payme.merchant.django.checks import check_database, check_settings
from payme.merchant.django.configuration import configured
from payme.merchant.django.models import Transaction
from payme.merchant.django.store import DjangoStore


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


@every_box_scenario
def test_in_django(scenario, shop):
    scenario(shop, beside(shop), DjangoStore(Orders()).transactions_of)


@every_box_scenario
def test_on_mariadb(scenario, mariadb_shop):
    scenario(mariadb_shop, beside(mariadb_shop), DjangoStore(Orders()).transactions_of)


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
        ({"BOXES": {}}, "BOXES: expected"),
        ({"BOXES": [FIRST]}, "BOXES: expected"),
        ({"BOXES": {FIRST: KEY}}, "is no dict"),
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
