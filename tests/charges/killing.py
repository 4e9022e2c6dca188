"""What tests that kill workers share: a sandbox process that struggles, charges, and the count."""

import multiprocessing
import re
import subprocess
import sys
import time
from collections import Counter
from threading import Thread

from charges.kill_worker import work
from payme.charges import ChargeState, orders
from payme.sandbox import Sandbox

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

    def __init__(self, db, faults=FAULTS, host="127.0.0.1"):
        with Sandbox(db=db, merchant_id=MERCHANT, key=PAYME_KEY) as sandbox:
            self.good = sandbox.add_card()
            self.poor = sandbox.add_card(number="8600318600000007")
        options = ["--db", db, "--host", host, "--port", "0", "--seed", "7"]
        for fault in faults:
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

    def restart_dead(self):
        """As a supervisor does: who finds no ledger at all when it starts, ends."""
        for number, process in enumerate(self._running):
            if not process.is_alive():
                self._running[number] = self._start(WORKERS[number])

    def end(self):
        for process in self._running:
            process.kill()
            process.join()

    def drain(self):
        process = self._start("asyncio", drain=True)
        process.join(60)
        assert process.exitcode == 0


def is_poor(number):
    return number % 20 == 7


def amount_of(number):
    return 100_000 + 100 * number


def submit(ledger, number, payme):
    """Store a charge, of which every twentieth is on a card without money; return its id."""
    charge_id = f"order-{number}"
    token = payme.poor if is_poor(number) else payme.good
    asked = orders.order(
        time.time(), charge_id, amount_of(number), {"order_id": number}, token,
        description=None, detail=None, payer=None, hold=False,
    )  # fmt: skip
    ledger.submit(*asked.accepted())
    return charge_id


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


def wait_for(found, seconds=60):
    """Wait until something is found, and return it."""
    until = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return answer


def wait_until_all_rest(ledger, seconds):
    """Wait until nothing is left to do; whatever still is makes `count_the_money` fail."""
    until = time.monotonic() + seconds
    while ledger.next_due() is not None and time.monotonic() < until:
        time.sleep(0.1)


def count_the_money(ledger, db, expected):
    """Every charge rests, no id has two debits, and both books agree to the tiyin.

    Returns:
        What became of the charges, in words.
    """
    charges = list(ledger.iterate(None, 0.0))
    standing, debits = money_by_order(db)
    assert len(charges) == expected
    assert [charge for charge in charges if not charge.rests] == []
    assert {number for number, count in debits.items() if count > 1} == set()
    for charge in charges:
        number = int(charge.id.removeprefix("order-"))
        assert standing[number] == (charge.amount if charge.is_paid else 0), charge
        assert charge.amount == amount_of(number)
        versions = [event.version for event in ledger.history(charge.id)]
        assert versions == list(range(charge.version + 1))
        if is_poor(number):
            assert charge.state in (ChargeState.REFUSED, ChargeState.FAILED)
    states = Counter(charge.state.value for charge in charges)
    assert states["paid"] >= expected * 0.9
    attempts = sum(charge.attempts for charge in charges)
    return (
        f"{dict(states)}, {attempts} payments begun, "
        f"{sum(charge.receipts > 1 for charge in charges)} charges with another receipt"
    )
