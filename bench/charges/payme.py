"""Payme in a process of its own: the sandbox, which answers so many milliseconds late.

`python -m bench.charges.payme DELAY_MS [FILE]` prints where it is and who may call it, then serves
lines on stdin: `cpu` asks for the CPU used so far in ns, `moved` for what its own ledger says of
the orders, `reset` forgets it all.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.client.rounds import Process
from payme.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLOW = ("receipts.create", "receipts.pay", "receipts.check", "receipts.get")
MANY = 10_000_000


def moved(sandbox: Sandbox) -> dict[str, int]:
    """Add up what the sandbox's ledger says: each order must have one debit and nothing else."""
    order_of = {
        receipt.id: str((receipt.account or {}).get("order_id"))
        for receipt in sandbox.receipts(MANY)
    }
    entries = sandbox.ledger()
    debits = Counter(order_of[entry.receipt_id] for entry in entries if entry.kind == "debit")
    return {
        "receipts": len(order_of),
        "debited": len(debits),
        "twice": sum(count > 1 for count in debits.values()),
        "other": sum(entry.kind != "debit" for entry in entries),
    }


def main(delay_ms: str, db: str | None = None) -> None:
    """Serve until stdin ends."""
    sandbox = Sandbox(db=db, seed=1)
    with sandbox:

        def hello() -> dict[str, str]:
            if int(delay_ms):
                for method in SLOW:
                    sandbox.faults.add(method, action="delay", delay_ms=int(delay_ms))
            return {
                "url": sandbox.url,
                "merchant": sandbox.merchant_id,
                "key": sandbox.key,
                "token": sandbox.add_card(),
            }

        print(json.dumps(hello()), flush=True)
        for line in sys.stdin:
            match line.strip():
                case "cpu":
                    answer: Any = time.process_time_ns()
                case "moved":
                    answer = moved(sandbox)
                case "reset":
                    sandbox.reset()
                    answer = hello()
            print(json.dumps(answer), flush=True)


class Payme:
    """The process, and how to call it."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.hello: dict[str, str] = process.hear()

    @property
    def token(self) -> str:
        """A card that never runs dry."""
        return self.hello["token"]

    def reset(self) -> None:
        """Forget all receipts."""
        self.hello = self.process.ask("reset")

    def cpu(self) -> int:
        """Return the CPU that it has used, in ns."""
        return self.process.ask("cpu")

    def moved(self) -> dict[str, int]:
        """Return what its ledger says."""
        return self.process.ask("moved")

    def environment(self) -> dict[str, str]:
        """Return what the command line takes its credentials from."""
        return {
            **os.environ,
            "PAYME_BASE_URL": self.hello["url"],
            "PAYME_MERCHANT_ID": self.hello["merchant"],
            "PAYME_KEY": self.hello["key"],
        }


@contextmanager
def served(delay_ms: int, db: Path | None = None) -> Iterator[Payme]:
    """Run it, in memory or on a file."""
    file = () if db is None else (str(db),)
    command = (sys.executable, "-m", "bench.charges.payme", str(delay_ms), *file)
    process = Process(command, dict(os.environ))
    try:
        yield Payme(process)
    finally:
        process.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
