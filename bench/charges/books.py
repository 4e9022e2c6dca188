"""`payme charges audit` of many receipts: how long, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from bench.charges.ledgers import engine, opened
from bench.charges.payme import served
from bench.report import Report, Target
from bench.sandbox.stores import START_MS, STEP_MS, paid
from bench.sandbox.stores import fill as fill_payme
from payme.charges.ledger.sql import charges

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISED_MB = 100
KIB = 1024
BATCH = 10_000
HEADER = ("receipts and charges", "seconds", "CPU of the\ncommand, s", "most memory\nof it, MB")
NOTES = (
    (
        "The command itself, `payme charges audit --from --to --json`, in a process of its own: it "
        "asks a sandbox over HTTP for all receipts, 50 at a time, and lays a ledger on SQLite "
        "beside them, one charge for each receipt. One charge and one receipt have no counterpart: "
        "it must find these two, and nothing else. Memory is the largest resident set it had."
    ),
)


# A process starts with the memory peak of the one that it was forked from, and the bench has held
# a million receipts: a small process stands between them.
WATCH = """
import json, os, sys, time
said, *command = sys.argv[1:]
started = time.perf_counter()
output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
redirected = [(os.POSIX_SPAWN_DUP2, output, 1)]
child = os.posix_spawn(command[0], command, os.environ, file_actions=redirected)
_, status, usage = os.wait4(child, 0)
cpu = usage.ru_utime + usage.ru_stime
cost = {"code": os.waitstatus_to_exitcode(status), "seconds": time.perf_counter() - started}
print(json.dumps({**cost, "cpu": cpu, "most": usage.ru_maxrss}))
"""


class Cost(NamedTuple):
    """What a command took: exit code, seconds, seconds of CPU, largest resident set in KiB."""

    code: int
    seconds: float
    cpu: float
    most: int


class Audited(NamedTuple):
    """What one audit did."""

    size: int
    seconds: float
    cpu: float
    most: int
    said: dict[str, Any]


def fill(url: str, size: int) -> None:
    """Store the charge of every receipt but the last, and one that Payme does not know."""
    opened(url).close()
    shop = engine(url)
    with shop.begin() as connection:
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        for first in range(1, size, BATCH):
            batch = [charge(number) for number in range(first, min(first + BATCH, size))]
            connection.execute(sa.insert(charges), batch)
        unknown = {**charge(size), "id": "unknown", "receipt_id": "f" * 24}
        connection.execute(sa.insert(charges), [unknown])
    shop.dispose()


def charge(number: int) -> dict[str, Any]:
    """Return the row of a receipt's charge."""
    receipt = paid(number)
    return {
        "id": f"order-{number}",
        "amount": receipt.amount,
        "account": json.dumps(receipt.account),
        "state": "paid",
        "description": receipt.description,
        "hold": False,
        "receipt_id": receipt.id,
        "receipts": 1,
        "attempts": 1,
        "cancels": 0,
        "given_up": False,
        "evidence": "receipts.pay: PAID",
        "tries": 0,
        "created": receipt.create_time / 1000,
        "changed": receipt.pay_time / 1000,
        "version": 3,
        "means": b"{}",
        "leased_until": 0.0,
    }


def audited(size: int) -> Audited:
    """Make the books, and compare them."""
    with tempfile.TemporaryDirectory(prefix="payme-bench-") as folder:
        db, url = Path(folder) / "payme.db", f"sqlite:///{Path(folder) / 'ledger.db'}"
        print(f"filling a sandbox and a ledger with {size:,} receipts")
        fill_payme(db, size)
        fill(url, size)
        with served(0, db) as payme:
            return run(size, url, payme.environment(), Path(folder) / "said.json")


def run(size: int, url: str, environment: dict[str, str], said: Path) -> Audited:
    """Run the command, and return what it cost."""
    ends = (START_MS, START_MS + (size + 2) * STEP_MS)
    since, until = (datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in ends)
    command = [sys.executable, "-c", "from payme.cli import main; main()"]
    command += ["charges", "audit", "--from", since, "--to", until, "--ledger", url, "--json"]
    watcher = [sys.executable, "-I", "-S", "-c", WATCH, str(said), *command]
    watched = subprocess.run(watcher, env=environment, stdout=subprocess.PIPE, check=True)
    cost = Cost(**json.loads(watched.stdout))
    if cost.code != 1:
        raise RuntimeError(f"exit code {cost.code}: {said.read_text()}")
    answer = json.loads(said.read_text())
    prove(answer, size)
    return Audited(size, cost.seconds, cost.cpu, cost.most * KIB, answer)


def prove(answer: dict[str, Any], size: int) -> None:
    """Check that it read all and found the two that differ.

    Raises:
        RuntimeError: It did not.
    """
    text = json.dumps(answer)
    read = f'"receipts": {size}' in text and f'"charges": {size}' in text
    if not read or '"differ": 2' not in text:
        raise RuntimeError(text[:1000])


def measure(sizes: tuple[int, int]) -> Report:
    """Audit the smaller and the larger books.

    Args:
        sizes: Receipts, as many as charges.
    """
    audits = [audited(size) for size in sizes]
    return Report(
        title="Charges: the audit",
        header=HEADER,
        rows=[row(each) for each in audits],
        targets=list(targets(audits[-1])),
        notes=NOTES,
    )


def row(audit: Audited) -> list[str]:
    """Return one line of the table."""
    return [
        f"{audit.size:,}",
        f"{audit.seconds:,.1f}",
        f"{audit.cpu:,.1f}",
        f"{audit.most / 1e6:,.1f}",
    ]


def targets(audit: Audited) -> Iterator[Target]:
    """Yield the promise."""
    yield Target(
        f"an audit of {audit.size:,} receipts takes less than {PROMISED_MB} MB of memory",
        f"{audit.most / 1e6:.1f} MB",
        audit.most < PROMISED_MB * 1e6,
    )
