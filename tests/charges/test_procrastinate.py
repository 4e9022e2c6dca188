"""Charges on Procrastinate, with its tables in PostgreSQL."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from procrastinate import App, Blueprint, PsycopgConnector, SyncPsycopgConnector
from sqlalchemy.ext.asyncio import create_async_engine

from charges.conftest import empty
from charges.ledgers import KEY as LEDGER_KEY
from charges.procrastinate_worker import WORKER
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, ChargeState, Policy, SqlLedger
from payme.charges.engines.procrastinate import ProcrastinateEngine
from payme.errors import ConfigurationError, InvalidArgument
from payme.sandbox import Sandbox
from support.postgres import postgres_database
from support.secrecy import assert_hidden

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
POLICY = Policy(ask_for=0.6, look_for=0.3, first_pause=2.5, longest_pause=3.0, lease=2.0)
ACCOUNT = {"order_id": 106}
BOTH = pytest.mark.parametrize("kind", ["threads", "asyncio"])


@pytest.fixture(scope="module")
def jobs(postgres):
    """URL of a database with the tables of Procrastinate's, of charges, and of a shop."""
    with App(connector=SyncPsycopgConnector(conninfo=postgres)).open() as app:
        app.schema_manager.apply_schema()
    return postgres


class World:
    """A shop with an app of Procrastinate's, and the sandbox behind it."""

    def __init__(self, url, sandbox):
        self.url = url
        self.sandbox = sandbox
        self.token = sandbox.add_card()
        self.ledger = SqlLedger(url, keys=[LEDGER_KEY])
        self.client = Payme(sandbox.merchant_id, KEY, base_url=sandbox.url, proxy="")
        self.charges = Charges(self.client, self.ledger, policy=POLICY)
        self.made = []
        self.hook = None

    def submit(self, charge_id="order-106", **options):
        return self.charges.submit(charge_id, 50_000, ACCOUNT, self.token, **options)

    def make(self, style="asyncio"):
        """What the worker drives with; its client and ledger are closed by `work`."""

        def make_blocking():
            client = Payme(self.sandbox.merchant_id, KEY, base_url=self.sandbox.url, proxy="")
            ledger = SqlLedger(self.url, keys=[LEDGER_KEY], changed=self.hook)
            self.made.append((client, ledger))
            return Charges(client, ledger, policy=POLICY)

        def make_async():
            client = AsyncPayme(self.sandbox.merchant_id, KEY, base_url=self.sandbox.url, proxy="")
            ledger = AsyncSqlLedger(self.url, keys=[LEDGER_KEY], changed=self.hook)
            self.made.append((client, ledger))
            return AsyncCharges(client, ledger, policy=POLICY)

        return make_async if style == "asyncio" else make_blocking

    def engine(self, style="asyncio", **options):
        connector = PsycopgConnector(conninfo=self.url, min_size=1, max_size=3)
        return ProcrastinateEngine(App(connector=connector), self.make(style), **options)

    def work(self, engine, until=None, **options):
        """Run a worker until it is caught up, or until something is found."""

        async def run():
            app = engine.advance.blueprint
            options.setdefault("wait", until is not None)
            async with app.open_async():
                worker = asyncio.create_task(
                    app.run_worker_async(install_signal_handlers=False, **WORKER | options)
                )
                ends = time.monotonic() + 20
                while until is not None and not await asyncio.to_thread(until):
                    assert time.monotonic() < ends, "waited in vain"
                    await asyncio.sleep(0.05)
                if until is not None:
                    worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)
                while self.made:
                    client, ledger = self.made.pop()
                    if isinstance(client, AsyncPayme):
                        await client.aclose()
                        await ledger.close()
                    else:
                        client.close()
                        ledger.close()

        asyncio.run(run())

    def sweep(self, engine, **options):
        """Defer a sweep, as the time would, and let a worker catch up."""
        app = engine.advance.blueprint
        with app.open():
            engine.sweep.defer(timestamp=0)
        self.work(engine, **options)

    def query(self, statement, *values):
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def jobs(self, status="todo"):
        """Waiting jobs that drive charges: their arguments and when they are due."""
        return self.query(
            "SELECT args, scheduled_at FROM procrastinate_jobs"
            " WHERE task_name LIKE '%%advance' AND status = %s ORDER BY id",
            status,
        )


@pytest.fixture
def world(jobs):
    empty(jobs)
    with psycopg.connect(jobs, autocommit=True) as connection:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
        connection.execute("CREATE TABLE shop_order (id int PRIMARY KEY)")
    with Sandbox(key=KEY) as sandbox:
        world = World(jobs, sandbox)
        # No periodic sweep: each test says when.
        yield world
        world.client.close()
        world.ledger.close()


def deferred(engine, charge_id="order-106"):
    with engine.advance.blueprint.open():
        engine.defer(charge_id)


# How a charge goes.


@BOTH
def test_a_charge_that_is_deferred_is_paid(world, kind):
    engine = world.engine(kind, cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    assert world.jobs() == [({"charge_id": "order-106"}, None)]
    world.work(engine)
    assert world.charges.get("order-106").is_paid
    assert world.jobs() == []
    assert len(world.sandbox.ledger()) == 1


@pytest.mark.slow
@BOTH
def test_a_charge_that_pauses_is_driven_again_when_it_is_due(world, kind):
    world.sandbox.faults.add("receipts.create", when="before", action="http_status", times=9)
    engine = world.engine(kind, cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    paused = world.charges.get("order-106")
    assert paused.state == ChargeState.NEW
    assert paused.tries == 1
    ((args, scheduled),) = world.jobs()
    assert args == {"charge_id": "order-106"}
    assert scheduled == datetime.fromtimestamp(paused.due, UTC)
    world.sandbox.faults.clear()
    world.work(engine, until=lambda: world.charges.get("order-106").rests)
    assert world.charges.get("order-106").is_paid
    assert time.time() >= paused.due


def test_a_job_that_comes_early_or_twice_asks_nothing_of_payme(world):
    world.sandbox.faults.add("receipts.create", when="before", action="http_status", times=9)
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    before = world.charges.get("order-106")
    deferred(engine)
    world.work(engine)
    after = world.charges.get("order-106")
    assert after == before
    assert len(world.jobs()) == 1


def test_of_one_charge_one_job_waits_for_a_worker(world):
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    for _ in range(3):
        deferred(engine)
    assert len(world.jobs()) == 1


def test_what_is_deferred_now_does_not_wait_for_the_job_of_later(world):
    world.sandbox.faults.add("receipts.create", when="before", action="http_status", times=9)
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    world.sandbox.faults.clear()
    # The shop gives it up, and its process dies before that is driven.
    stored = world.ledger.load("order-106").charge
    world.query("UPDATE payme_charge SET due = 0 WHERE id = %s", stored.id)
    deferred(engine)
    world.work(engine)
    assert world.charges.get("order-106").is_paid


def test_a_job_without_a_charge_is_no_failure(world, caplog):
    engine = world.engine(cron="0 0 1 1 *")
    deferred(engine, "order-7")
    world.work(engine)
    assert "charge order-7 is not in the ledger" in caplog.text
    assert len(world.jobs("succeeded")) == 0  # it was deleted, as what succeeded is
    assert world.jobs("failed") == []


def test_a_hook_that_fails_is_logged_and_the_sweep_comes_back(world, caplog):
    def fail(connection, charge):
        raise RuntimeError("the shop's hook")

    world.hook = fail
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    assert world.charges.get("order-106").state == ChargeState.PAYING
    assert world.jobs("failed") == [({"charge_id": "order-106"}, None)]
    assert "the shop's hook" in caplog.text
    assert_hidden([KEY, LEDGER_KEY, world.token], reports_of(caplog))
    world.hook = None
    world.sweep(world.engine(cron="0 0 1 1 *"))
    assert world.charges.get("order-106").is_paid
    assert len(world.sandbox.ledger()) == 1


# The sweep.


@BOTH
def test_the_sweep_finds_what_lost_its_job(world, kind):
    engine = world.engine(kind, cron="0 0 1 1 *")
    for number in range(3):
        world.submit(f"order-{number}")
    assert world.jobs() == []
    world.sweep(engine)
    assert all(world.charges.get(f"order-{number}").is_paid for number in range(3))


def test_the_sweep_leaves_what_somebody_drives_and_takes_no_more_than_it_may(world):
    engine = world.engine(cron="0 0 1 1 *", sweep_limit=2)
    for number in range(4):
        world.submit(f"order-{number}")
    now = time.time()
    world.ledger.take("somebody", "order-0", now, now + 60)
    world.sweep(engine)
    states = [world.charges.get(f"order-{number}").is_paid for number in range(4)]
    assert states[0] is False
    assert sum(states) == 2


def test_the_sweep_runs_by_itself(world):
    engine = world.engine(cron="* * * * * *")
    world.submit()
    world.work(engine, until=lambda: world.charges.get("order-106").is_paid)


@pytest.mark.parametrize("pruned", [True, False])
def test_jobs_of_a_killed_worker_block_nothing_and_are_written_off(world, pruned):
    """A worker that starts forgets who was silent for too long; then their jobs have no worker."""
    engine = world.engine(cron="0 0 1 1 *", stalled_after=30)
    world.submit()
    deferred(engine)
    with engine.advance.blueprint.open():
        engine.sweep.defer(timestamp=0)
    dead, alive = (
        world.query(
            "INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - %s * interval '1 second') RETURNING id",
            silent,
        )[0][0]
        for silent in (60, 0)
    )
    world.query("UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", dead)
    world.submit("order-107")
    deferred(engine, "order-107")
    world.query(
        "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE status = 'todo'",
        alive,
    )
    # The lease of the dead worker has run out; the other's job is under way.
    now = time.time()
    world.ledger.take("alive", "order-107", now, now + 60)
    world.sweep(engine, stalled_worker_timeout=30.0 if pruned else 1000.0)
    assert world.charges.get("order-106").is_paid
    assert not world.charges.get("order-107").rests
    rows = world.query("SELECT task_name, worker_id, status FROM procrastinate_jobs ORDER BY id")
    assert rows == [
        ("payme.charges.advance", None if pruned else dead, "aborted"),
        ("payme.charges.sweep", None if pruned else dead, "aborted"),
        ("payme.charges.advance", alive, "doing"),
    ]


# In the shop's transaction.


def orders_of(world):
    return world.query("SELECT id FROM shop_order")


@pytest.mark.parametrize("opened", [True, False])
def test_order_charge_and_job_are_stored_together_or_not_at_all(world, opened):
    engine = world.engine(cron="0 0 1 1 *")
    database = sa.create_engine(world.url.replace("postgresql:", "postgresql+psycopg:"))

    def order(fail):
        with database.begin() as connection:
            connection.execute(sa.text("INSERT INTO shop_order VALUES (106)"))
            world.submit(connection=connection)
            engine.defer("order-106", connection=connection)
            if fail:
                raise RuntimeError("the shop fails")

    if opened:
        engine.advance.blueprint.open()
    with pytest.raises(RuntimeError):
        order(fail=True)
    assert (orders_of(world), world.jobs(), world.ledger.load("order-106")) == ([], [], None)
    order(fail=False)
    assert orders_of(world) == [(106,)]
    assert len(world.jobs()) == 1
    engine.advance.blueprint.close()
    world.work(engine)
    assert world.charges.get("order-106").is_paid
    database.dispose()


def test_a_job_that_waits_already_does_not_break_the_transaction_off(world):
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    with psycopg.connect(world.url) as connection:
        connection.execute("INSERT INTO shop_order VALUES (106)")
        engine.defer("order-106", connection=connection)
    assert orders_of(world) == [(106,)]


def test_order_charge_and_job_are_stored_together_under_asyncio(world):
    engine = world.engine(cron="0 0 1 1 *")

    async def order(fail):
        database = create_async_engine(world.url.replace("postgresql:", "postgresql+psycopg:"))
        client = AsyncPayme(world.sandbox.merchant_id, KEY, base_url=world.sandbox.url, proxy="")
        charges = AsyncCharges(client, AsyncSqlLedger(database, keys=[LEDGER_KEY]))
        try:
            async with engine.advance.blueprint.open_async(), database.begin() as connection:
                await connection.execute(sa.text("INSERT INTO shop_order VALUES (106)"))
                await charges.submit(
                    "order-106", 50_000, ACCOUNT, world.token, connection=connection
                )
                await engine.defer_async("order-106", connection=connection)
                await engine.defer_async("order-106", connection=connection)
                if fail:
                    raise RuntimeError("the shop fails")
        finally:
            await client.aclose()
            await database.dispose()

    with pytest.raises(RuntimeError):
        asyncio.run(order(fail=True))
    assert (orders_of(world), world.jobs(), world.ledger.load("order-106")) == ([], [], None)
    asyncio.run(order(fail=False))
    world.work(engine)
    assert orders_of(world) == [(106,)]
    assert world.charges.get("order-106").is_paid
    assert len(world.sandbox.ledger()) == 1


def test_without_a_connection_it_is_deferred_under_asyncio_too(world):
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()

    async def defer():
        async with engine.advance.blueprint.open_async():
            await engine.defer_async("order-106")
            await engine.defer_async("order-106")

    asyncio.run(defer())
    assert len(world.jobs()) == 1


@pytest.mark.slow
def test_under_django_a_job_joins_atomic_and_never_breaks_it_off():
    arguments = [sys.executable, str(Path(__file__).with_name("procrastinate_django.py"))]
    paths = [str(Path(__file__).parents[1]), *sys.path]
    with postgres_database() as url, Sandbox(key=KEY) as sandbox:
        given = [url, sandbox.url, sandbox.merchant_id, KEY, sandbox.add_card()]
        done = subprocess.run(
            [*arguments, *given], env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "rolled back": 0,
        "twice": 1,
        "goes on": 1,
        "inside atomic": 2,
        "state": "paid",
    }


# Secrets, names and arguments.


def reports_of(caplog):
    """What was logged, with the locals of every frame, as error reporters send them."""
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert errors
    whole = (
        traceback.TracebackException.from_exception(one, capture_locals=True) for one in errors
    )
    return ["".join(one.format()) for one in whole]


@pytest.mark.slow
def test_no_secret_is_in_jobs_and_logs(world, caplog):
    caplog.set_level(logging.DEBUG)
    world.sandbox.faults.add("receipts.create", when="before", action="http_status", times=3)
    engine = world.engine(cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    world.work(engine, until=lambda: world.charges.get("order-106").rests, delete_jobs="never")
    kept = world.query("SELECT row_to_json(j) FROM procrastinate_jobs j")
    assert kept
    records = [json.dumps(record.__dict__, default=repr) for record in caplog.records]
    assert any("order-106" in record for record in records)
    assert_hidden([KEY, LEDGER_KEY, world.token], [*records, json.dumps(kept)])


def test_a_token_in_place_of_an_id_never_becomes_a_job(world):
    engine = world.engine(cron="0 0 1 1 *")
    with engine.advance.blueprint.open():
        for wrong in (world.token, "", "order 106", 106, None):
            with pytest.raises(InvalidArgument, match="id") as refused:
                engine.defer(wrong)
            assert_hidden([world.token], [str(refused.value)])
    assert world.jobs() == []


def test_tasks_of_a_blueprint_and_of_another_cash_box_have_names_of_their_own(world):
    blueprint = Blueprint()
    one = ProcrastinateEngine(blueprint, world.make(), cron="0 0 1 1 *", queue="money")
    two = ProcrastinateEngine(blueprint, world.make(), cron="0 0 1 1 *", name="second.charges")
    app = App(connector=PsycopgConnector(conninfo=world.url))
    app.add_tasks_from(blueprint, namespace="shop")
    assert {one.advance.name, one.sweep.name} == {
        "shop:payme.charges.advance",
        "shop:payme.charges.sweep",
    }
    assert two.advance.name == "shop:second.charges.advance"
    world.submit()
    deferred(one)
    assert world.query("SELECT queue_name, task_name FROM procrastinate_jobs") == [
        ("money", "shop:payme.charges.advance")
    ]
    world.work(one, queues=["money"])
    assert world.charges.get("order-106").is_paid


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sweep_limit": 0}, "limit"),
        ({"stalled_after": -1}, "stalled_after"),
        ({"cron": "every minute"}, "cron: got 'every minute', expected five fields"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": 60}, "cron"),
        ({"name": ""}, "name"),
        ({"name": "two words"}, "name"),
        ({"name": 1}, "name"),
        ({"charges": None}, "charges"),
    ],
)
def test_wrong_arguments_are_named(wrong, named):
    options = {"charges": lambda: None, **wrong}
    app = Blueprint()
    with pytest.raises(InvalidArgument, match=named):
        ProcrastinateEngine(app, options.pop("charges"), **options)
    assert app.tasks == {}


def test_charges_in_place_of_their_maker_are_refused(world):
    with pytest.raises(InvalidArgument, match=r"charges.*function"):
        ProcrastinateEngine(Blueprint(), world.charges)


def test_a_maker_of_something_else_is_named(world, caplog):
    connector = PsycopgConnector(conninfo=world.url)
    engine = ProcrastinateEngine(App(connector=connector), lambda: 1, cron="0 0 1 1 *")
    world.submit()
    deferred(engine)
    world.work(engine)
    error = next(record.exc_info[1] for record in caplog.records if record.exc_info)
    assert isinstance(error, ConfigurationError)
    assert "made int, expected AsyncCharges or Charges" in str(error)
