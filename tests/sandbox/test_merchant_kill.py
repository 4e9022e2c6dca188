"""`kill -9` of a sandbox that is asking the merchant: whoever comes next takes the payment up."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from merchant_tools import Shop, shop_server
from sandbox_tools import Caller

from payme.sandbox import Sandbox
from payme.sandbox.clock import system_ms

SERVE = """
import os, signal, sys
from payme.sandbox import Sandbox
from payme.sandbox.merchant_driver import MerchantDriver

db, url, at_debit = sys.argv[1:]
go_on = MerchantDriver._resume
def die_at_debit(self, suspended, reply):
    if at_debit == "yes" and suspended.asked is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return go_on(self, suspended, reply)
MerchantDriver._resume = die_at_debit
with Sandbox(db=db, merchant_url=url, merchant_id="m", key="k", merchant_pauses=(0,)) as sandbox:
    print(sandbox.url, sandbox.add_card(), flush=True)
    sys.stdin.read()
"""


class Victim:
    """A sandbox in a process of its own, to be killed."""

    def __init__(self, path: Path, url: str, *, at_debit: bool = False) -> None:
        arguments = [str(path), url, "yes" if at_debit else "no"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url, self.token = self.process.stdout.readline().split()

    def call(self, method: str, **params: Any) -> Any:
        """Call it; None when it dies before it answers."""
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request("POST", "/api", body, {"X-Auth": "m:k"})
            return json.loads(connection.getresponse().read())["result"]
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def __enter__(self) -> "Victim":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def shop() -> Shop:
    return Shop(system_ms)


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    with shop_server(shop) as url:
        yield url


def taken_up(path: Path, url: str, receipt: str) -> tuple[int, list[str], list[Any]]:
    """Start again on the same file; what is left, without anybody asking about the receipt?"""
    sandbox = Sandbox(db=path, merchant_url=url, merchant_pauses=(0,))
    sandbox.merchant.run_due()
    state = Caller(sandbox).state(receipt)
    kinds = [entry.kind for entry in sandbox.ledger()]
    difference = sandbox.merchant.reconcile()
    sandbox.stop()
    return state, kinds, difference


@pytest.mark.parametrize(
    ("method", "state"), [("CreateTransaction", 1), ("PerformTransaction", 3), ("SetFiscalData", 4)]
)
def test_killed_while_it_asks(
    tmp_path: Path, shop: Shop, url: str, method: str, state: int
) -> None:
    path = tmp_path / "state.db"
    with Victim(path, url) as victim:
        receipt = victim.call("receipts.create", amount=5, account={"order_id": 1})
        receipt = receipt["receipt"]["_id"]
        seen = []

        def strike() -> None:
            seen.append(victim.call("receipts.check", id=receipt)["state"])
            victim.kill()

        shop.fail(method, strike)
        assert victim.call("receipts.pay", id=receipt, token=victim.token) is None
    assert seen == [state]
    assert taken_up(path, url, receipt) == (4, ["debit"], [])
    repeated = shop.of(method)
    assert len(repeated) == 2
    assert method == "SetFiscalData" or repeated[0] == repeated[1]


def test_killed_between_the_merchants_answer_and_the_debit(
    tmp_path: Path, shop: Shop, url: str
) -> None:
    path = tmp_path / "state.db"
    with Victim(path, url, at_debit=True) as victim:
        made = victim.call("receipts.create", amount=5, account={"order_id": 1})
        receipt = made["receipt"]["_id"]
        assert victim.call("receipts.pay", id=receipt, token=victim.token) is None
    sandbox = Sandbox(db=path)
    stored = sandbox._run(lambda state: state.get_receipt(receipt))
    assert stored is not None
    assert (stored.state, sandbox.debits(receipt)) == (2, 0)
    sandbox.stop()
    assert taken_up(path, url, receipt) == (4, ["debit"], [])
    assert len(shop.of("CreateTransaction")) == 1


def test_killed_while_it_refunds(tmp_path: Path, shop: Shop, url: str) -> None:
    path = tmp_path / "state.db"
    with Victim(path, url) as victim:
        made = victim.call("receipts.create", amount=5, account={"order_id": 1})
        receipt = made["receipt"]["_id"]
        assert victim.call("receipts.pay", id=receipt, token=victim.token)
        shop.fail("CancelTransaction", victim.kill)
        assert victim.call("receipts.cancel", id=receipt) is None
    state, kinds, difference = taken_up(path, url, receipt)
    assert state in {21, 50}
    assert (kinds, difference) in [(["debit"], []), (["debit", "refund"], [])]


def test_killed_again_and_again_while_many_pay(tmp_path: Path, shop: Shop, url: str) -> None:
    path, receipts, answered = tmp_path / "state.db", [], []
    for _ in range(3):
        with Victim(path, url) as victim:

            def pay(victim: Victim = victim) -> None:
                for _ in range(1000):
                    made = victim.call("receipts.create", amount=5, account={"order_id": "many"})
                    if made is None:
                        return
                    receipt = made["receipt"]["_id"]
                    receipts.append(receipt)
                    paid = victim.call("receipts.pay", id=receipt, token=victim.token)
                    if paid is None:
                        return
                    answered.append((receipt, paid["receipt"]["state"]))

            workers = [threading.Thread(target=pay) for _ in range(4)]
            for worker in workers:
                worker.start()
            enough = len(answered) + 8
            while len(answered) < enough:
                workers[0].join(0.01)
            victim.kill()
            for worker in workers:
                worker.join()
    sandbox = Sandbox(db=path, merchant_url=url, merchant_pauses=(0,))
    sandbox.merchant.run_due()
    assert sandbox.merchant.reconcile() == []
    ends = {receipt: Caller(sandbox).state(receipt) for receipt in receipts}
    assert set(ends.values()) <= {0, 4}
    assert all(ends[receipt] == state == 4 for receipt, state in answered)
    assert all(sandbox.debits(receipt) == (ends[receipt] == 4) for receipt in receipts)
    sandbox.stop()
