"""Payme's receipts of a period, in a file of SQLite's that is gone when it is closed."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from payme.charges.audit.books import BATCH
from payme.charges.audit.differences import Side, payme_side
from payme.charges.core import Charge
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState

R = ReceiptState

SKEW: Final = 600.0
"""Seconds by which Payme's clock and this one may differ."""


class Listed(NamedTuple):
    """A receipt as Payme listed it.

    Attributes:
        account: The account as it is shown; a JSON object of texts.
        charge: The charge that has it; None if none was found.
        made_for: The charge that it was probably made for, if no charge has it.
    """

    id: str
    amount: int
    state: int
    created: int
    account: str
    description: str | None
    charge: str | None
    made_for: str | None

    @property
    def side(self) -> Side:
        """What Payme says."""
        return payme_side(self.state, self.amount)

    @property
    def fields(self) -> dict[str, str]:
        """The account as it is shown."""
        shown: dict[str, str] = json.loads(self.account)
        return shown


_COLUMNS: Final = ", ".join(Listed._fields)

# `transacted` is 1 for a receipt that has a transaction at the merchant.
_CREATE: Final = (
    "CREATE TABLE receipt (id TEXT PRIMARY KEY, amount INTEGER, state INTEGER, created INTEGER,"
    " account TEXT, description TEXT, charge TEXT, made_for TEXT, transacted INTEGER DEFAULT 0)"
    " WITHOUT ROWID"
)
_UNKNOWN: Final = "charge IS NULL AND transacted = 0"
_UNPAID: Final = f"{_UNKNOWN} AND state = {int(R.CREATED)}"


class Listing:
    """The receipts, and what is known of each."""

    def __init__(self) -> None:
        # An empty name is a file that SQLite deletes; a few pages of it are kept in memory.
        self._connection = sqlite3.connect("", isolation_level=None)
        self._execute = self._connection.execute
        self._execute(_CREATE)

    def close(self) -> None:
        """Throw it away."""
        self._connection.close()

    def fill(self, receipts: Iterable[Receipt]) -> int:
        """Take what Payme lists; a receipt that comes twice counts once, as it came last."""
        self._execute("BEGIN")
        self._connection.executemany(
            "INSERT OR REPLACE INTO receipt (id, amount, state, created, account, description)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            map(_row, receipts),
        )
        return self._count("TRUE")

    def claim(self, receipt_id: str, charge_id: str) -> Listed | None:
        """Note which charge has a receipt, and return the receipt."""
        sql = f"UPDATE receipt SET charge = ? WHERE id = ? RETURNING {_COLUMNS}"  # noqa: S608
        found = self._execute(sql, (charge_id, receipt_id)).fetchone()
        return None if found is None else Listed(*found)

    def batches(self) -> Iterator[list[Listed]]:
        """Read all receipts in the order of their ids, some at a time."""
        after = ""
        while batch := self._read("id > ? ORDER BY id LIMIT ?", after, BATCH):
            yield batch
            after = batch[-1].id

    def have_transactions(self, receipt_ids: Iterable[str]) -> None:
        """Note which receipts have a transaction at the merchant."""
        sql = "UPDATE receipt SET transacted = 1 WHERE id = ?"
        self._connection.executemany(sql, ((one,) for one in receipt_ids))

    def has(self, receipt_id: str) -> bool:
        """Return whether Payme listed a receipt."""
        found = self._execute("SELECT 1 FROM receipt WHERE id = ?", (receipt_id,))
        return found.fetchone() is not None

    def cancelled(self) -> int:
        """Count the receipts of no charge that can take no money."""
        return self._count(f"charge IS NULL AND state = {int(R.CANCELLED)}")

    def transacted(self) -> int:
        """Count the receipts that have a transaction."""
        return self._count("transacted = 1")

    def has_unpaid(self) -> bool:
        """Prepare for looking by money, and return whether there is a need to."""
        self._execute("CREATE INDEX by_money ON receipt (amount, created)")
        return self._count(_UNPAID) > 0

    def for_money(self, charge: Charge) -> list[Listed]:
        """Find the unpaid receipts over a charge's amount that were made while it was driven."""
        until = max(charge.changed, charge.due or 0.0)
        times = ((charge.created - SKEW) * 1000, (until + SKEW) * 1000)
        which = f"amount = ? AND created BETWEEN ? AND ? AND {_UNPAID} LIMIT 100"
        return self._read(which, charge.amount, *times)

    def suggest(self, receipt_id: str, charge_id: str) -> None:
        """Note for which charge a receipt was probably made."""
        self._execute("UPDATE receipt SET made_for = ? WHERE id = ?", (charge_id, receipt_id))

    def left(self) -> Iterator[Listed]:
        """Read what neither a charge nor a transaction has and was not cancelled, by id."""
        which = f"{_UNKNOWN} AND state <> {int(R.CANCELLED)} ORDER BY id"
        for row in self._execute(_select(which)):
            yield Listed(*row)

    def _read(self, which: str, *values: Any) -> list[Listed]:
        return [Listed(*row) for row in self._execute(_select(which), values)]

    def _count(self, which: str) -> int:
        sql = f"SELECT count(*) FROM receipt WHERE {which}"  # noqa: S608 - written above
        return int(self._execute(sql).fetchone()[0])


def _select(which: str) -> str:
    return f"SELECT {_COLUMNS} FROM receipt WHERE {which}"  # noqa: S608 - written above


def _row(receipt: Receipt) -> tuple[Any, ...]:
    fields = {field.name: field.value for field in receipt.account or ()}
    said = receipt.description or None
    state, account = int(receipt.state), _account(fields)
    return receipt.id, receipt.amount, state, receipt.create_time, account, said


def _account(fields: Mapping[str, object]) -> str:
    """Write an account; `7` and `"7"` are the same."""
    return json.dumps({name: str(value) for name, value in fields.items()})
