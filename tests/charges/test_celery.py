"""Charges on Celery: in this process, and with workers of their own on Redis and RabbitMQ."""

import logging
import os
import signal
import time
from types import SimpleNamespace

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from charges.celery_processes import RABBITMQ, REDIS, Broker, Processes, skip_without
from charges.conftest import empty
from charges.killing import PAYME_KEY, count_the_money, submit, wait_for, wait_until_all_rest
from charges.killing import Payme as SandboxProcess
from charges.ledgers import KEY as LEDGER_KEY
from payme import Payme
from payme.charges import AsyncCharges, Charges, ChargeState, Policy, SqlLedger
from payme.charges.engines.celery import CeleryEngine
from payme.errors import ConfigurationError, InvalidArgument
from payme.sandbox import Sandbox
from support.secrecy import assert_hidden

POLICY = Policy(ask_for=0.6, look_for=0.3, first_pause=20.0, longest_pause=200.0, lease=2.0)
NOT_EAGER = SimpleNamespace(request=SimpleNamespace(is_eager=False))


class World:
    """A shop with an app of Celery's that runs its tasks at once, and the sandbox behind it."""

    def __init__(self, url, sandbox):
        self.sandbox = sandbox
        self.token = sandbox.add_card()
        self.ledger = SqlLedger(url, keys=[LEDGER_KEY])
        self.client = Payme(sandbox.merchant_id, PAYME_KEY, base_url=sandbox.url, proxy="")
        self.charges = Charges(self.client, self.ledger, policy=POLICY)

    def app(self, **conf):
        app = Celery("shop", broker="memory://", set_as_current=False)
        app.conf.update(conf)
        return app

    def eager(self, **options):
        conf = {"task_always_eager": True, "task_eager_propagates": True}
        return CeleryEngine(self.app(**conf), lambda: self.charges, **options)

    def recorded(self, **options):
        """An engine whose messages are kept in a list."""
        engine = CeleryEngine(self.app(), lambda: self.charges, **options)
        sent = []
        engine.advance.apply_async = lambda args, **given: sent.append((args, given))
        return engine, sent

    def submit(self, charge_id="order-106"):
        return self.charges.submit(charge_id, 50_000, {"order_id": 106}, self.token)

    def lose(self, times=9):
        options = {"when": "before", "action": "http_status", "times": times}
        self.sandbox.faults.add("receipts.create", **options)


@pytest.fixture
def world(tmp_path):
    with Sandbox(key=PAYME_KEY) as sandbox:
        world = World(f"sqlite:///{tmp_path / 'payme.db'}", sandbox)
        yield world
        world.client.close()
        world.ledger.close()


# In this process.


def test_a_charge_that_is_deferred_is_paid(world):
    world.submit()
    world.eager().defer("order-106")
    assert world.charges.get("order-106").is_paid


def test_an_eager_app_does_not_drive_a_charge_that_pauses_for_ever(world):
    world.lose()
    world.submit()
    world.eager().defer("order-106")
    assert world.charges.get("order-106").tries == 1


def test_what_is_due_before_the_next_sweep_is_sent_for_that_time(world):
    world.lose()
    world.submit()
    engine, sent = world.recorded(sweep_every=60)
    engine._advance(NOT_EAGER, "order-106")
    due = world.charges.get("order-106").due
    ((args, given),) = sent
    assert args == ("order-106",)
    assert given == {"countdown": pytest.approx(due - time.time(), abs=1)}


def test_what_is_due_after_the_next_sweep_is_left_to_it(world):
    """Redis would deliver a message that waits for long again and again."""
    world.lose()
    world.submit()
    engine, sent = world.recorded(sweep_every=5)
    engine._advance(NOT_EAGER, "order-106")
    assert world.charges.get("order-106").tries == 1
    assert sent == []


def test_a_message_that_comes_early_or_twice_asks_nothing_of_payme(world):
    world.lose()
    world.submit()
    engine, sent = world.recorded()
    engine._advance(NOT_EAGER, "order-106")
    before = world.charges.get("order-106")
    engine._advance(NOT_EAGER, "order-106")
    assert world.charges.get("order-106") == before
    assert len(sent) == 2


def test_nothing_is_sent_for_what_rests_or_somebody_drives(world):
    world.submit()
    engine, sent = world.recorded()
    now = time.time()
    world.ledger.take("somebody", "order-106", now, now + 60)
    engine._advance(NOT_EAGER, "order-106")
    assert world.charges.get("order-106").state == ChargeState.NEW
    world.ledger.release("somebody", "order-106")
    engine._advance(NOT_EAGER, "order-106")
    engine._advance(NOT_EAGER, "order-106")
    assert world.charges.get("order-106").is_paid
    assert sent == []


def test_the_sweep_sends_what_is_due_and_nobody_drives(world):
    for number in range(4):
        world.submit(f"order-{number}")
    now = time.time()
    world.ledger.take("somebody", "order-0", now, now + 60)
    engine, sent = world.recorded(sweep_limit=2, sweep_every=30)
    engine.sweep.apply().get()
    assert {args[0] for args, _ in sent} < {"order-1", "order-2", "order-3"}
    assert [given for _, given in sent] == [{"expires": 30.0}] * 2


def test_a_message_before_the_commit_is_no_failure(world, caplog):
    world.eager().defer("order-106")
    assert "charge order-106 is not in the ledger" in caplog.text


@pytest.mark.slow
def test_a_broker_that_is_down_fails_no_order(world, caplog):
    app = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.conf.update(task_publish_retry=False, broker_connection_timeout=1)
    engine = CeleryEngine(app, lambda: world.charges)
    world.submit()
    engine.defer("order-106")
    assert "charge order-106 waits for the sweep" in caplog.text
    app.close()


def test_other_errors_of_sending_are_not_hidden(world):
    engine, _ = world.recorded()
    engine.advance.apply_async = lambda *_, **__: 1 / 0
    with pytest.raises(ZeroDivisionError):
        engine.defer("order-106")
    assert not issubclass(ZeroDivisionError, OperationalError)


def test_the_app_is_neither_configured_nor_finished_by_the_engine():
    """What a shop does at `on_after_configure` and `on_after_finalize` would never happen."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    engine = CeleryEngine(app, lambda: None, sweep_every=30)
    assert not app.configured
    assert not app.finalized
    assert app.conf.beat_schedule["payme.charges.sweep"] == {
        "schedule": 30.0,
        "task": "payme.charges.sweep",
        "args": (),
        "kwargs": {},
        "options": {"expires": 30.0},
    }
    app.finalize()
    assert {"payme.charges.advance", "payme.charges.sweep"} <= set(app.tasks)
    for task in (engine.advance, engine.sweep):
        assert task.acks_late
        assert task.ignore_result


def test_tasks_are_of_one_app_alone():
    one, other = (Celery(name, broker="memory://", set_as_current=False) for name in "ab")
    CeleryEngine(one, lambda: None)
    one.finalize()
    other.finalize()
    assert "payme.charges.advance" not in other.tasks


def test_a_second_cash_box_needs_another_name():
    app = Celery("shop", broker="memory://", set_as_current=False)
    CeleryEngine(app, lambda: None)
    with pytest.raises(ConfigurationError, match=r"has an engine 'payme\.charges' already"):
        CeleryEngine(app, lambda: None)
    second = CeleryEngine(app, lambda: None, name="second.charges")
    assert second.advance.name == "second.charges.advance"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sweep_limit": 0}, "limit"),
        ({"sweep_every": 0}, "sweep_every"),
        ({"sweep_every": "60"}, "sweep_every"),
        ({"name": ""}, "name"),
        ({"charges": None}, "charges"),
        ({"app": object()}, "app"),
    ],
)
def test_wrong_arguments_are_named(wrong, named):
    given = {"app": Celery("shop", set_as_current=False), "charges": lambda: None, **wrong}
    with pytest.raises(InvalidArgument, match=named):
        CeleryEngine(given.pop("app"), given.pop("charges"), **given)


def test_a_token_in_place_of_an_id_never_becomes_a_message(world):
    engine, sent = world.recorded()
    for wrong in (world.token, "", "order 106", 106, None):
        with pytest.raises(InvalidArgument, match="id") as refused:
            engine.defer(wrong)
        assert_hidden([world.token], [str(refused.value)])
    assert sent == []


def test_charges_of_asyncio_are_refused(world):
    charges = AsyncCharges.__new__(AsyncCharges)
    engine = CeleryEngine(world.app(), lambda: charges)
    world.submit()
    with pytest.raises(ConfigurationError, match="made AsyncCharges, expected Charges"):
        engine.sweep.apply().get()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_makes_charges_of_its_own(world):
    made = []

    def make():
        made.append(os.getpid())
        return world.charges

    engine = CeleryEngine(world.app(), make)
    assert engine._charges() is engine._charges()
    child = os.fork()
    if child == 0:
        engine._charges()
        os._exit(0 if made == [os.getppid(), os.getpid()] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert made == [os.getpid()]


# With workers of their own.


class Shop:
    """A sandbox, a ledger in PostgreSQL and Celery, each in a process of its own."""

    def __init__(self, broker, database, folder, faults=(), **environment):
        self.db = folder / "sandbox.db"
        self.payme = SandboxProcess(self.db, faults)
        self.ledger = SqlLedger(database, keys=[LEDGER_KEY])
        self.broker = broker
        self.processes = Processes(broker, database, self.payme.url, folder, **environment)

    def order(self, count=1):
        for number in range(count):
            self.broker.engine.defer(submit(self.ledger, number, self.payme))

    def states(self):
        return [charge.state for charge in self.ledger.iterate(None, 0.0)]

    def end(self):
        self.processes.end()
        self.payme.kill()
        self.ledger.close()


@pytest.fixture
def open_shop(postgres, tmp_path):
    empty(postgres)
    opened = []

    def open_one(url, *faults, **environment):
        skip_without(url)
        broker = Broker(url)
        shop = Shop(broker, postgres, tmp_path, faults, **environment)
        opened.extend([shop, broker])
        return shop

    yield open_one
    if opened:
        shop, broker = opened
        shop.end()
        broker.close()


@pytest.mark.slow
def test_on_redis_charges_are_paid_by_children_and_driven_again_when_due(open_shop):
    shop = open_shop(REDIS, "receipts.create before http_status times=4")
    secrets = [shop.payme.good, PAYME_KEY, LEDGER_KEY]
    shop.order(6)
    waiting = shop.broker.messages()
    assert len(waiting) == 6
    worker = shop.processes.worker("--concurrency", "2")
    shop.processes.beat()
    wait_for(lambda: shop.states() == [ChargeState.PAID] * 6)
    children = shop.processes.at_work(worker)
    assert len(children) == 2  # and none by the parent
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    shop.processes.running.remove(worker)
    count_the_money(shop.ledger, shop.db, 6)
    assert "payme.charges.advance" in shop.processes.log
    assert_hidden(secrets, [*waiting, shop.processes.log])


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["TEST_SOFT_LIMIT", "TEST_HARD_LIMIT"])
def test_a_time_limit_in_the_middle_of_a_payment_leaves_the_charge_to_the_sweep(open_shop, limit):
    slow = "receipts.pay after delay delay=4s times=1"
    shop = open_shop(REDIS, slow, **{limit: "1", "TEST_TIMEOUT": "20"})
    secrets = [shop.payme.good, PAYME_KEY, LEDGER_KEY]
    shop.processes.worker("--concurrency", "1")
    shop.processes.beat()
    shop.order()
    wait_until_all_rest(shop.ledger, 30)
    count_the_money(shop.ledger, shop.db, 1)
    kind = "SoftTimeLimitExceeded" if limit == "TEST_SOFT_LIMIT" else "TimeLimitExceeded"
    assert kind in shop.processes.log
    assert_hidden(secrets, [shop.processes.log])


@pytest.mark.slow
def test_greenlets_of_gevent_drive_charges(open_shop):
    pytest.importorskip("gevent", reason="needs gevent: pip install gevent")
    shop = open_shop(REDIS, "receipts.create before http_status times=2")
    shop.order(10)
    shop.processes.worker("--pool", "gevent", "--concurrency", "5")
    shop.processes.beat()
    wait_until_all_rest(shop.ledger, 30)
    count_the_money(shop.ledger, shop.db, 10)


@pytest.mark.slow
def test_on_rabbitmq_charges_are_paid_and_a_purged_queue_loses_nothing(open_shop):
    shop = open_shop(RABBITMQ)
    shop.order(6)
    assert shop.broker.empty() == 6
    shop.processes.worker("--concurrency", "2")
    shop.processes.beat()
    wait_until_all_rest(shop.ledger, 30)
    count_the_money(shop.ledger, shop.db, 6)


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.INFO)
