"""The sandbox's memory: SQLite, in the process or in a file.

The engine sees `SqliteState`, one transaction at a time. Who opens and ends the transactions is in
`runner`.
"""

import sqlite3
from pathlib import Path
from typing import Any, Final

import msgspec

from payme.sandbox.engine.model import (
    Card,
    Exchange,
    LedgerEntry,
    MerchantTransaction,
    Receipt,
    Sms,
)
from payme.sandbox.errors import SandboxError

SCHEMA_VERSION: Final = 3

MAX_EXCHANGES: Final = 10_000
"""How many exchanges with the merchant are remembered."""

# "Paym": tells the sandbox's files from all other SQLite files, so that none of those is changed.
_APPLICATION_ID: Final = 0x5061796D

_BUSY_TIMEOUT_S: Final = 5.0

# What a query reads stands in columns; the rest of a record is one MessagePack value, so that a new
# field needs no new column.
_SCHEMA: Final = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE card (token TEXT PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE receipt (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    create_time INTEGER NOT NULL,
    due_at INTEGER,
    record BLOB NOT NULL
);
CREATE INDEX receipt_by_time ON receipt (create_time, number);
CREATE INDEX receipt_due ON receipt (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY, receipt_id TEXT NOT NULL, record BLOB NOT NULL
);
CREATE INDEX ledger_by_receipt ON ledger (receipt_id);
CREATE TABLE sms (number INTEGER PRIMARY KEY, record BLOB NOT NULL);
"""

# What version 2 added: the other side's ledger, and how it came about.
_MERCHANT_SCHEMA: Final = """
CREATE TABLE exchange (
    number INTEGER PRIMARY KEY, receipt_id TEXT NOT NULL, record BLOB NOT NULL
);
CREATE INDEX exchange_by_receipt ON exchange (receipt_id, number);
CREATE TABLE merchant_ledger (receipt_id TEXT PRIMARY KEY, record BLOB NOT NULL);
"""

# What version 3 added: a note that receipts are not numbered in the order of their times, each the
# number after the last one's.
_UNORDERED_SCHEMA: Final = """
INSERT INTO counter SELECT 'unordered receipts', 1 WHERE EXISTS (
    SELECT 1 FROM (
        SELECT number, create_time, lag(number) OVER numbered AS number_before,
            lag(create_time) OVER numbered AS time_before
        FROM receipt WINDOW numbered AS (ORDER BY number)
    ) WHERE number <> number_before + 1 OR create_time < time_before
);
"""

_MARKS: Final = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

_MIGRATIONS: Final = (_SCHEMA, _MERCHANT_SCHEMA, _UNORDERED_SCHEMA)
"""The scripts that lead from each version to the next."""

_COUNT: Final = """
INSERT INTO counter VALUES (?, 1)
ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value
"""

_CHANGE_RECEIPT: Final = "UPDATE receipt SET due_at = ?, record = ? WHERE number = ?"

_ADD_RECEIPT: Final = """
INSERT INTO receipt (number, id, create_time, due_at, record) VALUES (?, ?, ?, ?, ?)
"""

_LAST_RECEIPT: Final = "SELECT number, create_time FROM receipt ORDER BY number DESC LIMIT 1"

_ARE_UNORDERED: Final = "SELECT 1 FROM counter WHERE name = 'unordered receipts'"

_SET_UNORDERED: Final = "INSERT OR IGNORE INTO counter VALUES ('unordered receipts', 1)"

# While numbers follow the times, the offset is a difference of numbers: no page is further away
# than another.
_ORDERED_PAGE: Final = """
SELECT record FROM receipt WHERE number BETWEEN (
    SELECT number FROM receipt WHERE create_time >= ? ORDER BY create_time, number LIMIT 1
) AND (
    SELECT number FROM receipt WHERE create_time <= ?
    ORDER BY create_time DESC, number DESC LIMIT 1
) - ?
ORDER BY number DESC LIMIT ?
"""

# The page is cut out of the index alone, and only its rows are read from the table.
_PAGE: Final = """
SELECT record FROM receipt JOIN (
    SELECT number FROM receipt WHERE create_time BETWEEN ? AND ?
    ORDER BY create_time DESC, number DESC LIMIT ? OFFSET ?
) USING (number)
ORDER BY create_time DESC, number DESC
"""

_ALWAYS: Final = (-(2**63), 2**63 - 1)

_encode = msgspec.msgpack.Encoder().encode
_read_card = msgspec.msgpack.Decoder(Card).decode
_read_receipt = msgspec.msgpack.Decoder(Receipt).decode
_read_entry = msgspec.msgpack.Decoder(LedgerEntry).decode
_read_sms = msgspec.msgpack.Decoder(Sms).decode
_read_exchange = msgspec.msgpack.Decoder(Exchange).decode
_read_transaction = msgspec.msgpack.Decoder(MerchantTransaction).decode


def connect(path: str | Path | None) -> sqlite3.Connection:
    """Open a sandbox's database, and make it if it is not there.

    Args:
        path: File; None for a database in memory.

    Raises:
        SandboxError: If the file can't be opened, belongs to something else, or was written by a
            newer version of this package.
    """
    try:
        return _open(":memory:" if path is None else str(path))
    except (sqlite3.Error, ValueError) as error:
        raise SandboxError(unusable(path, error)) from error


def unusable(path: str | Path | None, error: object) -> str:
    """Say that a file can't be used, and why."""
    hint = " (another program has it open)" if "locked" in str(error) else ""
    return f"can't use {path} as the sandbox's database: {error}{hint}"


class SqliteState:
    """The engine's `State` on a SQLite connection, one job at a time.

    A job's writes stand under a savepoint, which the first of them sets: a job that only reads
    needs none, and every statement costs as much as the decision that it stores.

    Args:
        connection: A connection made by `connect`, which nobody else writes with.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._has_savepoint = False
        # The card that this job read last: the next step of a payment asks for it again.
        self._card: Card | None = None
        # Number and time of the newest receipt, for the order of the next one. If another program
        # wrote to the file, the numbers have a gap, and the order counts as lost.
        self._last_receipt: tuple[int, int] | None = None

    def keep(self) -> None:
        """End a job: what it wrote is part of the transaction, or stored if there is none."""
        self._card = None
        if self._has_savepoint:
            self._has_savepoint = False
            self._execute("RELEASE job")

    def undo(self) -> None:
        """End a job and take back what it wrote."""
        self.forget()
        if self._has_savepoint:
            self._has_savepoint = False
            # A disk that is full has ended the transaction already.
            if self._connection.in_transaction:
                self._execute("ROLLBACK TO job")
                self._execute("RELEASE job")

    def forget(self) -> None:
        """Forget what was remembered of the last job: it was taken back."""
        self._card = self._last_receipt = None

    def _write(self, statement: str, row: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        if not self._has_savepoint:
            self._execute("SAVEPOINT job")
            self._has_savepoint = True
        return self._execute(statement, row)

    def setting(self, name: str) -> str | None:
        """Read a setting that is stored with the database."""
        row = self._execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put_setting(self, name: str, value: str) -> None:
        """Store a setting."""
        self._write("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    def next_number(self, name: str) -> int:
        """Count one up and return the new value; the first is 1."""
        return int(self._write(_COUNT, (name,)).fetchone()[0])

    def get_card(self, token: str) -> Card | None:
        """Find a card by its token, removed ones included."""
        if self._card is None or self._card.token != token:
            row = self._execute("SELECT record FROM card WHERE token = ?", (token,)).fetchone()
            self._card = None if row is None else _read_card(row[0])
        return self._card

    def put_card(self, card: Card) -> None:
        """Store a card in place of the one with the same token."""
        self._write("INSERT OR REPLACE INTO card VALUES (?, ?)", (card.token, _encode(card)))
        self._card = card

    def last_cards(self, count: int) -> list[Card]:
        """List cards, the last one used first, removed ones included."""
        rows = self._execute("SELECT record FROM card ORDER BY rowid DESC LIMIT ?", (count,))
        return [_read_card(record) for (record,) in rows]

    def get_receipt(self, receipt_id: str) -> Receipt | None:
        """Find a receipt by its id."""
        row = self._execute("SELECT record FROM receipt WHERE id = ?", (receipt_id,)).fetchone()
        return None if row is None else _read_receipt(row[0])

    def put_receipt(self, receipt: Receipt) -> None:
        """Store a receipt in place of the one with the same number."""
        row = (receipt.due_at, _encode(receipt), receipt.number)
        if not self._write(_CHANGE_RECEIPT, row).rowcount:
            self.add_receipt(receipt)

    def add_receipt(self, receipt: Receipt) -> None:
        """Store a new receipt."""
        if not self._keeps_order(receipt):
            self._write(_SET_UNORDERED)
        number, created = receipt.number, receipt.create_time
        self._write(_ADD_RECEIPT, (number, receipt.id, created, receipt.due_at, _encode(receipt)))
        self._last_receipt = None if number < self._last_number() else (number, created)

    def list_receipts(
        self, period: tuple[int, int] | None, *, count: int, offset: int
    ) -> list[Receipt]:
        """List receipts by time of creation, the newest first."""
        if self._execute(_ARE_UNORDERED).fetchone():
            rows = self._execute(_PAGE, (*(period or _ALWAYS), count, offset))
        else:
            rows = self._execute(_ORDERED_PAGE, (*(period or _ALWAYS), offset, count))
        return [_read_receipt(record) for (record,) in rows]

    def _keeps_order(self, receipt: Receipt) -> bool:
        """Return whether numbers follow the times with this new receipt, if they did before.

        A clock that was set back makes one that does not.
        """
        if self._last_receipt is None:
            self._last_receipt = self._execute(_LAST_RECEIPT).fetchone()
        if self._last_receipt is None:
            return True
        number, create_time = self._last_receipt
        return receipt.number == number + 1 and receipt.create_time >= create_time

    def _last_number(self) -> int:
        return 0 if self._last_receipt is None else self._last_receipt[0]

    def due_receipts(self, now: int, since: int | None = None) -> list[Receipt]:
        """List the receipts whose `due_at` has come, from a moment on or from the beginning."""
        query = "SELECT record FROM receipt WHERE due_at BETWEEN ? AND ? ORDER BY due_at, number"
        rows = self._execute(query, (_ALWAYS[0] if since is None else since, now))
        return [_read_receipt(record) for (record,) in rows]

    def next_due(self, after: int, until: int) -> int | None:
        """Find the first `due_at` after a moment, up to another; None if there is none."""
        query = "SELECT min(due_at) FROM receipt WHERE due_at > ? AND due_at <= ?"
        found: tuple[int | None] = self._execute(query, (after, until)).fetchone()
        return found[0]

    def add_entry(self, entry: LedgerEntry) -> None:
        """Append to the ledger."""
        row = (entry.receipt_id, _encode(entry))
        self._write("INSERT INTO ledger (receipt_id, record) VALUES (?, ?)", row)

    def entries(self, receipt_id: str | None = None) -> list[LedgerEntry]:
        """List the ledger in the order it was written, of one receipt or of all."""
        if receipt_id is None:
            rows = self._execute("SELECT record FROM ledger ORDER BY number")
        else:
            query = "SELECT record FROM ledger WHERE receipt_id = ? ORDER BY number"
            rows = self._execute(query, (receipt_id,))
        return [_read_entry(record) for (record,) in rows]

    def last_entries(self, count: int) -> list[LedgerEntry]:
        """List the end of the ledger, the newest first."""
        rows = self._execute("SELECT record FROM ledger ORDER BY number DESC LIMIT ?", (count,))
        return [_read_entry(record) for (record,) in rows]

    def add_exchange(self, exchange: Exchange) -> None:
        """Append to the exchanges with the merchant; the oldest are forgotten."""
        row = (exchange.number, exchange.receipt_id, _encode(exchange))
        self._write("INSERT OR REPLACE INTO exchange VALUES (?, ?, ?)", row)
        self._write("DELETE FROM exchange WHERE number <= ?", (exchange.number - MAX_EXCHANGES,))

    def exchanges(self, receipt_id: str | None = None) -> list[Exchange]:
        """List the exchanges in the order they began, of one receipt or of all."""
        if receipt_id is None:
            rows = self._execute("SELECT record FROM exchange ORDER BY number")
        else:
            query = "SELECT record FROM exchange WHERE receipt_id = ? ORDER BY number"
            rows = self._execute(query, (receipt_id,))
        return [_read_exchange(record) for (record,) in rows]

    def last_exchanges(self, count: int) -> list[Exchange]:
        """List the last exchanges, the newest first."""
        query = "SELECT record FROM exchange ORDER BY number DESC LIMIT ?"
        return [_read_exchange(record) for (record,) in self._execute(query, (count,))]

    def get_transaction(self, receipt_id: str) -> MerchantTransaction | None:
        """Find what the merchant last said about a receipt's transaction."""
        query = "SELECT record FROM merchant_ledger WHERE receipt_id = ?"
        row = self._execute(query, (receipt_id,)).fetchone()
        return None if row is None else _read_transaction(row[0])

    def put_transaction(self, transaction: MerchantTransaction) -> None:
        """Store what the merchant said in place of what it said before."""
        row = (transaction.receipt_id, _encode(transaction))
        self._write("INSERT OR REPLACE INTO merchant_ledger VALUES (?, ?)", row)

    def transactions(self, after: str = "", count: int = 1000) -> list[MerchantTransaction]:
        """List a page of the merchant's ledger by receipt id, from the one after `after`."""
        query = (
            "SELECT record FROM merchant_ledger WHERE receipt_id > ? ORDER BY receipt_id LIMIT ?"
        )
        rows = self._execute(query, (after, count))
        return [_read_transaction(record) for (record,) in rows]

    def last_transactions(self, count: int) -> list[MerchantTransaction]:
        """List the end of the merchant's ledger, the newest first: ids begin with a time."""
        query = "SELECT record FROM merchant_ledger ORDER BY receipt_id DESC LIMIT ?"
        return [_read_transaction(record) for (record,) in self._execute(query, (count,))]

    def add_sms(self, sms: Sms) -> None:
        """Append to the outbox."""
        self._write("INSERT INTO sms (record) VALUES (?)", (_encode(sms),))

    def outbox(self) -> list[Sms]:
        """List the outbox in the order it was written."""
        rows = self._execute("SELECT record FROM sms ORDER BY number")
        return [_read_sms(record) for (record,) in rows]

    def last_sms(self, count: int) -> list[Sms]:
        """List the end of the outbox, the newest first."""
        rows = self._execute("SELECT record FROM sms ORDER BY number DESC LIMIT ?", (count,))
        return [_read_sms(record) for (record,) in rows]

    def clear(self) -> None:
        """Forget everything but the settings."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'setting'"
        self.forget()
        for (table,) in self._execute(query).fetchall():
            self._write(f"DELETE FROM {table}")  # noqa: S608 - a name of the schema above


def _open(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    try:
        _prepare(connection, name)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, name: str) -> None:
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise SandboxError(
            f"{name} was written by a newer payme-uz (database version {version}, this one reads "
            f"up to {SCHEMA_VERSION}): upgrade payme-uz, or name another file"
        )
    if _pragma(connection, "application_id") not in {0, _APPLICATION_ID} or (
        version == 0 and _pragma(connection, "schema_version")
    ):
        raise SandboxError(f"{name} is not a database of the sandbox: name another file")
    connection.execute("PRAGMA journal_mode = WAL")
    # A payment that was answered must survive a power cut, so every commit reaches the disk.
    connection.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA_VERSION:
        missing = "".join(_MIGRATIONS[version:])
        connection.executescript(f"BEGIN IMMEDIATE; {missing} {_MARKS} COMMIT;")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
