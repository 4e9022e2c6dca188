"""One blocking client, many threads."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payme import Payme
from payme.errors import OutcomeUnknown
from support.faults import LOST_AFTER
from support.faulty import serve
from support.listener import GIVE_UP

THREADS, CALLS = 8, 500


@pytest.mark.slow
def test_eight_threads_make_five_hundred_calls_each_and_get_their_own_answers(sandbox):
    receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(THREADS * 4)]
    start = threading.Barrier(THREADS, timeout=GIVE_UP)
    with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:

        def work(thread: int) -> int:
            start.wait()
            right = 0
            for number in range(CALLS):
                index = (thread * 7 + number) % len(receipts)
                receipt = payme.receipts.get(receipts[index])
                right += (receipt.id, receipt.amount) == (receipts[index], 1000 + index)
            return right

        with ThreadPoolExecutor(THREADS) as threads:
            assert list(threads.map(work, range(THREADS))) == [CALLS] * THREADS


def test_connections_are_no_more_than_threads(line, options, sandbox):
    receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(THREADS)]
    start = threading.Barrier(THREADS, timeout=GIVE_UP)
    with Payme(sandbox.merchant_id, sandbox.key, **options) as payme:

        def work(thread: int) -> set[int]:
            start.wait()
            return {payme.receipts.get(receipts[thread]).amount for _ in range(40)}

        with ThreadPoolExecutor(THREADS) as threads:
            assert list(threads.map(work, range(THREADS))) == [{1000 + n} for n in range(THREADS)]
    assert 1 <= line.connections <= THREADS
    assert len(line.requests) == THREADS * 40
    assert len({exchange.json["id"] for exchange in line.requests}) == THREADS * 40


def test_the_first_call_may_come_from_many_threads_at_once(line, options, sandbox):
    """The transport is made at the first call; threads must not make one each and lose it."""
    receipt = sandbox.add_receipt()
    start = threading.Barrier(THREADS, timeout=GIVE_UP)
    with Payme(sandbox.merchant_id, sandbox.key, **options) as payme:

        def work(_: int) -> int:
            start.wait()
            return payme.receipts.check(receipt)

        with ThreadPoolExecutor(THREADS) as threads:
            assert set(threads.map(work, range(THREADS))) == {0}
    line.wait_until(lambda: line.open_connections == 0)
    assert line.connections <= THREADS


def test_first_answers_may_come_in_many_threads_at_once():
    script = Path(__file__).parent / "first_answers.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_faults_of_one_thread_do_not_touch_the_others(line, options, sandbox):
    token = sandbox.add_card()
    receipts = [sandbox.add_receipt() for _ in range(THREADS * 10)]

    def every_third_is_lost(exchange):
        unlucky = exchange.json["params"]["id"] in lost
        (LOST_AFTER.act if unlucky else serve)(exchange)

    lost = set(receipts[::3])
    line.otherwise = every_third_is_lost
    with Payme(sandbox.merchant_id, sandbox.key, **options) as payme:

        def pay(receipt_id: str) -> str:
            try:
                return f"paid {payme.receipts.pay(receipt_id, token).id}"
            except OutcomeUnknown as error:
                return f"lost {error.receipt_id}"

        with ThreadPoolExecutor(THREADS) as threads:
            told = list(threads.map(pay, receipts))
    assert told == [f"{'lost' if one in lost else 'paid'} {one}" for one in receipts]
    assert [sandbox.debits(receipt) for receipt in receipts] == [1] * len(receipts)
    assert line.methods() == ["receipts.pay"] * len(receipts)
