"""All that was written in a year, read without the code that wrote it.

The sandbox's ledger and its cards stand for Payme; the shop's tables are read by plain SQL.
"""

import hashlib
import json
import re
import sqlite3
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, NamedTuple

from payme.sandbox import Sandbox

_TASHKENT: Final = timezone(timedelta(hours=5))
_EVERYTHING: Final = 10**9
_CHARGE: Final = re.compile(r"\((club-\d+:\d+)\)")
_SIGNS: Final = {"debit": 1, "hold": 1, "refund": -1, "release": -1}


class Debited(NamedTuple):
    """What stands on the payer's card for one charge, as Payme knows it.

    Attributes:
        debits: How many debits were not given back.
        returned: How many were given back.
        amount: Their sum in tiyin.
        member: The account that the receipts name.
        at: When money moved last, in seconds since 1970.
    """

    debits: int
    returned: int
    amount: int
    member: str
    at: float


class Row(NamedTuple):
    """A period, beside its charge.

    Attributes:
        n: Its number.
        start: When it is due, in seconds since 1970.
        amount: What it costs, in tiyin.
        state: What became of it.
        retry_at: When it is tried again.
        refusals: How often it was refused.
        code: Code of the last refusal.
        charge: State of its charge; None if there is none.
        charged: Amount of its charge in tiyin.
        evidence: What the state of its charge rests on.
    """

    n: int
    start: float
    amount: int
    state: str
    retry_at: float | None
    refusals: str
    code: int | None
    charge: str | None
    charged: int | None
    evidence: str | None


class Kept(NamedTuple):
    """A subscription."""

    state: str
    next_n: int
    debt: int | None
    wakes: float | None


class CardRow(NamedTuple):
    """A card, as the wallet or the sandbox has it; its token is only a hash here."""

    customer: str
    number: str
    token_hash: str


class Books(NamedTuple):
    """All books, at the end.

    Attributes:
        now: Seconds since 1970 on the sandbox's clock.
        debited: What Payme took, by the id of the charge.
        unknown: Receipts with money that name no charge.
        subscriptions: By id.
        periods: By the id of the subscription.
        charges: Amount and state of each charge, by id.
        ended: When each member that is gone was told so, in seconds since 1970.
        notices: Kinds of the notices that were written, by (subscription, n).
        wallet: Cards that the shop thinks it may charge, by hash of the token.
        cards: Cards that Payme would charge, likewise.
    """

    now: float
    debited: dict[str, Debited]
    unknown: tuple[str, ...]
    subscriptions: dict[str, Kept]
    periods: dict[str, list[Row]]
    charges: dict[str, tuple[int, str]]
    ended: tuple[float, ...]
    notices: dict[tuple[str, int], set[str]]
    wallet: dict[str, CardRow]
    cards: dict[str, CardRow]


def read(sandbox: Sandbox, database: Path, customers: dict[str, str]) -> Books:
    """Read the books.

    Args:
        sandbox: Payme.
        database: The shop's SQLite file.
        customers: Whose card each token is.
    """
    debited, unknown = _debited(sandbox)
    connection = sqlite3.connect(database)
    try:
        return Books(
            sandbox.clock.now() / 1000,
            debited,
            unknown,
            _subscriptions(connection),
            _periods(connection),
            _charges(connection),
            _ended(connection),
            _notices(connection),
            _wallet(connection),
            _cards(sandbox, customers),
        )
    finally:
        connection.close()


def _debited(sandbox: Sandbox) -> tuple[dict[str, Debited], tuple[str, ...]]:
    """Add up Payme's ledger by what its receipts say that they are for."""
    receipts = {receipt.id: receipt for receipt in sandbox.receipts(_EVERYTHING)}
    standing: defaultdict[str, Counter[str]] = defaultdict(Counter)
    members: dict[str, str] = {}
    times: dict[str, float] = {}
    unknown: list[str] = []
    for entry in sandbox.ledger():
        receipt, sign = receipts.get(entry.receipt_id), _SIGNS.get(entry.kind, 0)
        named = _CHARGE.search(receipt.description) if receipt else None
        if receipt is None or named is None:
            unknown.append(entry.receipt_id)
            continue
        standing[named[1]].update(debits=sign, returned=sign < 0, amount=sign * abs(entry.amount))
        members[named[1]] = str(receipt.account.get("member"))
        times[named[1]] = entry.time / 1000
    found = {
        charge: Debited(**counted, member=members[charge], at=times[charge])
        for charge, counted in standing.items()
    }
    return found, tuple(unknown)


def _subscriptions(connection: sqlite3.Connection) -> dict[str, Kept]:
    rows = connection.execute("SELECT id, state, next_n, debt, wakes FROM payme_subscription")
    return {name: Kept(*members) for name, *members in rows}


def _periods(connection: sqlite3.Connection) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for name, *members in connection.execute(
        "SELECT p.subscription, p.n, p.start, p.amount, p.state, p.retry_at, p.refusals, p.code,"
        " c.state, c.amount, c.evidence FROM payme_period p"
        " LEFT JOIN payme_charge c ON c.id = p.subscription || ':' || p.n"
        " ORDER BY p.subscription, p.n"
    ):
        found[name].append(Row(*members))
    return dict(found)


def _charges(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    rows = connection.execute("SELECT id, amount, state FROM payme_charge")
    return {name: (amount, state) for name, amount, state in rows}


def _ended(connection: sqlite3.Connection) -> tuple[float, ...]:
    rows = connection.execute("SELECT at FROM payme_notice WHERE kind = 'ended'")
    return tuple(at for (at,) in rows)


def _notices(connection: sqlite3.Connection) -> dict[tuple[str, int], set[str]]:
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for name, n, kind in connection.execute("SELECT subscription, n, kind FROM payme_notice"):
        found[name, n].add(kind)
    return dict(found)


def _wallet(connection: sqlite3.Connection) -> dict[str, CardRow]:
    rows = connection.execute(
        "SELECT customer, number, fingerprint FROM payme_card WHERE state = 'ready'"
    )
    return {row[2]: CardRow(*row) for row in rows}


def _cards(sandbox: Sandbox, customers: dict[str, str]) -> dict[str, CardRow]:
    live = [card for card in sandbox.cards(_EVERYTHING) if not card.removed]
    rows = [
        CardRow(customers.get(card.token, "nobody"), _masked(card.number), _hash(card.token))
        for card in live
    ]
    return {row.token_hash: row for row in rows}


def _masked(number: str) -> str:
    return f"{number[:6]}******{number[-4:]}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def returned(books: Books) -> int:
    """Count the payments that were given back, since their answers could not be had."""
    return sum(debited.returned for debited in books.debited.values())


def lost(books: Books) -> set[str]:
    """Return the charges that Payme took money for and the shop has never heard of."""
    return {name for name, debited in books.debited.items() if debited.debits} - set(books.charges)


def states(books: Books) -> dict[str, int]:
    """Count the subscriptions by their state."""
    return dict(Counter(kept.state for kept in books.subscriptions.values()))


def table(books: Books) -> list[tuple[str, dict[str, int]]]:
    """Count a year by month, in Tashkent: taken, refused, recovered, churned.

    What was taken counts in the month in which the sandbox took it, and as recovered if it was
    refused before; a refusal counts in its own month; churned is who has ended.

    Returns:
        Months such as `2026-01`, each with `taken`, `amount` in tiyin, `refused`, `recovered` and
        `churned`.
    """
    months: defaultdict[str, Counter[str]] = defaultdict(Counter)
    refused = _refusals(books)
    for name, debited in books.debited.items():
        if debited.debits:
            recovered = bool(refused.get(name))
            months[_month(debited.at)].update(
                taken=debited.debits, amount=debited.amount, recovered=recovered
            )
    for moments in refused.values():
        for moment in moments:
            months[_month(moment)]["refused"] += 1
    for at in books.ended:
        months[_month(at)]["churned"] += 1
    return [(month, {name: months[month][name] for name in COUNTED}) for month in sorted(months)]


COUNTED: Final = ("taken", "amount", "refused", "recovered", "churned")


def _refusals(books: Books) -> dict[str, list[float]]:
    """Return when each charge was refused."""
    return {
        f"{name}:{row.n}": json.loads(row.refusals)
        for name, rows in books.periods.items()
        for row in rows
    }


def _month(moment: float) -> str:
    return datetime.fromtimestamp(moment, _TASHKENT).strftime("%Y-%m")
