"""Whatever interrupts a payment says that it may have happened, and leads to what did."""

import asyncio
import logging
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from payme import AsyncPayme, OutcomeUnknown, Payme, lost_in
from payme.sandbox import Sandbox
from support import gates

celery_limit = pytest.importorskip(
    "billiard.exceptions", reason="needs Celery: pip install celery"
).SoftTimeLimitExceeded

AMOUNT = 50_000


@pytest.fixture
def delayed():
    """A sandbox whose next payment is served and then answered late."""
    with Sandbox() as sandbox:
        sandbox.faults.add("receipts.pay", when="after", action="delay", delay_ms=1500, times=1)
        yield sandbox


@contextmanager
def interrupted_by(kind, after=0.3):
    """Raise in the main thread from a signal handler, as Ctrl+C and Celery's prefork pool do."""

    def handler(_number, _frame):
        raise kind

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, celery_limit])
def test_a_signal_in_the_middle_of_a_payment(kind, delayed, caplog):
    receipt, token = delayed.add_receipt(amount=AMOUNT), delayed.add_card()
    with Payme(delayed.merchant_id, delayed.key, base_url=delayed.url) as payme:
        with pytest.raises(kind) as interrupted, interrupted_by(kind):
            payme.receipts.pay(receipt, token)
        (note,) = interrupted.value.__notes__
        assert "receipts.pay" in note
        assert receipt in note
        (record,) = [one for one in caplog.records if one.name == "payme"]
        assert record.levelno == logging.WARNING
        assert receipt in record.getMessage()
        assert kind.__name__ in record.getMessage()
        lost = lost_in(interrupted.value)
        assert isinstance(lost, OutcomeUnknown)
        assert lost.receipt_id == receipt
        assert lost.resolve(timeout=5).is_paid
        assert payme.receipts.resolve(lost, timeout=5).is_paid
    assert delayed.debits(receipt) == 1


def test_a_signal_before_anything_left_says_nothing():
    with (
        gates.deaf() as port,
        Payme("id", "key", base_url=f"http://127.0.0.1:{port}") as payme,
        pytest.raises(KeyboardInterrupt) as interrupted,
        interrupted_by(KeyboardInterrupt),
    ):
        payme.receipts.pay("0" * 24, "token")
    assert lost_in(interrupted.value) is None
    assert not hasattr(interrupted.value, "__notes__")


def test_a_signal_while_reading_moves_no_money_and_says_nothing():
    with Sandbox() as sandbox:
        sandbox.faults.add("receipts.get", when="after", action="delay", delay_ms=1000, times=1)
        receipt = sandbox.add_receipt(amount=AMOUNT)
        with (
            Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme,
            pytest.raises(KeyboardInterrupt) as interrupted,
            interrupted_by(KeyboardInterrupt),
        ):
            payme.receipts.get(receipt)
    assert lost_in(interrupted.value) is None


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, sys
from payme import Payme, lost_in
url, merchant_id, key, receipt, token = sys.argv[1:]
with Payme(merchant_id, key, base_url=url) as payme:
    try:
        with gevent.Timeout(0.3):
            payme.receipts.pay(receipt, token)
    except gevent.Timeout as limit:
        lost = lost_in(limit)
        assert lost.receipt_id == receipt, lost
        assert payme.receipts.resolve(lost, timeout=5).is_paid
        print("resolved")
"""


def test_a_time_limit_of_gevent(delayed):
    pytest.importorskip("gevent", reason="needs gevent: pip install gevent")
    receipt, token = delayed.add_receipt(amount=AMOUNT), delayed.add_card()
    arguments = [delayed.url, delayed.merchant_id, delayed.key, receipt, token]
    ran = subprocess.run(
        [sys.executable, "-c", GEVENT, *arguments], capture_output=True, text=True, timeout=30
    )
    assert ran.stdout == "resolved\n", ran.stderr
    assert delayed.debits(receipt) == 1


async def cancel(work):
    task = asyncio.create_task(work)
    await asyncio.sleep(0.3)
    task.cancel()
    await task


async def time_out(work):
    async with asyncio.timeout(0.3):
        await work


async def wait_for(work):
    await asyncio.wait_for(work, 0.3)


async def fail_beside(work):
    async def fail():
        await asyncio.sleep(0.3)
        raise ValueError

    async with asyncio.TaskGroup() as group:
        group.create_task(told(work))
        group.create_task(fail())


async def told(work):
    """A task of a group that fails otherwise: the group would drop its CancelledError."""
    try:
        await work
    except asyncio.CancelledError as cancelled:
        raise RuntimeError("interrupted") from cancelled


@pytest.mark.anyio
@pytest.mark.parametrize("interrupt", [cancel, time_out, wait_for, fail_beside])
async def test_a_cancelled_task(interrupt, delayed, caplog):
    receipt, token = delayed.add_receipt(amount=AMOUNT), delayed.add_card()
    async with AsyncPayme(delayed.merchant_id, delayed.key, base_url=delayed.url) as payme:
        with pytest.raises(BaseException) as interrupted:
            await interrupt(payme.receipts.pay(receipt, token))
        lost = lost_in(interrupted.value)
        assert lost.receipt_id == receipt
        assert (await payme.receipts.resolve(lost, timeout=5)).is_paid
    assert delayed.debits(receipt) == 1
    assert [one.levelno for one in caplog.records if one.name == "payme"] == [logging.WARNING]


def test_the_outcome_is_found_wherever_it_hides():
    lost = OutcomeUnknown("?", method="receipts.pay", receipt_id="0" * 24)
    card = OutcomeUnknown("?", method="cards.create")

    def behind(cause=None, context=None):
        error = ValueError()
        error.__cause__, error.__context__ = cause, context
        return error

    assert lost_in(lost) is lost
    assert lost_in(behind(cause=lost)) is lost
    assert lost_in(behind(context=behind(cause=lost))) is lost
    assert lost_in(behind(cause=card, context=lost)) is lost
    assert lost_in(behind(cause=card)) is card
    assert lost_in(ExceptionGroup("", [ValueError(), behind(context=lost)])) is lost
    assert lost_in(BaseExceptionGroup("", [ExceptionGroup("", [behind(lost)])])) is lost
    assert lost_in(behind()) is None
    circle = behind()
    circle.__context__ = behind(context=circle)
    assert lost_in(circle) is None
