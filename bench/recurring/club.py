"""A club to measure on: many members, whose periods are due on one day or on thirty."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from bench.charges.ledgers import POSTGRESQL, SQLITE, analyze, engine
from bench.charges.ledgers import opened as opened_ledger
from payme import Payme
from payme.charges import Charges
from payme.charges.core import Means
from payme.recurring import Recurring, core, rows
from payme.recurring.calendar import Every, Terms
from payme.recurring.rule import SubscriptionRule
from payme.redact import Secret
from payme.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payme.recurring import Subscription

FIRST = 100_000_000
"""So that ids are equally long, and lie in the order of their index."""
PRICE = 5_000_000
SIGNED_UP = date(2026, 1, 1)
OPENING = date(2026, 2, 1)
"""The day on which the second period of those who signed up on the first day is due."""
TOKEN = "6" * 24 + "_" + "t" * 65

_NUMBERS = {
    SQLITE: (
        "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + {step} FROM numbers "
        "WHERE n + {step} < {size}) SELECT {columns} FROM numbers"
    ),
    POSTGRESQL: (
        "SELECT {columns} FROM generate_series({first}::bigint, {size} - 1, {step}) AS numbers(n)"
    ),
}


def nothing_taken(body: bytes, _auth: str | None) -> bytes:
    """Answer as a Payme that has no receipts."""
    answer = {"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": []}
    return json.dumps(answer).encode()


@contextmanager
def opened(url: str, now: float) -> Iterator[Recurring]:
    """Open the subscriptions of a ledger; nothing asks Payme for anything."""
    ledger = opened_ledger(url)
    with Payme(
        "5e730e8e0b852a417aa49ceb",
        "k" * 36,
        transport=MemoryTransport(nothing_taken),
        environment="test",
    ) as client:
        recurring = Recurring(Charges(client, ledger), now=lambda: now)
        recurring.create_all()
        yield recurring
    ledger.close()


def opening() -> float:
    """Return the moment at which the periods of the first day are due, and a minute."""
    return member(0).due(1) + 60.0


def member(day: int) -> Subscription:
    """Return a member who signed up on a day, has paid, and was told of the next payment."""
    rule = SubscriptionRule(
        account={"member": FIRST}, at=time(10), timezone="Asia/Tashkent", missed="latest",
        description="Club",
    )  # fmt: skip
    anchor = SIGNED_UP + timedelta(days=day)
    terms = Terms(first=0, amount=PRICE, every=Every(1, "month"), anchor=anchor)
    created = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    after = core.create("club", rule, terms, created).after
    paid = msgspec.structs.replace(after, next_n=1, told=1, version=4)
    return msgspec.structs.replace(paid, wakes=paid.due(1))


def fill(kind: str, url: str, size: int, days: int) -> None:
    """Store so many members; they signed up on so many days, as many on each.

    Args:
        kind: `SQLITE` or `POSTGRESQL`.
        url: Of an empty database.
        size: How many.
        days: On how many days they signed up, one after the other.
    """
    with opened(url, opening()) as recurring:
        means = recurring._keeper.vault.seal(Means(Secret(TOKEN)))
    shop = engine(url)
    with shop.begin() as connection:
        for day in range(days):
            row = rows.subscription_row(member(day))
            values = {name: _literal(value) for name, value in row.items()}
            values["id"] = f"'club-' || ({FIRST} + n)"
            values["rule"] = f"replace({values['rule']}, '{FIRST}', CAST({FIRST} + n AS TEXT))"
            values["means"] = _BYTES[kind].format(bytes(means).hex())
            numbers = _NUMBERS[kind].format(
                first=day, step=days, size=size, columns=", ".join(values.values())
            )
            names = ", ".join(values)
            connection.exec_driver_sql(f"INSERT INTO payme_subscription ({names}) {numbers}")
    shop.dispose()
    analyze(url)


_BYTES = {SQLITE: "x'{}'", POSTGRESQL: "decode('{}', 'hex')"}


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).lower() if isinstance(value, bool) else repr(value)
