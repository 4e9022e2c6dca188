"""`kill -9` while four workers drive charges on one ledger: every charge ends, and in the truth.

Payme is a sandbox in a process of its own that loses, delays and duplicates. `PAYME_TEST_LONG=1`
makes it 100 kills and 2,000 charges on each ledger, in place of 40 and 400.
"""

import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections import Counter
from random import Random
from threading import Thread

from charges.kill_worker import work
from charges.ledgers import KEY
from payme.charges import ChargeState, SqlLedger, orders
from payme.sandbox import Sandbox

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, CHARGES = (100, 2000) if LONG else (40, 400)
WORKERS = ["threads", "asyncio", "threads", "asyncio"]
MERCHANT, PAYME_KEY = "5e730e8e0b852a417aa49ceb", "k" * 36
FAULTS = [
    "receipts.pay before drop probability=0.04",
    "receipts.pay after drop probability=0.06",
    "receipts.pay before delay delay=800ms probability=0.04",
    "receipts.pay after delay delay=800ms probability=0.04",
    "receipts.pay before duplicate probability=0.05",
    "receipts.pay after duplicate probability=0.05",
    "receipts.pay after rpc_error probability=0.03",
    "receipts.create after drop probability=0.05",
    "receipts.create after duplicate probability=0.05",
    "receipts.cancel before delay delay=800ms probability=0.1",
    "receipts.cancel after drop probability=0.1",
    "receipts.cancel after duplicate probability=0.1",
    "receipts.get before drop probability=0.1",
]


class Payme:
    """`payme sandbox` in a process of its own."""

    def __init__(self, db):
        with Sandbox(db=db, merchant_id=MERCHANT, key=PAYME_KEY) as sandbox:
            self.good = sandbox.add_card()
            self.poor = sandbox.add_card(number="8600318600000007")
        options = ["--db", db, "--port", "0", "--seed", "7"]
        for fault in FAULTS:
            options += ["--fault", fault]
        code = "from payme.cli import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", code, "sandbox", *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._read_banner()
        # Its log goes on, and a full pipe would stop it.
        self._drain = Thread(target=self._process.stdout.read, daemon=True)
        self._drain.start()

    def _read_banner(self):
        read = []
        for line in self._process.stdout:
            read.append(line)
            if "Ctrl-C" in line:
                return re.search(r"http://\S+/api", "".join(read))[0]
        raise AssertionError("".join(["the sandbox did not start\n", *read]))

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._drain.join()
        self._process.stdout.close()


class Workers:
    """Four processes, each of which is replaced when it is killed."""

    def __init__(self, *arguments):
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["charges.kill_worker"])
        self._arguments = arguments
        self._running = [self._start(style) for style in WORKERS]

    def _start(self, style, **options):
        process = self._context.Process(
            target=work, args=(style, *self._arguments), kwargs=options, daemon=True
        )
        process.start()
        return process

    def kill(self, number):
        assert self._running[number].is_alive(), "a worker ended by itself"
        self._running[number].kill()
        self._running[number].join()
        self._running[number] = self._start(WORKERS[number])

    def end(self):
        for process in self._running:
            process.kill()
            process.join()

    def drain(self):
        process = self._start("asyncio", drain=True)
        process.join(60)
        assert process.exitcode == 0


def amount_of(number):
    return 100_000 + 100 * number


def submit(ledger, number, token):
    asked = orders.order(
        time.time(), f"order-{number}", amount_of(number), {"order_id": number}, token,
        description=None, detail=None, payer=None, hold=False,
    )  # fmt: skip
    ledger.submit(*asked.accepted())


def money_by_order(db):
    """What stands on the card for each order, by the ledger that the sandbox left."""
    sandbox = Sandbox(db=db)
    order_of = {receipt.id: int(receipt.account["order_id"]) for receipt in sandbox.receipts(10**6)}
    standing, debits = Counter(), Counter()
    for entry in sandbox.ledger():
        sign = {"debit": 1, "refund": -1}[entry.kind]
        standing[order_of[entry.receipt_id]] += sign * abs(entry.amount)
        debits[order_of[entry.receipt_id]] += sign
    sandbox.stop()
    return standing, debits


def kill_while_they_work(workers, ledger, payme):
    random = Random(20261125)
    each = CHARGES // KILLS
    met = 0
    for kill in range(KILLS):
        for number in range(kill * each, (kill + 1) * each):
            submit(ledger, number, payme.poor if number % 20 == 7 else payme.good)
        time.sleep(random.uniform(0.02, 0.3))
        met += ledger.next_due() is not None
        workers.kill(random.randrange(len(WORKERS)))
    assert met > KILLS / 2, "they were killed while they had nothing to do"


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
    charges = list(ledger.iterate(None, 0.0))
    standing, debits = money_by_order(payme_db)
    assert len(charges) == CHARGES
    assert [charge for charge in charges if not charge.rests] == []
    assert {number for number, count in debits.items() if count > 1} == set()
    for charge in charges:
        number = int(charge.id.removeprefix("order-"))
        assert standing[number] == (charge.amount if charge.is_paid else 0), charge
        assert charge.amount == amount_of(number)
        versions = [event.version for event in ledger.history(charge.id)]
        assert versions == list(range(charge.version + 1))
        if number % 20 == 7:
            assert charge.state in (ChargeState.REFUSED, ChargeState.FAILED)
    states = Counter(charge.state.value for charge in charges)
    assert states["paid"] > CHARGES * 0.9
    attempts = sum(charge.attempts for charge in charges)
    print(
        f"{KILLS} kills, {dict(states)}, {attempts} payments begun, "
        f"{sum(charge.receipts > 1 for charge in charges)} charges with another receipt, "
        f"{time.monotonic() - started:.1f} s"
    )
    ledger.close()
