"""A worker that is killed: `Charges.run` or `AsyncCharges.run`, in a process of its own."""

import asyncio

from charges.ledgers import KEY
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, Policy, SqlLedger

POLICY = Policy(
    ask_for=0.5, look_for=0.2, max_receipts=20, first_pause=0.05, longest_pause=0.5, lease=1.5
)
CLIENT = {"timeout": 0.5, "max_attempts": 2, "proxy": ""}


def work(style, database, url, merchant_id, key, **options):
    """Drive charges until killed, or with `drain` until nothing is left to do."""
    client = {"base_url": url, **CLIENT}
    if style == "asyncio":
        asyncio.run(_work(database, (merchant_id, key), client, options))
        return
    ledger = SqlLedger(database, keys=[KEY])
    with Payme(merchant_id, key, **client) as payme:
        Charges(payme, ledger, policy=POLICY).run(in_flight=5, **options)
    ledger.close()


async def _work(database, credentials, client, options):
    ledger = AsyncSqlLedger(database, keys=[KEY])
    async with AsyncPayme(*credentials, **client) as payme:
        await AsyncCharges(payme, ledger, policy=POLICY).run(in_flight=10, **options)
    await ledger.close()
