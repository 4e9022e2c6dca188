"""Subscriptions on Procrastinate: in this process, and with workers that are killed."""

import asyncio
import multiprocessing
from datetime import UTC, datetime
from random import Random

import psycopg
import pytest
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from charges.killing import MERCHANT, PAYME_KEY, wait_for
from charges.ledgers import KEY
from charges.procrastinate_worker import WORKER
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, SqlLedger
from payme.errors import ConfigurationError, InvalidArgument
from payme.recurring import AsyncRecurring, PeriodState, Recurring
from payme.recurring.engines.procrastinate import ProcrastinateRecurringEngine
from payme.sandbox import Sandbox
from recurring.club_books import HOUR, START, Club
from recurring.club_worker import work_jobs
from recurring.conftest import empty

PRICE = 5_000_000
MARCH = datetime(2026, 2, 28, 6, tzinfo=UTC).timestamp()
BOTH = pytest.mark.parametrize("style", ["threads", "asyncio"])


@pytest.fixture(scope="module")
def jobs(postgres):
    """URL of a database with the tables of Procrastinate's."""
    with App(connector=SyncPsycopgConnector(conninfo=postgres)).open() as app:
        app.schema_manager.apply_schema()
    return postgres


@pytest.fixture
def url(jobs):
    empty(jobs)
    with psycopg.connect(jobs, autocommit=True) as connection:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    return jobs


class World:
    """A club with an app of Procrastinate's, and the sandbox behind it."""

    def __init__(self, url, sandbox):
        self.url, self.sandbox = url, sandbox
        self.now = START
        self.ledger = SqlLedger(url, keys=[KEY])
        self.client = Payme(sandbox.merchant_id, PAYME_KEY, base_url=sandbox.url, proxy="")
        self.charges = Charges(self.client, self.ledger)
        self.recurring = Recurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()
        self.recurring.create("club-17", PRICE, {"member": 17}, sandbox.add_card(), missed="latest")

    def engine(self, make):
        app = App(connector=PsycopgConnector(conninfo=self.url, min_size=1, max_size=3))
        # Its own time to tick never comes: a test says when.
        return ProcrastinateRecurringEngine(app, make, cron="0 0 1 1 *")

    def work(self, style, act=None):
        """Run a worker until it is caught up, after `act` has deferred what it does."""

        async def run():
            made = []

            def make():
                if style == "threads":
                    return self.recurring
                client = AsyncPayme(
                    self.sandbox.merchant_id, PAYME_KEY, base_url=self.sandbox.url, proxy=""
                )
                ledger = AsyncSqlLedger(self.url, keys=[KEY])
                made.extend([client.aclose, ledger.close])
                return AsyncRecurring(AsyncCharges(client, ledger), now=lambda: self.now)

            engine = self.engine(make)
            app = engine.tick.blueprint
            async with app.open_async():
                await act(engine)
                await app.run_worker_async(install_signal_handlers=False, wait=False, **WORKER)
            for close in made:
                await close()

        asyncio.run(run())

    def states(self):
        return [period.state for period in self.recurring.periods("club-17")]


@pytest.fixture
def world(url):
    with Sandbox(key=PAYME_KEY) as sandbox:
        world = World(url, sandbox)
        yield world
        world.client.close()
        world.ledger.close()


async def tick(engine):
    await engine.tick.defer_async(timestamp=0)


async def sweep(engine):
    await engine.sweep.defer_async(timestamp=0)


async def pay_at_once(engine):
    await engine.defer_async("club-17:0")


def count_jobs(url, task):
    with psycopg.connect(url) as connection:
        query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s"
        return connection.execute(query, [f"payme.charges.{task}"]).fetchone()[0]


@BOTH
def test_a_tick_opens_what_is_due_and_its_charge_is_driven(world, style):
    world.work(style, pay_at_once)
    assert world.states() == [PeriodState.PAID]
    world.now = MARCH
    world.work(style, tick)
    assert world.states() == [PeriodState.PAID] * 2
    assert world.recurring.get("club-17").debt is None


@BOTH
def test_a_tick_that_finds_nothing_defers_nothing(world, style):
    world.work(style, tick)
    assert world.states() == [PeriodState.OPEN]


@BOTH
def test_what_a_lost_job_leaves_the_sweep_finds(world, style):
    world.charges.recover()
    world.now = MARCH
    assert world.recurring.tick() == 1  # and its process ends here
    world.work(style, tick)
    assert world.states() == [PeriodState.PAID, PeriodState.OPEN]
    world.work(style, sweep)
    assert world.states() == [PeriodState.PAID] * 2


def test_at_most_one_tick_waits(world):
    from procrastinate.exceptions import AlreadyEnqueued

    engine = world.engine(lambda: world.recurring)
    with engine.tick.blueprint.open():
        engine.tick.defer(timestamp=0)
        with pytest.raises(AlreadyEnqueued):
            engine.tick.defer(timestamp=1)
    assert count_jobs(world.url, "tick") == 1


def test_the_tick_of_a_killed_worker_is_written_off(world):
    engine = world.engine(lambda: world.recurring)
    with engine.tick.blueprint.open():
        engine.tick.defer(timestamp=0)
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
    world.work("threads", sweep)
    with psycopg.connect(world.url) as connection:
        query = "SELECT status FROM procrastinate_jobs WHERE task_name = 'payme.charges.tick'"
        assert connection.execute(query).fetchall() == [("aborted",)]


def test_what_is_not_expected_is_named(world):
    app = App(connector=PsycopgConnector(conninfo=world.url))
    with pytest.raises(InvalidArgument, match="recurring: got 'Recurring'"):
        ProcrastinateRecurringEngine(app, world.recurring)
    engine = ProcrastinateRecurringEngine(app, lambda: world.charges)
    with pytest.raises(ConfigurationError, match="recurring: the function made Charges"):
        asyncio.run(engine._tick(None, 0))


# With workers that are killed.

KILLS, MEMBERS, DAYS = 10, 8, 70


@pytest.mark.slow
def test_whoever_is_killed_each_period_is_paid_once(url, tmp_path):
    club = Club(url, tmp_path, MEMBERS)
    context = multiprocessing.get_context("forkserver")
    given = (url, club.clock.shared, club.payme.url, MERCHANT, PAYME_KEY)

    def start(style):
        at_work = context.Event()
        process = context.Process(target=work_jobs, args=(style, at_work, *given), daemon=True)
        process.start()
        return process, at_work, style

    random = Random(20261128)
    deleted = 0
    workers = [start(style) for style in ("threads", "asyncio", "threads")]
    try:
        for kill in range(KILLS):
            club.clock.move(random.uniform(0.2, 1.8) * DAYS / KILLS * 24 * HOUR)
            ready = wait_for(lambda: [one for one in workers if one[1].is_set()])
            one = random.choice(ready)
            assert one[0].is_alive(), "a worker ended by itself"
            one[0].kill()
            one[0].join()
            workers[workers.index(one)] = start(one[2])
            if kill % 4 == 3:
                deleted += delete_jobs(url)
                club.rest()
        club.catch_up()
    finally:
        for process, _, _ in workers:
            process.kill()
            process.join()
        club.close()
    assert club.check() >= MEMBERS * (DAYS // 31)
    assert deleted, "no job was lost"
    club.ledger.close()


def delete_jobs(url):
    with psycopg.connect(url, autocommit=True) as connection:
        query = "DELETE FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        return connection.execute(query).rowcount
