"""`kill -9` of Celery's workers while they drive charges, and a broker that is emptied.

`PAYME_TEST_LONG=1` makes it 100 kills and 2,000 charges, in place of 15 and 150.
"""

import os
import signal
import time
from contextlib import suppress
from random import Random

import pytest

from charges.celery_processes import REDIS, Broker, Processes, skip_without
from charges.conftest import empty
from charges.killing import Payme, count_the_money, submit, wait_for, wait_until_all_rest
from charges.ledgers import KEY
from payme.charges import SqlLedger

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, CHARGES = (100, 2000) if LONG else (15, 150)


@pytest.fixture
def broker():
    skip_without(REDIS)
    broker = Broker(REDIS)
    yield broker
    broker.close()


class Workers:
    """Two workers of four processes each. A process is killed, or a worker with all of its own."""

    def __init__(self, processes):
        self._processes = processes
        self._workers = [self._start() for _ in range(2)]
        processes.beat()

    def _start(self):
        return self._processes.worker("--concurrency", "4")

    def kill_one(self, random, whole):
        ready = wait_for(lambda: self._processes.at_work(*self._workers))
        parent, child = random.choice(ready)
        worker = next(worker for worker in self._workers if worker.pid == parent)
        assert worker.poll() is None, "a worker ended by itself"
        if whole:
            self._processes.kill(worker)
            self._workers[self._workers.index(worker)] = self._start()
        else:
            self._processes.forget(parent, child)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_whoever_is_killed_and_whatever_message_is_lost_every_charge_ends_in_the_truth(
    broker, postgres, tmp_path
):
    empty(postgres)
    payme_db = tmp_path / "sandbox.db"
    payme = Payme(payme_db)
    ledger = SqlLedger(postgres, keys=[KEY])
    processes = Processes(broker, postgres, payme.url, tmp_path)
    random = Random(20261125)
    each = CHARGES // KILLS
    met = lost = 0
    started = time.monotonic()
    try:
        workers = Workers(processes)
        for kill in range(KILLS):
            for number in range(kill * each, (kill + 1) * each):
                broker.engine.defer(submit(ledger, number, payme))
            if kill % 5 == 3:
                lost += broker.empty()
            time.sleep(random.uniform(0.02, 0.3))
            met += ledger.next_due() is not None
            workers.kill_one(random, whole=kill % 3 == 2)
        wait_until_all_rest(ledger, 600)
        rested = time.monotonic() - started
    finally:
        processes.end()
        payme.kill()
    told = count_the_money(ledger, payme_db, CHARGES)
    print(f"{KILLS} kills, {lost} keys lost, {told}, {rested:.1f} s")
    assert met > KILLS / 2, "they were killed while they had nothing to do"
    assert lost
    ledger.close()
