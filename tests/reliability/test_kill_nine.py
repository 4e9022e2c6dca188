"""`kill -9` while eight clients pay: what a client was told is what the ledger says.

`PAYME_KILLS` sets how often the sandbox is killed (4).
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Barrier, Lock, Thread

import pytest

from payme import NotSent, OutcomeUnknown, Payme
from payme.sandbox import Sandbox

KILLS = min(int(os.environ.get("PAYME_KILLS", "4")), 10_000)
CLIENTS = 8
# A kill comes once so many payments were answered, each time another number.
FEWEST_PAID = 16
MOST_PAID = 120
MERCHANT, KEY = "5e730e8e0b852a417aa49ceb", "k" * 36


class Process:
    """`payme sandbox --db` as a process of its own, which is killed and not stopped."""

    def __init__(self, db: Path) -> None:
        options = ["--db", str(db), "--port", "0", "--merchant-id", MERCHANT, "--key", KEY]
        code = "from payme.cli import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", code, "sandbox", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = self._read_banner()
        # Its log goes on, and a full pipe would stop it.
        self._drain = Thread(target=self._process.stdout.read, daemon=True)
        self._drain.start()

    def _read_banner(self) -> str:
        read = []
        for line in self._process.stdout:
            read.append(line)
            if "Ctrl-C" in line:
                return re.search(r"http://\S+/api", "".join(read))[0]
        raise AssertionError("".join(["the sandbox did not start\n", *read]))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._drain.join()
        self._process.stdout.close()

    def client(self, **options) -> Payme:
        return Payme(MERCHANT, KEY, base_url=self.url, **options)


class Told:
    """What clients were told, by receipt."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.paid: set[str] = set()
        self.lost: list[OutcomeUnknown] = []
        self.never_paid: set[str] = set()


def pay_until_killed(process: Process, token: str, told: Told, together: Barrier) -> None:
    with process.client(timeout=10, max_attempts=1) as payme:
        together.wait()
        receipt = None
        try:
            while True:
                receipt = None
                receipt = payme.receipts.create(50_000, {"order_id": 1}).id
                assert payme.receipts.pay(receipt, token).is_paid
                with told.lock:
                    told.paid.add(receipt)
        except NotSent:
            with told.lock:
                told.never_paid |= {receipt} - {None}
        except OutcomeUnknown as lost:
            with told.lock:
                told.lost += [lost] if lost.method == "receipts.pay" else []


def kill_while_they_pay(process: Process, token: str, told: Told, payments: int) -> None:
    together = Barrier(CLIENTS)
    arguments = process, token, told, together
    clients = [Thread(target=pay_until_killed, args=arguments) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    enough = len(told.paid) + payments
    while len(told.paid) < enough:
        clients[0].join(0.002)
        assert any(client.is_alive() for client in clients), "the clients stopped by themselves"
    process.kill()
    for client in clients:
        client.join(timeout=30)
        assert not client.is_alive()


def verified_token(process: Process) -> str:
    with process.client() as payme:
        card = payme.cards.create("8600069195406311", "0399")
        payme.cards.get_verify_code(card.token)
        return payme.cards.verify(card.token, "666666").token


@pytest.mark.slow
def test_what_clients_were_told_is_what_the_ledger_says(tmp_path):
    db = tmp_path / "payme.db"
    told, resolved_paid, resolved_cancelled = Told(), set(), set()
    process, token = Process(db), None
    for number in range(KILLS):
        token = token or verified_token(process)
        payments = FEWEST_PAID + number * 37 % (MOST_PAID - FEWEST_PAID)
        lost_before, paid_before = len(told.lost), set(told.paid)
        kill_while_they_pay(process, token, told, payments)
        process = Process(db)
        with process.client() as payme:
            for lost in told.lost[lost_before:]:
                receipt = lost.resolve(payme, timeout=0.05, cancel=True)
                known = resolved_paid if receipt.is_paid else resolved_cancelled
                assert receipt.is_paid or receipt.is_cancelled
                known.add(receipt.id)
            # The ledger is held against all of them in the end.
            earlier = sorted(paid_before | resolved_paid)[:: max(1, len(paid_before) // 50)]
            for receipt in [*(told.paid - paid_before), *earlier]:
                assert payme.receipts.get(receipt).is_paid
    process.kill()
    entries = entries_by_receipt(db)
    for receipt in told.paid | resolved_paid:
        assert entries[receipt] == ["debit"]
    for receipt in resolved_cancelled:
        assert entries.get(receipt, []) in ([], ["debit", "refund"])
    for receipt in told.never_paid:
        assert entries.get(receipt, []) == []
    everybody = told.paid | resolved_paid | resolved_cancelled | told.never_paid
    assert entries.keys() <= everybody, "a card was debited and nobody was told"
    figures = f"{KILLS} kills, {len(told.paid)} payments answered, {len(told.lost)} answers lost"
    print(figures)


def entries_by_receipt(db: Path) -> dict[str, list[str]]:
    """Read the ledger from the file that the killed sandbox left."""
    sandbox = Sandbox(db=db)
    entries: dict[str, list[str]] = {}
    for entry in sandbox.ledger():
        entries.setdefault(entry.receipt_id, []).append(entry.kind)
    sandbox.stop()
    return entries
