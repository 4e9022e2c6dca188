"""`payme charges audit`: Payme's receipts against the ledger, in constant memory.

Payme's receipts of the period go into a file that SQLite deletes when it is closed; the charges
that were alive in the period are laid beside them; what is left over only Payme knows. A difference
is told after both sides were read again, because charges may be driven meanwhile.

Payme keeps nothing of a charge by which its orphan could be told for certain. A receipt is taken
for one when a charge asked for the same amount with the same description at that time, and either
the receipt shows the charge's account, or the ledger says that an answer of `receipts.create` was
lost at that time. Some cash-boxes show another account than the one that was given.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self

import click

from payme.charges import Charge, ChargeState, Event
from payme.cli.books import Books
from payme.client import Payme
from payme.errors import CannotCancel, ReceiptNotFound
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState

S, R = ChargeState, ReceiptState

TASHKENT: Final = timezone(timedelta(hours=5))

_SKEW: Final = 600.0
"""Seconds by which Payme's clock and this one may differ."""

_ADOPTED: Final = 900.0
"""Seconds after which nobody can be holding the answer of `receipts.create` any more: a lease and
the longest call are over."""

# Receipts that a charge at rest may stand on. A paid charge whose receipt is in the queue for
# cancellation was refunded by other means. For one that was refused it matters alone that no money
# was taken. What is under way is compared when it rests.
_AGREES: Final[dict[ChargeState, frozenset[ReceiptState]]] = {
    S.PAID: frozenset({R.PAID}),
    S.HELD: frozenset({R.HELD}),
    S.REFUNDED: frozenset({R.CANCELLED}),
    S.FAILED: frozenset({R.CANCELLED}),
}
_TOOK_MONEY: Final = frozenset({R.PAID, R.HELD, R.CANCEL_QUEUED})


class Kind(StrEnum):
    """What differs."""

    ORPHAN = "orphan"
    ONLY_PAYME = "only payme"
    ONLY_LEDGER = "only ledger"
    AMOUNT = "amount"
    STATE = "state"


class Side(NamedTuple):
    """What one side says."""

    state: str
    amount: int

    def text(self) -> str:
        """Write it for a person."""
        return f"{self.state} {self.amount}"

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"state": self.state, "amount": self.amount}


class Difference(NamedTuple):
    """One difference between the books."""

    kind: Kind
    receipt_id: str | None
    charge_id: str | None
    payme: Side | None
    ledger: Side | None
    cancelled: bool = False

    def text(self) -> str:
        """Write it for a person."""
        payme, ledger = (side.text() if side else "-" for side in (self.payme, self.ledger))
        done = "; cancelled now" if self.cancelled else ""
        return (
            f"{self.kind:<11}  receipt {self.receipt_id or '-'}  charge {self.charge_id or '-'}  "
            f"payme: {payme}  ledger: {ledger}{done}"
        )

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "kind": self.kind.value,
            "receipt_id": self.receipt_id,
            "charge_id": self.charge_id,
            "payme": self.payme and self.payme.json(),
            "ledger": self.ledger and self.ledger.json(),
            "cancelled": self.cancelled,
        }


class _Listed(NamedTuple):
    """A receipt as Payme listed it; `charge` is the one that it was made for, if one is known."""

    id: str
    amount: int
    state: int
    created: int
    account: str
    description: str | None
    charge: str | None = None

    @property
    def side(self) -> Side:
        return Side(R(self.state).name, self.amount)


class Audit:
    """One comparison.

    Args:
        payme: The client.
        books: The ledger.
        period: Its beginning and its end.
        cancel: Cancel orphans.

    Attributes:
        receipts: Receipts that Payme listed.
        charges: Charges that were compared.
        cancelled: Receipts without a charge that are cancelled: no money moved.
        under_way: Charges, and receipts that may become theirs, that are still under way.
        differ: Differences, without the orphans that were cancelled.
    """

    def __init__(
        self, payme: Payme, books: Books, period: tuple[datetime, datetime], *, cancel: bool
    ) -> None:
        self._payme = payme
        self._books = books
        self._start, self._end = period
        self._cancel = cancel
        self._listed = _Listing()
        self.receipts = self.charges = self.cancelled = self.under_way = self.differ = 0
        self.orphans_cancelled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listed.close()

    def differences(self) -> Iterator[Difference]:
        """Compare.

        Yields:
            The differences, as they are found.
        """
        self.receipts = self._listed.fill(self._payme.receipts.iterate(self._start, self._end))
        for difference in self._all():
            self.differ += not difference.cancelled
            self.orphans_cancelled += difference.cancelled
            yield difference

    def _all(self) -> Iterator[Difference]:
        yield from self._of_charges()
        self.cancelled = self._listed.drop_cancelled()
        self._find_orphans()
        for listed in self._listed.left():
            yield from self._of_payme(listed)

    def json(self) -> dict[str, Any]:
        """Return the numbers for JSON."""
        return {
            "from": self._start.isoformat(),
            "to": self._end.isoformat(),
            "receipts": self.receipts,
            "charges": self.charges,
            "under_way": self.under_way,
            "cancelled_receipts": self.cancelled,
            "orphans_cancelled": self.orphans_cancelled,
            "differ": self.differ,
        }

    def text(self) -> str:
        """Write the numbers for a person."""
        found = f"{self.differ} differences" if self.differ else "the books agree"
        mended = f", {self.orphans_cancelled} orphans cancelled" if self.orphans_cancelled else ""
        return (
            f"{self.receipts} receipts, {self.charges} charges, {self.under_way} under way: "
            f"{found}{mended}"
        )

    def _alive(self) -> Iterator[Charge]:
        """Read the charges whose receipts may be of the period."""
        since, until = self._start.timestamp() - _SKEW, self._end.timestamp() + _SKEW
        alive = self._books.walk(since=max(since, 0.0))
        return (charge for charge in alive if charge.created <= until)

    def _of_charges(self) -> Iterator[Difference]:
        for charge in self._alive():
            self.charges += 1
            if charge.receipt_id is None:
                self.under_way += not charge.rests
                continue
            listed = self._listed.claim(charge.receipt_id)
            if listed is None or _differs(charge, listed.amount, listed.state):
                yield from self._again(charge.id)
            else:
                self.under_way += not charge.rests

    def _find_orphans(self) -> None:
        """Lay the charges beside the unpaid receipts that none of them has."""
        if not self._listed.has_unpaid():
            return
        for charge in self._alive():
            for listed in self._listed.for_money(charge):
                if self._was_made_for(charge, listed):
                    self._listed.suggest(listed.id, charge.id)

    def _was_made_for(self, charge: Charge, listed: _Listed) -> bool:
        if (listed.description or "") not in (charge.description or "", charge.id):
            return False
        shown: dict[str, str] = json.loads(listed.account)
        common = [name for name in charge.account if name in shown]
        if common:
            return all(shown[name] == str(charge.account[name]) for name in common)
        return any(
            _is_lost_create(event, listed.created / 1000)
            for event in self._books.history(charge.id)
        )

    def _again(self, charge_id: str) -> Iterator[Difference]:
        """Read both sides again; a charge that changed meanwhile is under way."""
        before = self._books.charge(charge_id)
        receipt = self._ask(before.receipt_id)
        if before.receipt_id is None or self._books.charge(charge_id).version != before.version:
            self.under_way += 1
            return
        ledger = Side(before.state.value, before.amount)
        if receipt is None:
            yield Difference(Kind.ONLY_LEDGER, before.receipt_id, before.id, None, ledger)
            return
        kind = _differs(before, receipt.amount, receipt.state)
        if kind is None:
            self.under_way += not before.rests
            return
        payme = Side(receipt.state.name, receipt.amount)
        yield Difference(kind, receipt.id, before.id, payme, ledger)

    def _ask(self, receipt_id: str | None) -> Receipt | None:
        try:
            return None if receipt_id is None else self._payme.receipts.get(receipt_id)
        except ReceiptNotFound:
            return None

    def _of_payme(self, listed: _Listed) -> Iterator[Difference]:
        """Judge a receipt that no charge has claimed."""
        owner = self._books.of_receipt(listed.id)
        if owner is not None:
            yield from self._again(owner.id)
        elif listed.charge is None:
            yield Difference(Kind.ONLY_PAYME, listed.id, None, listed.side, None)
        elif self._may_be_adopted(listed, listed.charge):
            self.under_way += 1
        else:
            yield self._orphan(listed, listed.charge)

    def _may_be_adopted(self, listed: _Listed, charge_id: str) -> bool:
        """Return whether somebody may be about to store that it is the charge's receipt.

        Only a new charge takes a receipt, and only from an answer that is a few minutes old.
        """
        age = now().timestamp() - listed.created / 1000
        return age < _ADOPTED and self._books.charge(charge_id).state is S.NEW

    def _orphan(self, listed: _Listed, charge_id: str) -> Difference:
        charge = self._books.charge(charge_id)
        cancelled = self._cancel and self._cancelled(listed.id)
        ledger = Side(charge.state.value, charge.amount)
        return Difference(Kind.ORPHAN, listed.id, charge_id, listed.side, ledger, cancelled)

    def _cancelled(self, receipt_id: str) -> bool:
        """Cancel an unpaid receipt that is in no charge, and see it cancelled."""
        receipt = self._ask(receipt_id)
        if receipt is None or receipt.state != R.CREATED or self._books.of_receipt(receipt_id):
            return False
        try:
            return self._payme.receipts.cancel(receipt_id).is_cancelled
        except CannotCancel:
            return False


def _differs(charge: Charge, amount: int, state: int) -> Kind | None:
    if amount != charge.amount:
        return Kind.AMOUNT
    if not charge.rests:
        return None
    if charge.state in _AGREES:
        return None if state in _AGREES[charge.state] else Kind.STATE
    return Kind.STATE if state in _TOOK_MONEY else None


def _is_lost_create(event: Event, made: float) -> bool:
    is_lost = event.evidence.startswith("receipts.create: ") and event.after is S.NEW
    return is_lost and abs(event.at - made) < _SKEW


_COLUMNS: Final = "id, amount, state, created, account, description, charge"


class _Listing:
    """Receipts of a period, in a file of SQLite's that is gone when it is closed."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._execute = self._connection.execute
        self._execute(
            "CREATE TABLE receipt (id TEXT PRIMARY KEY, amount INTEGER, state INTEGER,"
            " created INTEGER, account TEXT, description TEXT, charge TEXT) WITHOUT ROWID"
        )

    def close(self) -> None:
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

    def claim(self, receipt_id: str) -> _Listed | None:
        """Take out the receipt of a charge."""
        sql = f"DELETE FROM receipt WHERE id = ? RETURNING {_COLUMNS}"  # noqa: S608
        found = self._execute(sql, (receipt_id,)).fetchone()
        return None if found is None else _Listed(*found)

    def drop_cancelled(self) -> int:
        """Take out receipts that can take no money, and count them."""
        return self._execute("DELETE FROM receipt WHERE state = ?", (int(R.CANCELLED),)).rowcount

    def has_unpaid(self) -> bool:
        """Prepare for looking by money, and return whether there is a need to."""
        self._execute("CREATE INDEX by_money ON receipt (amount, created)")
        return self._count(f"state = {int(R.CREATED)}") > 0

    def _count(self, which: str) -> int:
        sql = f"SELECT count(*) FROM receipt WHERE {which}"  # noqa: S608 - written above
        return int(self._execute(sql).fetchone()[0])

    def for_money(self, charge: Charge) -> list[_Listed]:
        """Find the unpaid receipts over a charge's amount that were made while it was driven."""
        until = max(charge.changed, charge.due or 0.0)
        times = ((charge.created - _SKEW) * 1000, (until + _SKEW) * 1000)
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM receipt"  # noqa: S608 - written above
            " WHERE amount = ? AND created BETWEEN ? AND ? AND state = ? LIMIT 100",
            (charge.amount, *times, int(R.CREATED)),
        )
        return [_Listed(*row) for row in rows]

    def suggest(self, receipt_id: str, charge_id: str) -> None:
        """Note for which charge a receipt was made."""
        self._execute("UPDATE receipt SET charge = ? WHERE id = ?", (charge_id, receipt_id))

    def left(self) -> Iterator[_Listed]:
        """Read what no charge has claimed, in the order of the ids."""
        for row in self._execute(f"SELECT {_COLUMNS} FROM receipt ORDER BY id"):  # noqa: S608
            yield _Listed(*row)


def _row(receipt: Receipt) -> tuple[Any, ...]:
    fields = {field.name: field.value for field in receipt.account or ()}
    said = receipt.description or None
    state, account = int(receipt.state), _account(fields)
    return receipt.id, receipt.amount, state, receipt.create_time, account, said


def _account(fields: Mapping[str, object]) -> str:
    """Write an account; `7` and `"7"` are the same."""
    return json.dumps({name: str(value) for name, value in fields.items()})


def now() -> datetime:
    """Return the moment, aware."""
    return datetime.now(UTC)


def moment(option: str, written: str, *, last: bool = False) -> datetime:
    """Read a date or a moment; without an offset it is Tashkent's.

    Args:
        option: Name of the option, for the error.
        written: Such as `2026-11-01` or `2026-11-01T09:00:00+05:00`.
        last: A date stands for its end.

    Raises:
        click.BadParameter: It is neither.
    """
    try:
        if len(written) == len("2026-11-01"):
            day = date.fromisoformat(written) + timedelta(days=last)
            return datetime.combine(day, time(), TASHKENT)
        found = datetime.fromisoformat(written)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"got {written!r}, expected a date such as 2026-11-01 or a moment such as "
            f"2026-11-01T09:00:00+05:00",
            param_hint=option,
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=TASHKENT)
