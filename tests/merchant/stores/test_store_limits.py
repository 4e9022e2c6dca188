"""A request that waits too long ends with -32400 and nothing stored; the shop's pages go on."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from racing import Ask
from scenarios import MemoryShop, code
from sqlshop import AsyncShop, BlockingShop, opened, orders

from payme.errors import InvalidArgument
from payme.merchant import Limits
from payme.merchant.limits import Deadline, Turns
from payme.merchant.stores.memory import MemoryStore
from payme.merchant.stores.watch import cancelling

QUICK = Limits(request_timeout=2.4, lock_timeout=0.3, statement_timeout=1.2)
SLOW = 4.0
"""Seconds that nobody should have to wait."""


@contextmanager
def limited(kind, url, limits, *names, **options):
    with opened(kind, url, *names, **options) as shop:
        engine = shop.engine if kind is BlockingShop else shop.async_engine
        shop.store = type(shop.store)(engine, shop.orders, limits=limits)
        shop.merchant._store = shop.store
        yield shop


@contextmanager
def locked(shop, name):
    """Hold an order's row, as somebody at the shop who changes it."""
    with shop.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.execute(sa.update(orders).where(orders.c.id == name).values(state="waiting"))
        yield
        connection.rollback()


@contextmanager
def within(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def test_row_that_somebody_holds_ends_the_request_and_a_repetition_pays(kind, url):
    with limited(kind, url, QUICK, "a") as shop:
        shop.create(1)
        # Before the statement's own end: it is the lock that is not waited for. MariaDB counts
        # whole seconds.
        slow = url.startswith(("mysql", "mariadb"))
        with locked(shop, "a"), within(QUICK.request_timeout if slow else QUICK.statement_timeout):
            assert code(shop.perform(1)) == -32400
        assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
        assert shop.perform(1)["result"]["state"] == 2
        assert shop.events() == [("paid", "a")]


class Sleeper:
    """Makes the hook of a shop wait in the way that a test chooses."""

    def __init__(self, shop, statement=None, seconds=0.0):
        self.statement, self.seconds = statement, seconds
        shop.orders.between = self.wait if isinstance(shop, BlockingShop) else self.await_

    def wait(self, connection):
        time.sleep(self.seconds)
        if self.statement:
            connection.exec_driver_sql(self.statement)

    async def await_(self, connection):
        await asyncio.sleep(self.seconds)
        if self.statement:
            await connection.exec_driver_sql(self.statement)


@pytest.mark.slow
def test_slow_statement_of_a_hook_is_ended_by_the_database(kind, postgres_db):
    with limited(kind, postgres_db, QUICK, "a") as shop:
        shop.create(1)
        Sleeper(shop, "SELECT pg_sleep(60)")
        with within(QUICK.request_timeout):
            assert code(shop.perform(1)) == -32400
        Sleeper(shop)
        assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.slow
def test_slow_statement_of_find_outside_a_transaction_is_cancelled(kind, postgres_db):
    with limited(kind, postgres_db, QUICK, "a") as shop:
        find = shop.orders.find
        slow = sa.text("SELECT pg_sleep(60)")
        if kind is BlockingShop:
            shop.orders.find = lambda c, account: c.execute(slow) and find(c, account)
        else:

            async def find_slowly(connection, account):
                await connection.execute(slow)
                return await find(connection, account)

            shop.orders.find = find_slowly
        with within(SLOW):
            account = {"account": {"order_id": "a"}, "amount": 50_000}
            assert code(shop.call("CheckPerformTransaction", **account)) == -32400
        shop.orders.find = find
        assert shop.call("CheckPerformTransaction", **account)["result"] == {"allow": True}


@pytest.mark.slow
def test_slow_hook_under_asyncio_is_interrupted(url):
    with limited(AsyncShop, url, QUICK, "a") as shop:
        shop.create(1)
        Sleeper(shop, seconds=60)
        with within(SLOW):
            assert code(shop.perform(1)) == -32400
        Sleeper(shop)
        assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
        assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.slow
def test_slow_hook_in_a_thread_is_late_and_stores_nothing(url):
    with limited(BlockingShop, url, QUICK, "a") as shop:
        shop.create(1)
        Sleeper(shop, seconds=QUICK.request_timeout + 0.2)
        assert code(shop.perform(1)) == -32400
        Sleeper(shop)
        assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
        assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.slow
def test_postgresql_frees_what_a_hook_that_does_not_return_had_locked(postgres_db):
    with limited(BlockingShop, postgres_db, QUICK, "a") as shop:
        shop.create(1)
        Sleeper(shop, seconds=SLOW)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(shop.perform, 1)
            time.sleep(0.5)
            change = sa.update(orders).where(orders.c.id == "a").values(state="waiting")
            with within(QUICK.request_timeout + 0.7), shop.engine.begin() as connection:
                connection.execute(change)
            assert code(answer.result()) == -32400


@pytest.mark.parametrize("name", ["lock_timeout", "statement_timeout"])
def test_limits_of_the_transaction_are_gone_with_it(kind, postgres_db, name):
    """The connection is the shop's too, for which Payme's limits may be too short."""
    with limited(kind, postgres_db, QUICK, "a", pool_size=1, max_overflow=0) as shop:
        shop.create(1)
        shop.perform(1)
        if kind is BlockingShop:
            with shop.engine.connect() as connection:
                assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "0"


def test_busy_timeout_of_sqlite_is_set_back(tmp_path):
    with limited(BlockingShop, f"sqlite:///{tmp_path / 'a.db'}", QUICK, "a", pool_size=1) as shop:
        shop.create(1)
        shop.perform(1)
        with shop.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


@pytest.mark.slow
def test_page_of_the_shop_is_served_while_twenty_requests_wait(postgres_db):
    limits = Limits(request_timeout=2, lock_timeout=2)
    options = {"pool_size": 3, "max_overflow": 1, "pool_timeout": 10}
    with limited(BlockingShop, postgres_db, limits, "a", **options) as shop:
        shop.create(1)
        with ThreadPoolExecutor(20) as pool, locked_elsewhere(shop, "a"):
            waiting = [pool.submit(shop.perform, 1) for _ in range(20)]
            time.sleep(0.5)
            with within(0.5), shop.engine.connect() as connection:
                assert connection.scalar(sa.select(sa.func.count()).select_from(orders))
            with within(limits.request_timeout + 2):
                assert {code(one.result()) for one in waiting} == {-32400}
        assert shop.perform(1)["result"]["state"] == 2


@contextmanager
def locked_elsewhere(shop, name):
    """Hold the row on a connection that is not of the pool."""
    other = sa.create_engine(shop.engine.url)
    with other.connect() as connection:
        connection.execute(sa.select(orders).where(orders.c.id == name).with_for_update())
        yield
    other.dispose()


@pytest.mark.slow
def test_page_of_the_shop_is_served_while_twenty_tasks_wait(postgres_db):
    limits = Limits(request_timeout=2, lock_timeout=2)
    options = {"pool_size": 3, "max_overflow": 1, "pool_timeout": 10}

    async def together(shop):
        ask = Ask(shop.merchant).ask
        waiting = asyncio.gather(*(ask("PerformTransaction", id=f"{1:024x}") for _ in range(20)))
        await asyncio.sleep(0.5)
        with within(0.5):
            async with shop.async_engine.connect() as connection:
                assert await connection.scalar(sa.select(sa.func.count()).select_from(orders))
        return await waiting

    with limited(AsyncShop, postgres_db, limits, "a", **options) as shop:
        shop.create(1)
        with locked_elsewhere(shop, "a"), within(limits.request_timeout + 2):
            answers = shop.runner.run(together(shop))
        assert {code(answer) for answer in answers} == {-32400}
        assert shop.perform(1)["result"]["state"] == 2


class Crowd:
    """Threads that take turns, each for some time; knows how many have one at once."""

    def __init__(self, at_once=None):
        self.turns = Turns(at_once)
        self.inside, self.most = 0, 0
        self.lock = threading.Lock()

    def work(self, seconds):
        with self.turns.taken(Deadline(Limits())):
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            time.sleep(seconds)
            with self.lock:
                self.inside -= 1


def test_threads_whose_work_is_short_come_one_by_one(monkeypatch):
    monkeypatch.setattr("payme.merchant.limits.ALONE", 10)
    crowd = Crowd()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(crowd.work, [0.005] * 40))
    assert (crowd.most, crowd.inside) == (1, 0)


def test_nobody_waits_for_one_that_takes_its_time(monkeypatch):
    monkeypatch.setattr("payme.merchant.limits.ALONE", 0.03)
    crowd = Crowd()
    with ThreadPoolExecutor(4) as pool, within(1.5):
        list(pool.map(crowd.work, [1.0] * 4))
    assert crowd.most == 4
    monkeypatch.setattr("payme.merchant.limits.ALONE", 10)
    with within(1):
        crowd.work(0)  # whoever did not wait has not let go what others have


def test_what_raises_lets_the_next_one_in(monkeypatch):
    monkeypatch.setattr("payme.merchant.limits.ALONE", 10)
    crowd = Crowd(at_once=1)
    with pytest.raises(TypeError):
        crowd.work("no time")
    with within(1):
        crowd.work(0)


def test_memory_store_keeps_the_limit_too():
    shop = MemoryShop()
    slow = threading.Event()

    def hook(event, transaction):
        slow.wait(0.3)
        shop.hook(event, transaction)

    shop.merchant._store = MemoryStore(shop.find, hook, limits=Limits(request_timeout=0.2))
    shop.create(1)
    assert code(shop.perform(1)) == -32400
    assert shop.check(1)["result"]["state"] == 1
    slow.set()
    shop.orders["a"] = "waiting"
    assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.parametrize("name", ["request_timeout", "lock_timeout", "statement_timeout"])
@pytest.mark.parametrize("wrong", [0, -1, "5", True, float("nan"), float("inf"), None])
def test_limit_that_is_no_number_of_seconds_is_refused(name, wrong):
    with pytest.raises(InvalidArgument, match=rf"Limits\.{name}.*a positive number of seconds"):
        Limits(**{name: wrong})


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "5", True])
def test_number_of_requests_at_once_is_checked(wrong):
    with pytest.raises(InvalidArgument, match=r"Limits\.at_once.*positive whole number"):
        Limits(at_once=wrong)


def test_limits_of_another_kind_are_refused():
    with pytest.raises(InvalidArgument, match=r"limits: got 'int', expected payme\.merchant"):
        MemoryStore(lambda account: None, print, limits=5)


def test_waiting_is_never_longer_than_the_request():
    limits = Limits(request_timeout=2)
    assert (limits.lock_timeout, limits.statement_timeout) == (2, 2)


class Driver:
    def __init__(self):
        self.cancelled = 0

    def cancel(self):
        self.cancelled += 1


@pytest.mark.parametrize("takes", [0.0, 0.3])
def test_only_what_is_still_running_is_cancelled(takes):
    from payme.merchant.limits import Deadline

    driver, dropped = Driver(), []
    deadline = Deadline(Limits(request_timeout=0.1))
    with cancelling(driver, deadline, lambda: dropped.append(driver)) as watched:
        time.sleep(takes)
    time.sleep(0.3)
    assert dropped == ([driver] if takes else [])
    assert (driver.cancelled, watched.fired) == ((1, True) if takes else (0, False))
