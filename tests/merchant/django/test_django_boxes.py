"""Two cash-boxes in one database of Django's."""

import copy

from cash_boxes import SECOND, every_box_scenario
from django.db import transaction
from scenarios import KEY
from shopfront.orders import Orders

from payme.merchant import Merchant
from payme.merchant.django.store import DjangoStore


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
