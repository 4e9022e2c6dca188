"""`kill -9` of Procrastinate's workers while they drive charges, and jobs that are deleted.

`PAYME_TEST_LONG=1` makes it 100 kills and 2,000 charges, in place of 15 and 150.
"""

import multiprocessing
import os
import time
from random import Random

import psycopg
import pytest
from procrastinate import App, SyncPsycopgConnector

from charges.conftest import empty
from charges.killing import (
    MERCHANT,
    PAYME_KEY,
    Payme,
    count_the_money,
    submit,
    wait_for,
    wait_until_all_rest,
)
from charges.ledgers import KEY
from charges.procrastinate_worker import make_app, work
from payme.charges import SqlLedger

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, CHARGES = (100, 2000) if LONG else (15, 150)
EMPTY = "DELETE FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
WORKERS = ["threads", "asyncio", "threads", "asyncio"]


class Workers:
    """Four processes, each of which is replaced when it is killed at work."""

    def __init__(self, *arguments):
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["charges.procrastinate_worker"])
        self._arguments = arguments
        self._running = [self._start(style) for style in WORKERS]

    def _start(self, style):
        at_work = self._context.Event()
        process = self._context.Process(
            target=work, args=(style, at_work, *self._arguments), daemon=True
        )
        process.start()
        return process, at_work

    def kill_one(self, random):
        """Kill one of those that are at work."""
        number = random.choice(wait_for(self._at_work))
        process, _ = self._running[number]
        assert process.is_alive(), "a worker ended by itself"
        process.kill()
        process.join()
        self._running[number] = self._start(WORKERS[number])

    def _at_work(self):
        return [number for number, (_, event) in enumerate(self._running) if event.is_set()]

    def end(self):
        for process, _ in self._running:
            process.kill()
            process.join()


@pytest.fixture(scope="module")
def jobs(postgres):
    """URL of a database with the tables of Procrastinate's."""
    with App(connector=SyncPsycopgConnector(conninfo=postgres)).open() as app:
        app.schema_manager.apply_schema()
    return postgres


@pytest.fixture
def database(jobs):
    empty(jobs)
    with psycopg.connect(jobs, autocommit=True) as connection:
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    return jobs


@pytest.mark.slow
def test_whoever_is_killed_and_whatever_job_is_lost_every_charge_ends_in_the_truth(
    database, tmp_path
):
    payme_db = tmp_path / "sandbox.db"
    payme = Payme(payme_db)
    ledger = SqlLedger(database, keys=[KEY])
    app, engine = make_app(database, lambda: None)
    workers = Workers(database, payme.url, MERCHANT, PAYME_KEY)
    random = Random(20261125)
    each = CHARGES // KILLS
    met = deleted = 0
    started = time.monotonic()
    try:
        with app.open(), psycopg.connect(database, autocommit=True) as connection:
            for kill in range(KILLS):
                for number in range(kill * each, (kill + 1) * each):
                    engine.defer(submit(ledger, number, payme))
                if kill % 5 == 3:
                    # The broker is emptied.
                    deleted += connection.execute(EMPTY).rowcount
                time.sleep(random.uniform(0.02, 0.3))
                met += ledger.next_due() is not None
                workers.kill_one(random)
            wait_until_all_rest(ledger, 600)
            rested = time.monotonic() - started
            written_off = count_jobs_of_the_dead(connection)
    finally:
        workers.end()
        payme.kill()
    told = count_the_money(ledger, payme_db, CHARGES)
    print(
        f"{KILLS} kills, {deleted} jobs deleted, {written_off} written off, {told}, {rested:.1f} s"
    )
    assert met > KILLS / 2, "they were killed while they had nothing to do"
    assert deleted
    ledger.close()


def count_jobs_of_the_dead(connection):
    """Wait until none says "doing", and return how many were written off."""
    count = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'payme.charges.advance'"
    left = f"{count} AND status = 'doing'"
    wait_for(lambda: connection.execute(left).fetchone()[0] == 0)
    return connection.execute(f"{count} AND status = 'aborted'").fetchone()[0]
