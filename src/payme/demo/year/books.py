"""All that was written in a year, read without the code that wrote it.

The sandbox's ledger and its cards stand for Payme; the shop's tables are read by plain SQL.
"""

import hashlib
import re
import sqlite3
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from payme.sandbox import Sandbox

_EVERYTHING: Final = 10**9
_CHARGE: Final = re.compile(r"\((club-\d+:\d+)\)")
_SIGNS: Final = {"debit": 1, "hold": 1, "refund": -1, "release": -1}


class Debited(NamedTuple):
    """What stands on the payer's card for one charge, as Payme knows it.

    Attributes:
        debits: How many debits were not given back.
        amount: Their sum in tiyin.
        member: The account that the receipts name.
    """

    debits: int
    amount: int
    member: str


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
    unknown: list[str] = []
    for entry in sandbox.ledger():
        receipt, sign = receipts.get(entry.receipt_id), _SIGNS.get(entry.kind, 0)
        named = _CHARGE.search(receipt.description) if receipt else None
        if receipt is None or named is None:
            unknown.append(entry.receipt_id)
            continue
        standing[named[1]].update(debits=sign, amount=sign * abs(entry.amount))
        members[named[1]] = str(receipt.account.get("member"))
    found = {
        charge: Debited(counted["debits"], counted["amount"], members[charge])
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
        " c.state, c.amount FROM payme_period p"
        " LEFT JOIN payme_charge c ON c.id = p.subscription || ':' || p.n"
        " ORDER BY p.subscription, p.n"
    ):
        found[name].append(Row(*members))
    return dict(found)


def _charges(connection: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    rows = connection.execute("SELECT id, amount, state FROM payme_charge")
    return {name: (amount, state) for name, amount, state in rows}


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


def states(database: Path) -> dict[str, int]:
    """Count the subscriptions by their state."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute("SELECT state, count(*) FROM payme_subscription GROUP BY 1")
        return dict(rows.fetchall())


def table(database: Path) -> list[tuple[str, dict[str, Any]]]:
    """Count a year by month, in Tashkent: taken, refused, recovered, churned.

    What was taken counts in the month in which its notice was written; a refusal in the month in
    which it came; recovered is what was taken after a refusal; churned is who has ended.

    Args:
        database: The shop's SQLite file.

    Returns:
        Months such as `2026-01`, each with `taken`, `amount` in tiyin, `refused`, `recovered` and
        `churned`.
    """
    months: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with sqlite3.connect(database) as connection:
        for sql, name in _COUNTS:
            for month, count in connection.execute(sql):
                months[month][name] += count
    return [(month, {name: months[month][name] for _, name in _COUNTS}) for month in sorted(months)]


_MONTH: Final = "strftime('%Y-%m', {} + 18000, 'unixepoch')"
_PAID: Final = (
    "FROM payme_notice o JOIN payme_period p ON p.subscription = o.subscription AND p.n = o.n"
    " WHERE o.kind = 'charged' AND p.state = 'paid'"
)
_AT: Final = _MONTH.format("o.at")
_REFUSED_AT: Final = _MONTH.format("r.value")
# Nothing that is put together here comes from outside.
_COUNTS: Final = (
    (f"SELECT {_AT}, count(*) {_PAID} GROUP BY 1", "taken"),
    (f"SELECT {_AT}, sum(p.amount) {_PAID} GROUP BY 1", "amount"),
    (
        f"SELECT {_REFUSED_AT}, count(*) FROM payme_period p, json_each(p.refusals) r GROUP BY 1",  # noqa: S608
        "refused",
    ),
    (f"SELECT {_AT}, count(*) {_PAID} AND p.refusals <> '[]' GROUP BY 1", "recovered"),
    (f"SELECT {_AT}, count(*) FROM payme_notice o WHERE o.kind = 'ended' GROUP BY 1", "churned"),  # noqa: S608
)
