"""Two requests at once, again and again: in threads, in tasks and in processes."""

import asyncio
import json
import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor

from scenarios import AUTH, START, Requests, code, number
from sqlshop import BlockingShop

from payme.merchant.service import Incoming

PATIENCE = 60


def in_threads(requests):
    """Send pairs of requests, both halves of a pair at once.

    Args:
        requests: Pairs of callables.

    Returns:
        Pairs of answers.
    """
    gate = threading.Barrier(2)

    def half(side):
        answers = []
        for pair in requests:
            gate.wait(PATIENCE)
            answers.append(pair[side]())
        return answers

    with ThreadPoolExecutor(2) as pool:
        left, right = (pool.submit(half, side) for side in (0, 1))
        return list(zip(left.result(), right.result(), strict=True))


class Ask(Requests):
    """Makes requests of asyncio's merchant that can be gathered."""

    def __init__(self, merchant):
        self.merchant = merchant

    async def ask(self, method, **params):
        body = json.dumps({"method": method, "params": params, "id": 9}).encode()
        return json.loads(await self.merchant.answer(Incoming("POST", body, AUTH)))


async def in_tasks(requests, at_once):
    """Send pairs of requests, `at_once` pairs at a time; gives pairs of answers."""
    turns = asyncio.Semaphore(at_once)

    async def race(pair):
        async with turns:
            return await asyncio.gather(*(ask() for ask in pair))

    return await asyncio.gather(*(race(pair) for pair in requests))


def in_processes(url, names):
    """Let two processes create and perform each a transaction of their own for every order.

    Returns:
        For each order what both got: `(code of Create, code of Perform)`, None where it succeeded.
    """
    spawn = multiprocessing.get_context("spawn")
    gate, box = spawn.Barrier(2), spawn.Queue()
    racers = [spawn.Process(target=_racer, args=(url, names, side, gate, box)) for side in (0, 1)]
    for racer in racers:
        racer.start()
    halves = dict(box.get(timeout=PATIENCE) for _ in racers)
    for racer in racers:
        racer.join(PATIENCE)
        assert racer.exitcode == 0
    return list(zip(halves[0], halves[1], strict=True))


def _racer(url, names, side, gate, box):
    shop = BlockingShop(url)
    codes = []
    for index, name in enumerate(names):
        mine = 2 * index + side
        gate.wait(PATIENCE)
        created = code(shop.create(mine, name))
        gate.wait(PATIENCE)
        # Both perform the winner's, whoever that is: one of the two was refused.
        codes.append((created, code(shop.perform(mine if created is None else mine ^ 1))))
    shop.close()
    box.put((side, codes))


def create_params(count, name):
    account = {"order_id": name}
    return {"id": number(count), "time": START, "amount": 50_000, "account": account}
