"""What the tests of this folder share beside fixtures."""

import asyncio
import functools
import inspect
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

from django.conf import settings
from django.db import connections

from payme import Payer
from payme.charges import orders
from support.clients import Awaited

KEY = "A" * 43 + "="
TOKEN = "63119784d15d8d8d093b37b1_" + "Canary" * 8
PHONE, EMAIL = "998901304527", "aziza.canary@example.uz"
PAYER = Payer(phone=PHONE, email=EMAIL)
CANARIES = [TOKEN, TOKEN[25:], PHONE, EMAIL]


def ordered(charge_id="order-1", amount=50_000, account=None, token=TOKEN, **options):
    options = {"description": None, "detail": None, "payer": None, "hold": False, **options}
    return orders.order(
        1000.0, charge_id, amount, account or {"order_id": 1}, token, **options
    ).accepted()


def url_of(alias):
    """The address of one of Django's databases for SQLAlchemy."""
    place = settings.DATABASES[alias]
    if place["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{place['NAME']}"
    who = f"{place['USER']}:{place['PASSWORD']}@{place['HOST']}:{place['PORT']}"
    return f"postgresql+psycopg://{who}/{place['NAME']}"


@contextmanager
def without_table(alias, name):
    """A database whose migrations have not been applied, as far as one table goes."""
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name} RENAME TO payme_away")
    try:
        yield
    finally:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"ALTER TABLE payme_away RENAME TO {name}")


def shared(contract, given, others=(), *, blocking=False):
    """The tests of a contract that need only fixtures which this folder has, too.

    Those of a contract on blocking ledgers are no coroutines.
    """

    def is_shared(name, test):
        return (
            name.startswith("test_")
            and name not in others
            and inspect.iscoroutinefunction(test) is not blocking
            and {*inspect.signature(test).parameters} <= {*given, *_parameters(test)}
        )

    found = {name: test for name, test in vars(contract).items() if is_shared(name, test)}
    return found if blocking else {name: _blocking(test) for name, test in found.items()}


def _parameters(test):
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    for mark in marks:
        names = mark.args[0]
        yield from names.replace(" ", "").split(",") if isinstance(names, str) else names


def _blocking(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


class InThread(Awaited):
    """A blocking ledger in a thread of its own, or in several, whose methods are awaited."""

    def __init__(self, ledger, threads=1):
        super().__init__(ledger)
        self._count = threads
        self._threads = ThreadPoolExecutor(threads)

    def __getattr__(self, name):
        method = getattr(self._inner, name)
        if name == "iterate":
            return lambda *args: self._walk(method(*args))

        async def call(*args, **options):
            return await asyncio.wrap_future(self._threads.submit(method, *args, **options))

        return call

    async def _walk(self, iterator):
        end = object()
        while (one := self._threads.submit(next, iterator, end).result()) is not end:
            yield one

    def close(self):
        # Each waits for the others, so that every thread gets one of them.
        all_of_them = Barrier(self._count)
        ends = [self._threads.submit(self._close, all_of_them) for _ in range(self._count)]
        for end in ends:
            end.result()
        self._threads.shutdown()

    @staticmethod
    def _close(all_of_them):
        all_of_them.wait()
        connections.close_all()
