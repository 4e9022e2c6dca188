"""Databases of any size, filled through the store itself; and one of them in a process of its own.

`python -m bench.sandbox.stores FILE SIZE` opens a sandbox on FILE and serves lines on stdin:
`OPERATION COUNT` makes COUNT calls and prints the time of each in ns; `memory OPERATION COUNT`
prints the most that Python held above what it held before, in bytes; `rss` the resident set.
"""

from __future__ import annotations

import json
import random
import sys
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payme.protocol.states import ReceiptState
from payme.sandbox import Sandbox
from payme.sandbox.engine import LedgerEntry, Receipt
from payme.sandbox.store import SqliteState, connect

if TYPE_CHECKING:
    from collections.abc import Callable

START_MS = 1_700_000_000_000
STEP_MS = 1000
PAGE = 50
CARD = "860006******6311"
PAGE_BYTES = 4096


def receipt_id(number: int) -> str:
    """Return the id of the receipt with that number."""
    # Spread over the index as Payme's ids are: those of neighbours differ in the leading digits.
    return f"{number * 2654435761 % 2**32:08x}{number:016x}"


def paid(number: int) -> Receipt:
    """Return one receipt, paid."""
    created = START_MS + number * STEP_MS
    return Receipt(
        id=receipt_id(number),
        number=number,
        create_time=created,
        amount=50_000,
        account={"order_id": number},
        state=ReceiptState.PAID,
        pay_time=created + STEP_MS,
        description="Non, 3 dona",
        card_number=CARD,
        card_expire="9903",
    )


def fill(path: Path, size: int) -> None:
    """Make a database with so many paid receipts and their ledger."""
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    state = SqliteState(connection)
    connection.execute("BEGIN")
    for _ in range(size):
        receipt = paid(state.next_number("receipt"))
        state.put_receipt(receipt)
        state.add_entry(
            LedgerEntry(
                receipt_id=receipt.id,
                card=CARD,
                amount=receipt.amount,
                kind="debit",
                time=receipt.pay_time,
            )
        )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


class Worker:
    """Makes calls of a sandbox on one of those databases."""

    def __init__(self, path: Path, size: int) -> None:
        self._sandbox = Sandbox(db=path)
        self._auth = f"{self._sandbox.merchant_id}:{self._sandbox.key}"
        self._size = size
        self._random = random.Random(1)
        self._stored = SqliteState(connect(path))
        self.operations: dict[str, Callable[[], Any]] = {
            "get": self.get,
            "stored": self.stored,
            "page": self.page,
            "middle": lambda: self.page(self._size // 2),
            "deep": lambda: self.page(self._size - PAGE),
        }

    def get(self) -> bytes:
        """Call receipts.get of any of the receipts."""
        return self._call("receipts.get", {"id": self._any()})

    def stored(self) -> object:
        """Read any of the receipts from the store, without a call."""
        return self._stored.get_receipt(self._any())

    def page(self, offset: int = 0) -> bytes:
        """Call receipts.get_all for a full page of the whole period."""
        period = {"from": START_MS, "to": START_MS + (self._size + 2) * STEP_MS}
        return self._call("receipts.get_all", {"count": PAGE, "offset": offset, **period})

    def timed(self, name: str, count: int) -> list[int]:
        """Time calls one by one."""
        operation, times = self.operations[name], []
        for _ in range(count):
            started = time.perf_counter_ns()
            operation()
            times.append(time.perf_counter_ns() - started)
        return times

    def held(self, name: str, count: int) -> int:
        """Return the most that Python held during some calls, above what it held before."""
        self.timed(name, count)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        self.timed(name, count)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - before

    def _any(self) -> str:
        return receipt_id(self._random.randint(1, self._size))

    def _call(self, method: str, params: dict[str, Any]) -> bytes:
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        answer = self._sandbox.handle(body, self._auth)
        if b'"result":' not in answer:
            raise RuntimeError(answer.decode())
        return answer


def resident() -> int | None:
    """Return the bytes of memory that this process has; None where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * PAGE_BYTES if statm.exists() else None


def main(path: str, size: str) -> None:
    """Serve until stdin ends."""
    worker = Worker(Path(path), int(size))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["rss"]:
                answer: Any = resident()
            case ["memory", name, count]:
                answer = worker.held(name, int(count))
            case [name, count]:
                answer = worker.timed(name, int(count))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
