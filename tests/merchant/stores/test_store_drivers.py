"""The drivers that most shops have, psycopg2 and asyncpg; all tests run on them with an option.

`PAYME_TEST_DRIVERS=other` has every test of a store on PostgreSQL use them.
"""

import pytest
from scenarios import code
from sqlshop import OTHER_DRIVERS, AsyncShop, opened
from test_store_limits import QUICK, limited, locked, within
from test_store_sqlalchemy import NO_TABLE, ROLLBACK, in_a_hook, swallow


@pytest.fixture
def other(postgres_db):
    return postgres_db.replace("postgresql://", OTHER_DRIVERS)


def test_whole_payment_and_its_refund(kind, other):
    with opened(kind, other, "a") as shop:
        driver = (shop.async_engine if kind is AsyncShop else shop.engine).dialect.driver
        assert driver == ("asyncpg" if kind is AsyncShop else "psycopg2")
        account = {"account": {"order_id": "a"}, "amount": 50_000}
        assert shop.call("CheckPerformTransaction", **account)["result"] == {"allow": True}
        for act, state in (
            (lambda: shop.create(1), 1),
            (lambda: shop.create(1), 1),
            (lambda: shop.perform(1), 2),
            (lambda: shop.perform(1), 2),
            (lambda: shop.check(1), 2),
            (lambda: shop.cancel(1, reason=5), -2),
        ):
            assert act()["result"]["state"] == state
        assert shop.events() == [("paid", "a"), ("cancelled", "a")]
        period = {"from": shop.now - 1, "to": shop.now + 1}
        (row,) = shop.call("GetStatement", **period)["result"]["transactions"]
        assert (row["state"], row["account"]) == (-2, account["account"])


@pytest.mark.parametrize("statement", [NO_TABLE, ROLLBACK])
def test_hook_that_spoils_the_transaction_is_noticed(kind, other, statement):
    with opened(kind, other, "a") as shop:
        shop.create(1)
        in_a_hook(shop, swallow(statement))
        assert code(shop.perform(1)) == -32400
        del shop.orders.between
        assert (shop.check(1)["result"]["state"], shop.state("a"), shop.events()) == (
            1,
            "waiting",
            [],
        )
        assert shop.perform(1)["result"]["state"] == 2


def test_order_that_another_transaction_reserves_is_not_taken(kind, other):
    with opened(kind, other, "a") as shop:
        assert shop.create(1)["result"]["state"] == 1
        assert code(shop.create(2)) == -31008


def test_row_that_somebody_holds_ends_the_request_and_a_repetition_pays(kind, other):
    with limited(kind, other, QUICK, "a") as shop:
        shop.create(1)
        with locked(shop, "a"), within(QUICK.request_timeout):
            assert code(shop.perform(1)) == -32400
        assert shop.perform(1)["result"]["state"] == 2
