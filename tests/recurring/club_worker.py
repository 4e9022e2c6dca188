"""A runner of subscriptions in a process of its own: `Recurring.run` or `AsyncRecurring.run`.

It reads its time from a clock that the test moves, and sends notices as it goes.
"""

import asyncio
import os
import threading

from procrastinate import App, PsycopgConnector

from charges.kill_worker import CLIENT, POLICY
from charges.ledgers import KEY
from charges.procrastinate_worker import WORKER
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, SqlLedger
from payme.recurring import AsyncRecurring, Recurring, asked
from payme.recurring.engines.procrastinate import ProcrastinateRecurringEngine

# Seconds between two looks into the outbox.
LOOK = 0.02


class SharedClock:
    """The time of the club: a file, since a killed process would keep a lock for ever."""

    def __init__(self, path):
        self._path = path

    @property
    def value(self):
        return float(self._path.read_text(encoding="ascii"))

    @value.setter
    def value(self, moment):
        written = self._path.with_suffix(f".{os.getpid()}")
        written.write_text(repr(moment), encoding="ascii")
        written.replace(self._path)


class Post:
    """Where notices are sent: lines of a file, which a killed process leaves behind."""

    def __init__(self, path):
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def send(self, message):
        line = f"{message.subscription} {message.n} {message.kind}\n"
        os.write(self._file, line.encode())


def make_recurring(database, clock, url, merchant_id, key):
    """Make blocking subscriptions, for the time that `clock` shows."""
    payme = Payme(merchant_id, key, base_url=url, **CLIENT)
    charges = Charges(payme, SqlLedger(database, keys=[KEY]), policy=POLICY)
    return Recurring(charges, now=lambda: clock.value)


def make_async_recurring(database, clock, url, merchant_id, key):
    """Make subscriptions for asyncio."""
    payme = AsyncPayme(merchant_id, key, base_url=url, **CLIENT)
    charges = AsyncCharges(payme, AsyncSqlLedger(database, keys=[KEY]), policy=POLICY)
    return AsyncRecurring(charges, now=lambda: clock.value)


def work(style, post, *arguments):
    """Run subscriptions until killed."""
    # A month passes in seconds here.
    asked.LOOK_AGAIN = LOOK
    if style == "asyncio":
        asyncio.run(_work(Post(post), *arguments))
        return
    recurring = make_recurring(*arguments)
    threading.Thread(target=_deliver, args=(recurring, Post(post)), daemon=True).start()
    recurring.run(in_flight=5)


def _deliver(recurring, post):
    again = threading.Event()
    while not again.wait(LOOK):
        for message in recurring.outbox():
            post.send(message)
            recurring.sent(message)


async def _work(post, *arguments):
    recurring = make_async_recurring(*arguments)
    delivering = asyncio.create_task(_adeliver(recurring, post))
    await recurring.run(in_flight=10)
    delivering.cancel()


async def _adeliver(recurring, post):
    while True:
        for message in await recurring.outbox():
            post.send(message)
            await recurring.sent(message)
        await asyncio.sleep(LOOK)


def tick_together(barrier, found, moments, clock, *arguments):
    """At each moment, tick when the others do; then drive what was opened, as the others do."""
    recurring = make_recurring(*arguments[:1], clock, *arguments[1:])
    done = []
    for moment in moments:
        barrier.wait(60)
        clock.value = moment
        done.append(recurring.tick(moment))
        recurring.run(in_flight=2, drain=True)
    found.put(done)


def work_jobs(style, at_work, database, *arguments):
    """Run a worker of Procrastinate's until killed; it says when its first job has begun."""
    makers = {"threads": make_recurring, "asyncio": make_async_recurring}

    def make():
        at_work.set()
        return makers[style](database, *arguments)

    app = App(connector=PsycopgConnector(conninfo=database, min_size=1, max_size=4))
    ProcrastinateRecurringEngine(app, make, cron="* * * * * */1", sweep_limit=50, stalled_after=3.0)
    app.run_worker(concurrency=5, **WORKER)
