"""Subscriptions on Celery: in this process, and with workers of their own that are killed."""

from datetime import UTC, datetime
from random import Random

import pytest
from celery import Celery

from charges.celery_processes import REDIS, Broker, Processes, skip_without
from charges.killing import PAYME_KEY, wait_for
from charges.ledgers import KEY
from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.charges.engines.celery import CeleryEngine
from payme.errors import ConfigurationError, InvalidArgument
from payme.recurring import PeriodState, Recurring
from payme.recurring.engines.celery import CeleryRecurringEngine
from payme.sandbox import Sandbox
from recurring.club_books import HOUR, START, Club
from recurring.conftest import empty

PRICE = 5_000_000
MARCH = datetime(2026, 2, 28, 6, tzinfo=UTC).timestamp()


class World:
    """A club with an app of Celery's, and the sandbox behind it."""

    def __init__(self, url, sandbox):
        self.now = START
        self.token = sandbox.add_card()
        self.sandbox = sandbox
        self.ledger = SqlLedger(url, keys=[KEY])
        self.client = Payme(sandbox.merchant_id, PAYME_KEY, base_url=sandbox.url, proxy="")
        self.charges = Charges(self.client, self.ledger)
        self.recurring = Recurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()

    def create(self, name="club-17"):
        return self.recurring.create(name, PRICE, {"member": 17}, self.token, missed="latest")

    def engine(self, **options):
        app = Celery("club", broker="memory://", set_as_current=False)
        app.conf.update(task_always_eager=True, task_eager_propagates=True)
        return CeleryRecurringEngine(app, lambda: self.recurring, **options)

    def recorded(self, **options):
        """An engine whose messages are kept in a list."""
        engine, sent = self.engine(**options), []
        engine.advance.apply_async = lambda args, **given: sent.append((args, given))
        return engine, sent

    def states(self, name="club-17"):
        return [period.state for period in self.recurring.periods(name)]


@pytest.fixture
def world(tmp_path):
    with Sandbox(key=PAYME_KEY) as sandbox:
        world = World(f"sqlite:///{tmp_path / 'payme.db'}", sandbox)
        yield world
        world.client.close()
        world.ledger.close()


def test_a_tick_opens_what_is_due_and_its_charge_is_driven(world):
    world.create()
    engine = world.engine()
    assert world.states() == [PeriodState.OPEN]
    engine.sweep.apply().get()
    world.now = MARCH
    engine.tick.apply().get()
    assert world.states() == [PeriodState.PAID] * 2
    assert world.recurring.get("club-17").debt is None


def test_who_signs_up_is_charged_at_once(world):
    world.create()
    world.engine().defer("club-17:0")
    assert world.states() == [PeriodState.PAID]


def test_a_tick_sends_what_it_opened_and_what_it_tries_again(world):
    world.create()
    engine, sent = world.recorded(sweep_every=30.0)
    world.charges.recover()
    world.now = MARCH
    engine.tick.apply().get()
    assert sent == [(("club-17:1",), {"expires": 30.0})]


def test_a_tick_that_finds_nothing_sends_nothing(world):
    world.create()
    engine, sent = world.recorded()
    engine.tick.apply().get()
    assert sent == []


def test_what_a_lost_message_leaves_the_sweep_sends(world):
    world.create()
    world.charges.recover()
    world.now = MARCH
    engine, lost = world.recorded()
    engine.tick.apply().get()
    assert len(lost) == 1
    del engine.advance.apply_async
    engine.sweep.apply().get()
    assert world.states() == [PeriodState.PAID] * 2


def test_a_tick_that_fails_is_done_again(world, monkeypatch):
    world.create()
    world.charges.recover()
    world.now = MARCH
    engine = world.engine()
    with monkeypatch.context() as broken:
        broken.setattr(world.recurring, "tick", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            engine.tick.apply().get()
    engine.tick.apply().get()
    assert world.states() == [PeriodState.PAID] * 2


def test_beat_finds_tick_and_sweep(world):
    engine = world.engine(sweep_every=30.0)
    app = engine.tick.app
    assert {"payme.charges.advance", "payme.charges.sweep", "payme.charges.tick"} <= set(app.tasks)
    assert app.conf.beat_schedule["payme.charges.tick"] == {
        "schedule": 30.0,
        "task": "payme.charges.tick",
        "args": (),
        "kwargs": {},
        "options": {"expires": 30.0},
    }


def test_it_takes_the_place_of_the_engine_of_charges(world):
    app = world.engine().tick.app
    with pytest.raises(ConfigurationError, match=r"'payme\.charges' already"):
        CeleryEngine(app, lambda: world.charges)


def test_what_is_not_expected_is_named(world):
    app = Celery("club", broker="memory://", set_as_current=False)
    with pytest.raises(InvalidArgument, match="recurring: got 'Recurring'"):
        CeleryRecurringEngine(app, world.recurring)
    engine = CeleryRecurringEngine(app, lambda: world.charges)
    with pytest.raises(ConfigurationError, match="recurring: the function made Charges"):
        engine.tick.apply(throw=True)


# With workers that are killed.

KILLS, MEMBERS, DAYS = 10, 8, 70


@pytest.mark.slow
def test_whoever_is_killed_each_period_is_paid_once(postgres, tmp_path):
    skip_without(REDIS)
    empty(postgres)
    broker, club = Broker(REDIS), Club(postgres, tmp_path, MEMBERS)
    processes = Processes(
        broker, postgres, club.payme.url, tmp_path,
        module="recurring.club_celery", TEST_CLOCK=str(tmp_path / "clock"),
    )  # fmt: skip
    random = Random(20261128)
    lost = 0
    try:
        workers = [processes.worker("--concurrency", "2") for _ in range(2)]
        # Two beats: two schedulers, each of which sends every tick.
        processes.beat("1")
        processes.beat("2")
        for kill in range(KILLS):
            club.clock.move(random.uniform(0.2, 1.8) * DAYS / KILLS * 24 * HOUR)
            parent, _ = random.choice(wait_for(lambda: processes.at_work(*workers)))
            wait_for(lambda: not club.is_quiet or random.random() < 0.05)
            worker = next(one for one in workers if one.pid == parent)
            processes.kill(worker)
            workers[workers.index(worker)] = processes.worker("--concurrency", "2")
            if kill % 4 == 3:
                lost += broker.empty()
                club.rest()
        club.catch_up()
    finally:
        processes.end()
        club.close()
        broker.close()
    assert club.check() >= MEMBERS * (DAYS // 31)
    assert lost, "no message was lost"
    club.ledger.close()
