"""Every scenario on every store: memory, SQLite and PostgreSQL, blocking and asyncio."""

import pytest
from scenarios import MemoryShop, code, every_scenario, number
from sqlshop import opened

from payme.merchant.core import EXPIRY_MS


@every_scenario
def test_in_memory(scenario):
    scenario(MemoryShop())


@every_scenario
def test_in_a_database(scenario, shop):
    scenario(shop)


def test_everything_is_there_after_a_restart(kind, url):
    with opened(kind, url, "a") as shop:
        first = shop.create(1)
        performed = shop.perform(1)
    with opened(kind, url) as shop:
        assert shop.check(1)["result"]["create_time"] == first["result"]["create_time"]
        assert shop.perform(1) == performed
        assert shop.events() == [("paid", "a")]
        assert [row["id"] for row in shop.statement()] == [number(1)]


@pytest.mark.parametrize("failure", [StopIteration(), StopAsyncIteration(), GeneratorExit()])
def test_iteration_that_ends_in_a_hook_does_not_end_the_flow(shop, failure):
    shop.create(1)
    shop.fails = failure
    if isinstance(failure, Exception):
        assert code(shop.perform(1)) == -32400
    else:
        with pytest.raises(type(failure)):
            shop.perform(1)
    shop.fails = None
    assert (shop.check(1)["result"]["state"], shop.state("a"), shop.events()) == (1, "waiting", [])


def test_hook_that_fails_beside_an_odd_account_takes_everything_back(shop):
    """The account is blamed for what `find` raises, and for nothing else."""
    shop.create(1)
    shop.now += EXPIRY_MS + 1
    shop.fails = KeyError("no goods")
    odd = {"order_id": "a", "note": "\0"}
    assert code(shop.create(2, account=odd)) == -32400
    shop.fails = None
    assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
    assert shop.create(2, account=odd)["result"]["state"] == 1
