"""Ledgers for tests: one way to call either, and charges to put into them."""

from typing import Any

from charges.payme_model import new_charge
from payme.charges import AsyncSqlLedger, SqlLedger
from payme.charges.core import Charge, Save, changed
from support.clients import ASYNCIO, Awaited

KEY, OTHER_KEY = (letter * 43 + "=" for letter in "AB")


async def make_ledger(style: str, url: str, **options: Any) -> Any:
    options = {"keys": [KEY], **options}
    if style == ASYNCIO:
        ledger = AsyncSqlLedger(url, **options)
        await ledger.create_all()
        return ledger
    return Awaited(SqlLedger(url, **options))


def inner(ledger: Any) -> Any:
    return ledger._inner if isinstance(ledger, Awaited) else ledger


def sync_engine(ledger: Any) -> Any:
    engine = inner(ledger)._engine
    return getattr(engine, "sync_engine", engine)


def next_of(charge: Charge, now: float = 2000.0, **members: Any) -> Save:
    return Save(charge, changed(charge, now, **{"evidence": "tested", **members}))


__all__ = ["KEY", "OTHER_KEY", "inner", "make_ledger", "new_charge", "next_of", "sync_engine"]
