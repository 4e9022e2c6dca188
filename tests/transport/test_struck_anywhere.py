"""Ctrl+C, a task's time limit: wherever it strikes a call, the next one finds a whole pool."""

import ctypes
import gc
import os
import random
import signal
import threading
import time
from contextlib import suppress

import pytest

from payme.transport.base import Request, TransportError
from payme.transport.blocking import BlockingTransport
from payme.transport.pool import Lease
from support.answering import answering

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer"),
    # A strike that hits a finalizer of the interpreter's is reported, and swallowed, there.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STRIKES = 7_000
LIMIT = 2


class Strike(BaseException):
    pass


def request():
    return Request("id:key", b"{}", 3.0, 3.0)


def check_whole(transport):
    """All places can be had, and no more."""
    pool = transport._pools[os.getpid()]
    leases = [Lease() for _ in range(LIMIT + 1)]
    assert [pool.take(lease, 30.0) for lease in leases] == [True] * LIMIT + [False]
    for lease in leases:
        lease.ring = lease.place = None
        pool.end(lease)
    assert transport.send(request()).status == 200


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_thousands_of_interruptions_leave_the_pool_whole(secure, server_tls, client_tls):
    chance = random.Random(1)
    kept = []

    def strike(*_):
        raise Strike

    before = signal.signal(signal.SIGALRM, strike)
    with answering(server_tls if secure else None) as server:
        url = f"http{'s' if secure else ''}://localhost:{server.port}/api"
        transport = BlockingTransport(url, client_tls, None, LIMIT)
        transport.send(request())
        try:
            for number in range(STRIKES // 2):
                if number % 2:
                    transport.send(request())
                try:
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 1e-3))
                    transport.send(request())
                    time.sleep(0.01)
                except Strike as struck:
                    # A reporter may keep it, with every frame.
                    kept.append(struck)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        # A strike that hits a finalizer of anybody's is swallowed by the interpreter.
        assert len(kept) > STRIKES // 2 - 10
        check_whole(transport)
        kept.clear()
        gc.collect()
        transport.close()


def test_threads_that_are_struck_while_they_wait_in_line_block_nobody():
    strike = ctypes.pythonapi.PyThreadState_SetAsyncExc
    with answering() as server:
        transport = BlockingTransport(f"http://127.0.0.1:{server.port}/api", None, None, LIMIT)
        stop = threading.Event()

        def call():
            while not stop.is_set():
                with suppress(Strike, TransportError):
                    transport.send(request())

        def guarded():
            while not stop.is_set():
                with suppress(Strike):
                    call()

        def ended():
            # A strike between the two calls above ends the thread, and is no failure.
            with suppress(Strike):
                guarded()

        threads = [threading.Thread(target=ended) for _ in range(6)]
        for thread in threads:
            thread.start()
        chance = random.Random(2)
        for _ in range(1_000):
            time.sleep(chance.uniform(0, 5e-4))
            strike(ctypes.c_ulong(chance.choice(threads).ident), ctypes.py_object(Strike))
        stop.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        check_whole(transport)
        transport.close()
