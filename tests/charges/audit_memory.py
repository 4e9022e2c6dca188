"""Compare three books of many rows; print the peak of memory in MiB and the seconds it took.

`python -m charges.audit_memory 1000000 FOLDER`
"""

import sys
import time
from pathlib import Path

from charges.audit_books import StubPayme, charge, receipt, three_books, transaction


class Endless(StubPayme):
    """A Payme of so many paid receipts, which are made as they are asked for, in no order."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def page(self, offset, count):
        del self.asked[:]
        # 7,919 is prime, so that every number comes once.
        numbers = range(offset, min(offset + count, self.count))
        return [receipt(1 + number * 7919 % self.count) for number in numbers]

    def find(self, its_id):
        number = int(its_id, 16)
        return receipt(number) if number <= self.count else None


def main(count, folder):
    url = f"sqlite:///{folder}/books-{count}.db"
    with three_books(url, url, Endless(count)) as books:
        for first in range(1, count + 1, 1_000):
            numbers = range(first, min(first + 1_000, count + 1))
            books.add(
                charges=map(charge, numbers),
                # One in a thousand was never performed.
                transactions=(transaction(one, 2 if one % 1000 else 1) for one in numbers),
            )
        began = time.monotonic()
        # What a difference takes is let go at once, as the command line does.
        with books.audit() as audit:
            found = sum(1 for _ in audit.differences())
        took = time.monotonic() - began
    assert (found, audit.receipts, audit.charges, audit.transactions) == (
        count // 1000,
        count,
        count,
        count,
    )
    status = Path("/proc/self/status").read_text()
    top = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    print(f"{int(top.split()[1]) / 1024:.1f} {took:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
