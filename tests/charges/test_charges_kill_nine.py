"""`kill -9` while four workers drive charges on one ledger: every charge ends, and in the truth.

Payme is a sandbox in a process of its own that loses, delays and duplicates. `PAYME_TEST_LONG=1`
makes it 100 kills and 2,000 charges on each ledger, in place of 40 and 400.
"""

import os
import time
from random import Random

import pytest

from charges.killing import MERCHANT, PAYME_KEY, WORKERS, Payme, Workers, count_the_money, submit
from charges.ledgers import KEY
from payme.charges import SqlLedger

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, CHARGES = (100, 2000) if LONG else (40, 400)


def kill_while_they_work(workers, ledger, payme):
    random = Random(20261125)
    each = CHARGES // KILLS
    met = 0
    for kill in range(KILLS):
        for number in range(kill * each, (kill + 1) * each):
            submit(ledger, number, payme)
        time.sleep(random.uniform(0.02, 0.3))
        met += ledger.next_due() is not None
        workers.kill(random.randrange(len(WORKERS)))
    assert met > KILLS / 2, "they were killed while they had nothing to do"


@pytest.mark.slow
def test_whoever_is_killed_every_charge_ends_in_the_truth(database, tmp_path):
    payme_db = tmp_path / "sandbox.db"
    payme = Payme(payme_db)
    ledger = SqlLedger(database, keys=[KEY])
    workers = Workers(database, payme.url, MERCHANT, PAYME_KEY)
    started = time.monotonic()
    try:
        kill_while_they_work(workers, ledger, payme)
        workers.end()
        workers.drain()
    finally:
        workers.end()
        payme.kill()
    told = count_the_money(ledger, payme_db, CHARGES)
    print(f"{KILLS} kills, {told}, {time.monotonic() - started:.1f} s")
    ledger.close()
