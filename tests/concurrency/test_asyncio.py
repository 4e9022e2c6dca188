"""One asyncio client: many tasks, and more than one loop."""

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from payme import AsyncPayme
from support.clients import LOOPS, run_on
from support.listener import GIVE_UP

IN_FLIGHT = 500
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(params=LOOPS)
def run(request):
    """`asyncio.run`, under asyncio and under uvloop."""
    return lambda main: run_on(request.param, main)


def test_five_hundred_payments_in_flight_pay_each_receipt_once(run, sandbox):
    token = sandbox.add_card()
    receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(IN_FLIGHT)]

    async def main():
        async with AsyncPayme(
            sandbox.merchant_id, sandbox.key, base_url=sandbox.url, timeout=20
        ) as payme:
            return await asyncio.gather(*(payme.receipts.pay(one, token) for one in receipts))

    paid = run(main())
    assert [receipt.id for receipt in paid] == receipts
    assert [receipt.amount for receipt in paid] == [1000 + number for number in range(IN_FLIGHT)]
    assert all(receipt.is_paid for receipt in paid)
    assert [sandbox.debits(one) for one in receipts] == [1] * IN_FLIGHT


def test_one_receipt_paid_from_many_tasks_is_debited_once(run, sandbox):
    token, receipt = sandbox.add_card(), sandbox.add_receipt()

    async def main():
        async with AsyncPayme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url) as payme:
            pays = (payme.receipts.pay(receipt, token) for _ in range(50))
            return await asyncio.gather(*pays, return_exceptions=True)

    ended = run(main())
    assert {(one.id, one.is_paid) for one in ended} == {(receipt, True)}
    assert sandbox.debits(receipt) == 1


def test_connections_are_no_more_than_tasks_in_flight(run, line, options, sandbox):
    receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(20)]

    async def main():
        async with AsyncPayme(sandbox.merchant_id, sandbox.key, **options) as payme:
            for _ in range(5):
                got = await asyncio.gather(*map(payme.receipts.get, receipts))
                assert [receipt.id for receipt in got] == receipts

    run(main())
    assert line.connections <= len(receipts)


@pytest.mark.slow
def test_client_is_used_in_one_loop_after_another(run, line, options, sandbox):
    """As scripts and task queues do: a client in a module, and `asyncio.run` around each call."""
    receipt = sandbox.add_receipt()
    payme = AsyncPayme(sandbox.merchant_id, sandbox.key, **options)

    async def check():
        return await payme.receipts.check(receipt)

    for _ in range(5):
        assert run(check()) == 0
    run(payme.aclose())
    gc.collect()
    line.wait_until(lambda: line.open_connections == 0)


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
def test_loops_that_ended_leave_no_sockets_behind(run, line, options, sandbox):
    receipt = sandbox.add_receipt()
    payme = AsyncPayme(sandbox.merchant_id, sandbox.key, **options)

    async def check():
        return await payme.receipts.check(receipt)

    run(check())
    before = sum(1 for _ in DESCRIPTORS.iterdir())
    for _ in range(5):
        run(check())
    gc.collect()
    # Both ends are in this process.
    assert sum(1 for _ in DESCRIPTORS.iterdir()) <= before + 2
    run(payme.aclose())


@pytest.mark.slow
def test_client_is_used_in_two_loops_at_once(run, line, options, sandbox):
    receipts = [sandbox.add_receipt(amount=1000 + number) for number in range(2)]
    payme = AsyncPayme(sandbox.merchant_id, sandbox.key, **options)
    start = threading.Barrier(2, timeout=GIVE_UP)
    amounts: dict[int, set[int]] = {}
    closed = []

    async def use(number):
        start.wait()
        amounts[number] = {(await payme.receipts.get(receipts[number])).amount for _ in range(50)}
        tasks = (payme.receipts.get(receipts[number]) for _ in range(10))
        amounts[number] |= {receipt.amount for receipt in await asyncio.gather(*tasks)}
        # Each loop has a pool of its own and closes its own, the second after the first.
        start.wait()
        if number:
            start.wait()
        await payme.aclose()
        closed.append(number)
        if not number:
            start.wait()

    threads = [threading.Thread(target=run, args=(use(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert amounts == {0: {1000}, 1: {1001}}
    assert closed == [0, 1]
    gc.collect()
    line.wait_until(lambda: line.open_connections == 0)
