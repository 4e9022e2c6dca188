"""What runs in a process of its own, because it may crash it: the first answers, in many threads.

Preparing an enumeration for decoding takes a moment in which other threads run. Here that moment is
made long, so that they all come through it.
"""

import enum
import json
import threading
import time

from payme import Payme
from payme.transport.memory import MemoryTransport

THREADS = 8
set_attribute = enum.EnumType.__setattr__


def set_attribute_slowly(kind: type, name: str, value: object) -> None:
    time.sleep(0.02)
    set_attribute(kind, name, value)


enum.EnumType.__setattr__ = set_attribute_slowly


def answer(body: bytes, _auth: str) -> bytes:
    """Stand for the sandbox, which would prepare the same enumeration."""
    request = json.loads(body)
    shown = {"_id": RECEIPT, "state": 4, "amount": 50_000, "create_time": 1_700_000_000_000}
    result = {"receipt": shown} if request["method"] == "receipts.get" else {"state": 4}
    return json.dumps({"id": request["id"], "result": result}).encode()


RECEIPT = "0" * 24
payme = Payme("0" * 24, "key", transport=MemoryTransport(answer))
start = threading.Barrier(THREADS, timeout=10)
right = []


def call(number: int) -> None:
    start.wait()
    for _ in range(3):
        if number % 2:
            right.append(payme.receipts.get(RECEIPT).is_paid)
        else:
            right.append(payme.receipts.check(RECEIPT) == 4)


threads = [threading.Thread(target=call, args=(number,)) for number in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert right == [True] * (3 * THREADS)
