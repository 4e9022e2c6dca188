"""Orders are paid with the saved card."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from examples.saved_cards import (
    DEADLINE_S,
    IN_FLIGHT,
    SavedCards,
    charge_id,
    is_another_try,
)
from examples.tables import changed, find_card, save_card, waits
from payme import Payme
from payme.charges import Charge, ChargeConflict, ChargeNotFound, Charges, SqlLedger


class CardPayments:
    """What the shop does with a saved card.

    Args:
        engine: The shop's database, where its charges live, too.
        payme: The client.
        cards: The customers' cards.
    """

    def __init__(self, engine: sa.Engine, payme: Payme, cards: SavedCards) -> None:
        ledger = SqlLedger(engine, keys=cards.keys, changed=changed)
        ledger.create_all()
        with engine.begin() as connection:
            save_card(connection, cards)
        self._engine = engine
        self._cards = cards
        self._charges = Charges(payme, ledger)

    def pay(self, order_id: int | None, seen: str) -> None:
        """Pay an order by one click: once, however often it is clicked.

        Args:
            order_id: Its number.
            seen: Version of its charge on the page that was clicked; empty if there was none.
        """
        with self._engine.begin() as connection:
            order = connection.execute(waits(order_id)).one_or_none()
            card = find_card(connection, self._cards)
            if order is None or card is None:
                return  # paid or closed meanwhile: the page says so
            # No order that waits for its charge without a charge, whatever crashes from here on.
            money = (charge_id(order.id), order.amount, {"order_id": order.id}, card.token)
            charge = self._charges.submit(*money, connection=connection)
        if is_another_try(charge, seen):
            self._try_again(charge.id, card.token)
        else:
            self._charges.charge(*money, deadline=DEADLINE_S)

    def _try_again(self, its_id: str, token: str) -> None:
        with suppress(ChargeConflict):  # another click was faster
            self._charges.pay_with(its_id, token, deadline=DEADLINE_S)

    def find(self, order_id: int) -> tuple[Charge | None, str | None]:
        """Find the charge of an order, and the number of the card that it may be paid with."""
        with self._engine.connect() as connection:
            card = find_card(connection, self._cards)
        try:
            return self._charges.get(charge_id(order_id)), card and card.number
        except ChargeNotFound:
            return None, card and card.number

    @contextmanager
    def in_background(self) -> Iterator[None]:
        """Finish what a deadline, a crash or an outage left, in a thread, and stop it cleanly."""
        stop = threading.Event()
        options = {"in_flight": IN_FLIGHT, "stop": stop}
        runner = threading.Thread(target=self._charges.run, kwargs=options, name="charges")
        runner.start()
        try:
            yield
        finally:
            stop.set()
            runner.join()
