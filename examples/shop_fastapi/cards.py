"""Orders are paid with the saved card."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from examples.saved_cards import (
    DEADLINE_S,
    IN_FLIGHT,
    SavedCards,
    charge_id,
    is_another_try,
)
from examples.tables import changed, find_card, save_card, waits
from payme import AsyncPayme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charge, ChargeConflict, ChargeNotFound


class CardPayments:
    """What the shop does with a saved card.

    Args:
        engine: The shop's database, where its charges live, too.
        payme: The client.
        cards: The customers' cards.
    """

    def __init__(self, engine: AsyncEngine, payme: AsyncPayme, cards: SavedCards) -> None:
        self._engine = engine
        self._cards = cards
        self._ledger = AsyncSqlLedger(engine, keys=cards.keys, changed=changed)
        self._charges = AsyncCharges(payme, self._ledger)

    async def prepare(self) -> None:
        """Make the tables, and save the card of the demo's customer."""
        await self._ledger.create_all()
        async with self._engine.begin() as connection:
            await connection.run_sync(save_card, self._cards)

    async def pay(self, order_id: int | None, seen: str) -> None:
        """Pay an order by one click: once, however often it is clicked.

        Args:
            order_id: Its number.
            seen: Version of its charge on the page that was clicked; empty if there was none.
        """
        async with self._engine.begin() as connection:
            order = (await connection.execute(waits(order_id))).one_or_none()
            card = await connection.run_sync(find_card, self._cards)
            if order is None or card is None:
                return  # paid or closed meanwhile: the page says so
            # No order that waits for its charge without a charge, whatever crashes from here on.
            money = (charge_id(order.id), order.amount, {"order_id": order.id}, card.token)
            charge = await self._charges.submit(*money, connection=connection)
        if is_another_try(charge, seen):
            await self._try_again(charge.id, card.token)
        else:
            await self._charges.charge(*money, deadline=DEADLINE_S)

    async def _try_again(self, its_id: str, token: str) -> None:
        with suppress(ChargeConflict):  # another click was faster
            await self._charges.pay_with(its_id, token, deadline=DEADLINE_S)

    async def find(self, order_id: int) -> tuple[Charge | None, str | None]:
        """Find the charge of an order, and the number of the card that it may be paid with."""
        async with self._engine.connect() as connection:
            card = await connection.run_sync(find_card, self._cards)
        try:
            return await self._charges.get(charge_id(order_id)), card and card.number
        except ChargeNotFound:
            return None, card and card.number

    @asynccontextmanager
    async def in_background(self) -> AsyncIterator[None]:
        """Finish what a deadline, a crash or an outage left, in a task, and stop it cleanly."""
        stop = asyncio.Event()
        runner = asyncio.create_task(self._charges.run(in_flight=IN_FLIGHT, stop=stop))
        try:
            yield
        finally:
            stop.set()
            await runner
