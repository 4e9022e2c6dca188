"""A job that a hook stores is run at least once after the commit, and never for nothing."""

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from scenarios import Failure, code
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlshop import BlockingShop, opened

from payme.errors import InvalidArgument
from payme.merchant import outbox as rules
from payme.merchant.outbox import Relayed
from payme.merchant.stores.sqlalchemy.outbox import (
    AsyncSqlAlchemyOutbox,
    SqlAlchemyOutbox,
    jobs,
)


class Boxed:
    """A shop whose hooks store a job, and what the jobs did."""

    def __init__(self, shop, **options):
        self.shop = shop
        self.ran = []
        self.fails = None
        self.blocking = isinstance(shop, BlockingShop)
        if self.blocking:
            self.outbox = SqlAlchemyOutbox(shop.engine, **options)
            self.outbox.create_all()
            shop.orders.between = self.store
        else:
            self.outbox = AsyncSqlAlchemyOutbox(shop.async_engine, **options)
            shop.runner.run(self.outbox.create_all())
            shop.orders.between = self.astore
        self.outbox.job("send")(self.send if self.blocking else self.asend)

    def store(self, connection):
        self.outbox.add(connection, "send", order="a")

    async def astore(self, connection):
        await self.outbox.add(connection, "send", order="a")

    def send(self, order):
        if self.fails:
            raise self.fails
        self.ran.append(order)

    async def asend(self, order):
        await asyncio.sleep(0)
        self.send(order)

    def relay(self, **options):
        done = self.outbox.relay(**options)
        return done if self.blocking else self.shop.runner.run(done)

    def waiting(self):
        return [row.name for row in self.shop.rows(sa.select(jobs))]


@pytest.fixture
def boxed(kind, url):
    with opened(kind, url, "a", "b") as shop:
        yield Boxed(shop)


def test_job_of_a_payment_is_run_once_it_is_stored(boxed):
    boxed.shop.create(1)
    boxed.shop.perform(1)
    assert (boxed.ran, boxed.waiting()) == ([], ["send"])
    assert boxed.relay() == Relayed(done=1, failed=0)
    assert (boxed.ran, boxed.waiting()) == (["a"], [])
    boxed.shop.perform(1)
    assert boxed.relay() == Relayed(0, 0)


def test_payment_that_is_rolled_back_leaves_no_job(boxed):
    boxed.shop.create(1)
    boxed.shop.fails = Failure()
    assert code(boxed.shop.perform(1)) == -32400
    assert boxed.waiting() == []


def test_job_that_raises_is_tried_again_later(boxed, monkeypatch, caplog):
    boxed.shop.create(1)
    boxed.shop.perform(1)
    boxed.fails = Failure("secret")
    now = rules.now_ms()
    monkeypatch.setattr(rules, "now_ms", lambda: now)
    for wait in (5_000, 10_000, 20_000):
        assert boxed.relay() == Relayed(0, 1)
        assert boxed.relay() == Relayed(0, 0)
        now += wait - 1
        assert boxed.relay() == Relayed(0, 0)
        now += 1
    assert "the job 'send' failed, attempt 3" in caplog.text
    boxed.fails = None
    assert boxed.relay() == Relayed(1, 0)


def test_job_that_this_version_does_not_know_waits(boxed):
    boxed.shop.create(1)
    boxed.shop.perform(1)
    function = boxed.outbox._functions.pop("send")
    assert boxed.relay() == Relayed(0, 1)
    boxed.outbox.job("send")(function)
    assert boxed.waiting() == ["send"]


def test_batches_go_on_until_nothing_is_due(boxed):
    for one in range(5):
        boxed.shop.create(one, f"phone {one}")
        boxed.shop.perform(one)
    assert boxed.relay(batch=2) == Relayed(5, 0)
    assert len(boxed.ran) == 5


def test_two_relays_run_each_job_once(postgres_db):
    with opened(BlockingShop, postgres_db, "a") as shop:
        boxed = Boxed(shop)
        with shop.engine.begin() as connection:
            for one in range(100):
                boxed.outbox.add(connection, "send", order=one)
        gate = threading.Barrier(2)

        def relay(_):
            gate.wait(30)
            return boxed.relay().done

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(relay, range(2))) == 100
        assert sorted(boxed.ran) == list(range(100))


def in_a_child_that_is_killed(act):
    """Fork, and let the child kill itself with SIGKILL."""
    process = os.fork()
    if process == 0:
        try:
            act()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
def test_kill_nine_around_the_commit(url, when):
    with opened(BlockingShop, url, "a") as shop:
        Boxed(shop)
        shop.create(1)
        shop.engine.dispose()

        def pay():
            with opened(BlockingShop, url) as mine:
                boxed = Boxed(mine)
                if when == "before the commit":
                    after = boxed.store

                    def store_and_die(connection):
                        after(connection)
                        os.kill(os.getpid(), signal.SIGKILL)

                    mine.orders.between = store_and_die
                mine.perform(1)
                os.kill(os.getpid(), signal.SIGKILL)

        in_a_child_that_is_killed(pay)
        boxed = Boxed(shop)
        if when == "before the commit":
            assert (shop.check(1)["result"]["state"], boxed.relay()) == (1, Relayed(0, 0))
        else:
            assert (shop.check(1)["result"]["state"], boxed.relay()) == (2, Relayed(1, 0))


def test_relay_that_is_killed_in_a_job_leaves_it_to_the_next_one_after_the_lease(url, monkeypatch):
    with opened(BlockingShop, url, "a") as shop:
        boxed = Boxed(shop, lease=60)
        shop.create(1)
        shop.perform(1)
        shop.engine.dispose()

        def relay():
            with opened(BlockingShop, url) as mine:
                other = Boxed(mine, lease=60)
                other.outbox._functions["send"] = lambda order: os.kill(os.getpid(), signal.SIGKILL)
                other.relay()

        in_a_child_that_is_killed(relay)
        assert boxed.relay() == Relayed(0, 0)
        later = rules.now_ms() + 61_000
        monkeypatch.setattr(rules, "now_ms", lambda: later)
        assert boxed.relay() == Relayed(1, 0)
        assert boxed.ran == ["a"]


def test_session_of_the_orm_takes_a_job_too(url):
    with opened(BlockingShop, url, "a") as shop:
        boxed = Boxed(shop)
        with Session(shop.engine) as session:
            boxed.outbox.add(session, "send", order="x")
            session.rollback()
            boxed.outbox.add(session, "send", order="y")
            session.commit()
        assert (boxed.relay().done, boxed.ran) == (1, ["y"])


@pytest.mark.parametrize("wrong", [{"order": object()}, {"order": {1, 2}}, {"order": (1, 2)}])
def test_arguments_that_would_not_come_back_are_refused_and_not_shown(boxed, wrong):
    with pytest.raises(InvalidArgument, match="arguments: got 'order', expected JSON values"):
        rules.new("send", wrong)


@pytest.mark.parametrize("wrong", ["", "x" * 101, "a\nb", 5, None])
def test_name_is_checked(wrong):
    with pytest.raises(InvalidArgument, match="name: got"):
        rules.new(wrong, {})


def test_name_is_given_once(boxed):
    with pytest.raises(InvalidArgument, match="a name that no other job has"):
        boxed.outbox.job("send")


@pytest.fixture
def outbox():
    return SqlAlchemyOutbox(sa.create_engine("sqlite://"))


@pytest.mark.parametrize("wrong", [None, "send", 5])
def test_job_that_is_no_function_is_refused(outbox, wrong):
    with pytest.raises(InvalidArgument, match=r"function: got .+, expected a function"):
        outbox.job("other")(wrong)


def test_connection_of_another_kind_is_refused_and_not_only_forgotten(outbox):
    """A blocking outbox would make a coroutine that nobody awaits: the job would be lost."""

    class Connection:
        def execute(self, statement):
            raise AssertionError

    class AsyncConnection:
        async def execute(self, statement):
            raise AssertionError

    awaited = AsyncSqlAlchemyOutbox(create_async_engine("sqlite+aiosqlite://"))
    for wrong in (AsyncConnection(), outbox._engine, None, "send"):
        with pytest.raises(InvalidArgument, match=f"connection: got '{type(wrong).__name__}', exp"):
            outbox.add(wrong, "send", order="a")
    for wrong in (Connection(), awaited._engine, None, "send"):
        with pytest.raises(InvalidArgument, match=f"connection: got '{type(wrong).__name__}', exp"):
            asyncio.run(awaited.add(wrong, "send", order="a"))


def test_coroutine_is_refused_as_a_job_of_a_blocking_outbox(outbox):
    async def send():
        raise AssertionError

    with pytest.raises(InvalidArgument, match="function: got 'async def send', expected `def`"):
        outbox.job("send")(send)


def test_coroutine_in_a_blocking_outbox_is_no_success(url):
    with opened(BlockingShop, url, "a") as shop:
        boxed = Boxed(shop)
        boxed.outbox._functions["send"] = boxed.asend
        shop.create(1)
        shop.perform(1)
        assert boxed.relay() == Relayed(0, 1)


def test_engine_of_the_other_kind_is_refused(tmp_path):
    engine = sa.create_engine("sqlite://")
    with pytest.raises(InvalidArgument, match="engine: got 'Engine', expected an AsyncEngine"):
        AsyncSqlAlchemyOutbox(engine)
    with pytest.raises(InvalidArgument, match="engine: got 'AsyncEngine'"):
        SqlAlchemyOutbox(create_async_engine("sqlite+aiosqlite://"))


def test_procrastinate_stores_its_job_with_the_payment(kind, postgres_db):
    procrastinate = pytest.importorskip("procrastinate")
    from payme.merchant.engines.procrastinate import defer, defer_async

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=postgres_db))
    ran = []

    @app.task(name="send")
    async def send(order):
        ran.append(order)

    async def run(*, schema=False):
        async with app.open_async():
            if schema:
                await app.schema_manager.apply_schema_async()
            await app.run_worker_async(wait=False, install_signal_handlers=False)

    with opened(kind, postgres_db, "a", "b") as shop:
        asyncio.run(run(schema=True))
        if kind is BlockingShop:
            shop.orders.between = lambda connection: defer(connection, send, order="a")
        else:
            shop.orders.between = lambda connection: defer_async(connection, send, order="a")
        shop.create(1)
        shop.fails = Failure()
        assert code(shop.perform(1)) == -32400
        count = sa.text("SELECT count(*) FROM procrastinate_jobs")
        assert shop.rows(count) == [(0,)]
        shop.fails = None
        shop.perform(1)
        assert shop.rows(count) == [(1,)]
        asyncio.run(run())
        assert ran == ["a"]


def test_procrastinate_refuses_what_is_no_connection_of_psycopg():
    pytest.importorskip("procrastinate")
    from payme.merchant.engines.procrastinate import defer

    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection, pytest.raises(InvalidArgument, match="on psycopg"):
        defer(connection, None)
    engine.dispose()
    with pytest.raises(InvalidArgument, match="connection: got 'int'"):
        defer(5, None)
