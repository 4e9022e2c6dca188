"""What Payme created and never performed is cancelled after twelve hours; goods are free."""

import asyncio
from functools import partial

import pytest
from racing import in_threads
from scenarios import KEY, START, Failure, MemoryShop, code
from sqlshop import BlockingShop, opened

from payme.errors import InvalidArgument
from payme.merchant import Expired
from payme.merchant.core import EXPIRY_MS

RACES = 500
NAMES = [f"o{index}" for index in range(RACES)]


@pytest.fixture
def shop(kind, url):
    with opened(kind, url, "a", "b", "c") as shop:
        yield shop


def sweep(shop, **options):
    done = shop.merchant.expire(**options)
    return shop.runner.run(done) if asyncio.iscoroutine(done) else done


def test_only_what_waits_longer_is_cancelled(shop):
    shop.create(1, "a")
    shop.create(2, "b")
    shop.perform(2)
    shop.now += EXPIRY_MS
    assert sweep(shop) == Expired(0, 0, 0)
    shop.create(3, "c")
    shop.now += 1
    assert sweep(shop) == Expired(1, 1, 0)
    assert [shop.check(one)["result"]["state"] for one in (1, 2, 3)] == [-1, 2, 1]
    assert shop.check(1)["result"]["reason"] == 4
    assert shop.check(1)["result"]["cancel_time"] == shop.now
    assert shop.events() == [("paid", "b"), ("released", "a")]
    assert sweep(shop) == Expired(0, 0, 0)
    assert code(shop.perform(1)) == -31008
    assert shop.create(4, "a")["result"]["state"] == 1


def test_sweep_is_of_one_cash_box(shop):
    """Another one may have hooks, a clock or an endpoint of its own."""
    first, other = (
        shop.merchant,
        type(shop.merchant)(shop.store, KEY, clock=lambda: shop.now, box="b"),
    )
    shop.create(1, "a")
    shop.merchant = other
    shop.create(1, "b")
    shop.now += EXPIRY_MS + 1
    assert sweep(shop) == Expired(1, 1, 0)
    assert shop.events() == [("released", "b")]
    shop.merchant = first
    assert sweep(shop) == Expired(1, 1, 0)
    assert shop.events() == [("released", "b"), ("released", "a")]


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
def test_batches_go_through_all_of_the_same_moment(shop, batch):
    for one, name in enumerate(["a", "b", "c", *(f"phone {n}" for n in range(4))]):
        shop.create(one, name, time=START - (one > 4))
    shop.now += EXPIRY_MS + 1
    assert sweep(shop, batch=batch) == Expired(7, 7, 0)


def test_hook_that_fails_stops_no_other_and_is_tried_again(shop, caplog):
    for one, name in enumerate("abc"):
        shop.create(one, name)
    shop.now += EXPIRY_MS + 1
    shop.fails = Failure()
    assert sweep(shop, batch=1) == Expired(3, 0, 3)
    assert "was not cancelled" in caplog.text
    assert [shop.check(one)["result"]["state"] for one in range(3)] == [1, 1, 1]
    assert shop.events() == []
    shop.fails = None
    assert sweep(shop) == Expired(3, 3, 0)


def test_memory_store_is_swept_too():
    shop = MemoryShop()
    shop.create(1)
    shop.create(2, "b")
    shop.now += EXPIRY_MS + 1
    assert shop.merchant.expire(batch=1) == Expired(2, 2, 0)
    assert shop.events() == [("released", "a"), ("released", "b")]


@pytest.mark.parametrize("wrong", [0, -1, True, "5", 1.0])
def test_batch_is_checked(wrong):
    with pytest.raises(InvalidArgument, match=r"batch: got .* a positive whole number"):
        MemoryShop().merchant.expire(batch=wrong)


@pytest.mark.slow
def test_perform_at_the_last_moment_and_a_sweep_agree(url):
    """Perform comes in time by its clock; the sweep, by another, a millisecond later."""
    with opened(BlockingShop, url, *NAMES) as shop, opened(BlockingShop, url) as sweeper:
        for index, name in enumerate(NAMES):
            shop.create(index, name, time=START + index)

        def perform(index):
            shop.now = START + index + EXPIRY_MS
            return shop.perform(index)

        def expire(index):
            sweeper.now = START + index + EXPIRY_MS + 1
            return sweeper.merchant.expire()

        races = [(partial(perform, index), partial(expire, index)) for index in range(RACES)]
        answers = in_threads(races)
        told = dict(zip(NAMES, ([] for _ in NAMES), strict=True))
        for event, name in shop.events():
            told[name].append(event)
        wins = 0
        for name, (performed, swept) in zip(NAMES, answers, strict=True):
            paid = "result" in performed
            wins += paid
            assert swept.failed == 0
            assert (told[name], swept.expired) == ((["paid"], 0) if paid else (["released"], 1))
            assert shop.state(name) == ("paid" if paid else "waiting")
        assert wins > 0


def test_two_sweeps_cancel_each_transaction_once(url):
    with opened(BlockingShop, url, *NAMES[:100]) as shop:
        for index, name in enumerate(NAMES[:100]):
            shop.create(index, name)
        shop.now += EXPIRY_MS + 1
        ((left, right),) = in_threads([(shop.merchant.expire,) * 2])
        assert left.expired + right.expired == 100
        assert (left.failed, right.failed) == (0, 0)
        assert sorted(shop.events()) == sorted(("released", name) for name in NAMES[:100])
