"""What runs in a process of its own, because it forks. Prints one line of JSON.

Arguments: name of the scenario, then url, id, key, CA file (may be empty), receipt ids.
"""

import contextlib
import faulthandler
import json
import multiprocessing
import os
import signal
import ssl
import sys
import threading
import warnings
from pathlib import Path

from payme import Payme
from payme.transport.pool import Lease

CALLS = 30
GIVE_UP = 4


def client(url: str, merchant_id: str, key: str, ca: str) -> Payme:
    context = ssl.create_default_context(cafile=ca) if ca else None
    return Payme(merchant_id, key, base_url=url, ssl_context=context, timeout=5, max_attempts=1)


def read(payme: Payme, receipts: list[str]) -> int:
    """Read receipts again and again; count the answers that were the right ones."""
    wanted = [receipts[number % len(receipts)] for number in range(CALLS)]
    return sum(payme.receipts.get(one).id == one for one in wanted)


def fork(work) -> int:
    """Run in a child that dies if it hangs; return its pid."""
    with warnings.catch_warnings():
        # Python 3.12 and newer warn of a fork beside other threads, which is what is tried here.
        warnings.filterwarnings("ignore", r"This process \(pid=\d+\) is multi-threaded")
        pid = os.fork()
    if pid:
        return pid
    signal.alarm(GIVE_UP)
    status = 1
    try:
        status = 0 if work() == CALLS else 2
    finally:
        os._exit(status)


def wait(pids: list[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def sockets() -> int:
    """Count the sockets of this process, where the system shows them."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        return 1
    count = 0
    for one in list(descriptors.iterdir()):
        # The descriptor of the listing itself is gone by now.
        with contextlib.suppress(FileNotFoundError):
            count += str(one.readlink()).startswith("socket:")
    return count


def at_once(payme: Payme, receipts: list[str]) -> dict[str, object]:
    """Parent and children call at the same time after a call of the parent."""
    payme.receipts.get(receipts[0])
    half = len(receipts) // 2
    children = [fork(lambda: read(payme, receipts[half:])) for _ in range(3)]
    right = read(payme, receipts[:half])
    result = {"right": right, "children": wait(children)}
    return {**result, "after": read(payme, receipts)}


def child_goes_first(payme: Payme, receipts: list[str]) -> dict[str, object]:
    """The child calls, closes and ends before the parent calls again."""
    payme.receipts.get(receipts[0])

    def work() -> int:
        right = read(payme, receipts)
        # The parent's connection is its own: a copy in the child would keep it open for ever.
        if sockets() != 1:
            return -1
        payme.close()
        return right

    children = wait([fork(work)])
    return {"children": children, "after": read(payme, receipts)}


def grandchild(payme: Payme, receipts: list[str]) -> dict[str, object]:
    payme.receipts.get(receipts[0])

    def work() -> int:
        payme.receipts.get(receipts[0])
        inner = wait([fork(lambda: read(payme, receipts))])
        return read(payme, receipts) if inner == [0] else -1

    return {"children": wait([fork(work)]), "after": read(payme, receipts)}


def in_the_middle(payme: Payme, receipts: list[str]) -> dict[str, object]:
    """Fork again and again while other threads are in the middle of calls."""
    payme.receipts.get(receipts[0])
    return in_the_first_call(payme, receipts)


def in_the_first_call(payme: Payme, receipts: list[str]) -> dict[str, object]:
    """The same, beginning while the first call still loads the transport."""
    stop = threading.Event()
    wrong = []

    def keep_calling() -> None:
        while not stop.is_set():
            wrong.extend(one for one in receipts if payme.receipts.get(one).id != one)

    threads = [threading.Thread(target=keep_calling) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(3):
        pids = [fork(lambda: read(payme, receipts)) for _ in range(2)]
        children.extend(wait(pids))
    stop.set()
    for thread in threads:
        thread.join()
    return {"children": children, "wrong": wrong, "after": read(payme, receipts)}


def places_are_taken(payme: Payme, receipts: list[str]) -> dict[str, object]:
    """Fork at the worst moment: other threads hold every place of the pool."""
    payme.receipts.get(receipts[0])
    (pool,) = payme._transport._made._pools.values()
    held = Lease()
    pool.take(held, 30.0)
    pool._limit = 1
    children = wait([fork(lambda: read(payme, receipts))])
    pool.give(held)
    return {"children": children, "after": read(payme, receipts)}


def _read_in_pool(receipts: list[str]) -> int:
    return read(PAYME, receipts)


def multiprocessing_pool(payme: Payme, receipts: list[str]) -> dict[str, object]:
    global PAYME
    PAYME = payme
    payme.receipts.get(receipts[0])
    with multiprocessing.get_context("fork").Pool(3) as pool:
        started = pool.map_async(_read_in_pool, [receipts] * 6)
        right = read(payme, receipts)
        return {"right": right, "pool": started.get(GIVE_UP), "after": read(payme, receipts)}


SCENARIOS = {
    one.__name__: one
    for one in (
        at_once,
        child_goes_first,
        grandchild,
        in_the_middle,
        in_the_first_call,
        places_are_taken,
        multiprocessing_pool,
    )
}

if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, chain=True)
    name, url, merchant_id, key, ca, *receipts = sys.argv[1:]
    with client(url, merchant_id, key, ca) as payme:
        print(json.dumps(SCENARIOS[name](payme, receipts)))
