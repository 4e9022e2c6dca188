"""`Charges`: charges over a blocking client."""

import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from threading import Event as Flag
from typing import Any, Final

from payme import flow as driver
from payme.charges import core, orders
from payme.charges.core import (
    PATIENT,
    Charge,
    ChargeState,
    Event,
    Means,
    Overtaken,
    Policy,
    Save,
    Step,
)
from payme.charges.ledger import Ledger, Stored
from payme.charges.ledger.sql import SqlLedger
from payme.charges.pace import LOOK_SOON, Pace, since_1970
from payme.client import Payme
from payme.protocol import arguments
from payme.protocol.inputs import Detail, Payer

_LOG: Final = logging.getLogger("payme.charges")


class Charges:
    """Charges over a blocking client.

    Args:
        client: The client; it must live as long as this.
        ledger: Where charges are kept: a `SqlLedger`, or the URL of one.
        policy: How patient.

    Example:
        >>> charges = Charges(payme, SqlLedger("sqlite:///payme.db", keys=[key]))
        >>> charge = charges.charge("order-106", 50_000, {"order_id": 106}, card.token)
        >>> charge.is_paid
        True
    """

    def __init__(self, client: Payme, ledger: "Ledger | str", *, policy: Policy = PATIENT) -> None:
        self._client = client
        self._ledger: Ledger = SqlLedger(ledger) if isinstance(ledger, str) else ledger
        self._policy = policy

    def charge(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str,
        *,
        description: str | None = None,
        detail: Detail | None = None,
        payer: Payer | None = None,
        hold: bool = False,
        deadline: float = 15.0,
    ) -> Charge:
        """Take money, and return what is known when it rests or the deadline comes.

        Asked again with the same id, it returns the same charge and takes nothing twice.

        Args:
            id: Id that you choose, for ever the same money: `order-106`, `club-17:11`.
            amount: Amount in tiyin.
            account: Fields of the cash-box settings, such as `{"order_id": 106}`.
            token: Token of a verified card.
            description: What is paid for.
            detail: Lines for the fiscal receipt; they must add up to the amount.
            payer: Who pays, for Payme's anti-fraud checks.
            hold: Hold the money, take it later with `confirm`.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge. Look at `is_paid`; one that does not rest is no failure, and must not be
            charged under another id.

        Raises:
            InvalidArgument: Refused before anything was stored.
            ChargeConflict: The id belongs to other money.
        """
        asked = orders.order(
            since_1970(), id, amount, account, token,
            description=description, detail=detail, payer=payer, hold=hold,
        )  # fmt: skip
        del account, token, payer
        until = time.monotonic() + arguments.seconds("deadline", deadline)
        return self._follow(self._submit(asked, None), until)

    def submit(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str,
        *,
        description: str | None = None,
        detail: Detail | None = None,
        payer: Payer | None = None,
        hold: bool = False,
        connection: Any = None,
    ) -> Charge:
        """Store a charge for `run` to drive; arguments as for `charge`.

        Args:
            id: See `charge`.
            amount: See `charge`.
            account: See `charge`.
            token: See `charge`.
            description: See `charge`.
            detail: See `charge`.
            payer: See `charge`.
            hold: See `charge`.
            connection: Store it in this transaction of yours, beside the order: no order without
                its charge, no charge without its order.

        Returns:
            The charge as it is stored.

        Raises:
            InvalidArgument: Refused before anything was stored.
            ChargeConflict: The id belongs to other money.
        """
        asked = orders.order(
            since_1970(), id, amount, account, token,
            description=description, detail=detail, payer=payer, hold=hold,
        )  # fmt: skip
        del account, token, payer
        return self._submit(asked, connection)

    def get(self, id: str) -> Charge:
        """Read a charge.

        Raises:
            ChargeNotFound: There is none.
        """
        return self._load(id).charge

    def history(self, id: str) -> list[Event]:
        """Read why a charge is what it is: its events, oldest first."""
        return self._ledger.history(orders.check_id(id))

    def iterate(
        self, state: ChargeState | str | None = None, since: datetime | None = None
    ) -> Iterator[Charge]:
        """Walk through charges in the order of their ids, in constant memory.

        Args:
            state: Only those in this state.
            since: Only those changed since then; an aware `datetime`.

        Yields:
            Charges.
        """
        return self._ledger.iterate(orders.check_state(state), orders.check_since(since))

    def advance(self, id: str) -> Charge:
        """Drive a charge as far as it goes now; safe to call at any time, from anywhere."""
        charge = self._load(id).charge
        return self._drive(charge.id, None) or self.get(charge.id)

    def confirm(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Take what a charge holds.

        Raises:
            ChargeNotFound: There is no such charge.
            ChargeConflict: It holds nothing.
        """
        return self._command(id, "confirm", deadline)

    def refund(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Give the money of a paid charge back.

        Returns:
            The charge: `refunded` when the money went back, `paid` when the billing refused.

        Raises:
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is not paid.
        """
        return self._command(id, "refund", deadline)

    def cancel(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Give a charge up: no other payment is begun, and its receipt is cancelled.

        Returns:
            The charge: `failed`, or `paid` when the money was taken before.

        Raises:
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is paid (then `refund` it) or rests otherwise.
        """
        return self._command(id, "cancel", deadline)

    def retry(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Try a refused or failed charge again, with the card that it has."""
        return self._command(id, "retry", deadline)

    def pay_with(self, id: str, token: str, *, deadline: float = 15.0) -> Charge:
        """Try a refused or failed charge again, with another card.

        Args:
            id: Id of the charge.
            token: Token of a verified card.
            deadline: Seconds to wait here.

        Raises:
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is neither refused nor failed.
        """
        asked = orders.other_card(token, self._load(id).means.payer)
        del token
        return self._command(id, "retry", deadline, asked.card())

    def recover(self) -> int:
        """Drive once what is due now, such as at the start of a process.

        Returns:
            How many charges were driven.
        """
        begun = since_1970()
        driven = 0
        owner = orders.new_owner()
        # What has to wait after it was driven is due later than this began.
        while claimed := self._claim(owner, 1, begun):
            self._drive_claimed(owner, claimed[0])
            driven += 1
        return driven

    def run(
        self,
        *,
        in_flight: int = 10,
        per_second: float | None = None,
        drain: bool = False,
        stop: Flag | None = None,
    ) -> int:
        """Drive charges as they become due.

        A charge whose hook fails is logged, and tried again when its lease has run out.

        Args:
            in_flight: How many at once; each is a thread.
            per_second: How many are begun in any second at most.
            drain: End when nothing is left to do.
            stop: Ends it when set, after what is under way.

        Returns:
            How many charges were driven.

        Raises:
            InvalidArgument: `in_flight` or `per_second` is no positive number.
        """
        pace = Pace(in_flight, per_second, time.monotonic)
        flag = stop or Flag()
        driven = 0
        running: set[Future[Charge | None]] = set()
        with ThreadPoolExecutor(in_flight, "payme-charges") as threads:
            while not flag.is_set():
                room = pace.room(len(running))
                # One for each claim, so that who comes late gives nobody else's lease back.
                owner = orders.new_owner()
                claimed = self._claim(owner, room, since_1970())
                running |= {threads.submit(self._drive_claimed, owner, one) for one in claimed}
                pace.began(len(claimed))
                due = self._ledger.next_due() if len(claimed) < room else None
                if drain and not running and not claimed and room and due is None:
                    break
                if not running:
                    flag.wait(pace.pause(due))
                    continue
                done = wait(running, pace.pause(due), FIRST_COMPLETED).done
                running -= done
                driven += len(done)
                for one in done:
                    pace.learn(one.result())
        return driven + len(running)

    def _claim(self, owner: str, limit: int, due: float) -> list[Stored]:
        until = since_1970() + self._policy.lease
        return self._ledger.claim(owner, due, until, limit) if limit else []

    def _submit(self, asked: orders.Order, connection: Any) -> Charge:
        charge, means = asked.accepted()
        return orders.same(charge, self._ledger.submit(charge, means, connection))

    def _load(self, id: str) -> Stored:
        stored = self._ledger.load(orders.check_id(id))
        if stored is None:
            raise orders.ChargeNotFound(f"no charge has the id {id!r}")
        return stored

    def _command(self, id: str, word: str, deadline: float, means: Means | None = None) -> Charge:
        until = time.monotonic() + arguments.seconds("deadline", deadline)
        while True:
            charge = self._load(id).charge
            change = orders.command(charge, word, since_1970())
            if change is None:
                return self._follow(charge, until)
            try:
                self._ledger.save(change, means)
            except Overtaken:
                # It has just come on; perhaps it can still be done.
                continue
            return self._follow(change.after, until)

    def _follow(self, charge: Charge, until: float) -> Charge:
        """Drive a charge until it rests or the time is over; wait while somebody else drives it."""
        while not charge.rests and time.monotonic() < until:
            driven = self._drive(charge.id, until)
            if driven is not None:
                return driven
            time.sleep(min(LOOK_SOON, max(until - time.monotonic(), 0)))
            charge = self.get(charge.id)
        return charge

    def _drive(self, charge_id: str, until: float | None) -> Charge | None:
        """Drive a charge; None if somebody else does."""
        owner = orders.new_owner()
        now = since_1970()
        stored = self._ledger.take(owner, charge_id, now, now + self._policy.lease)
        if stored is None:
            return None
        try:
            return self._advance(stored, until)
        finally:
            self._ledger.release(owner, charge_id)

    def _drive_claimed(self, owner: str, stored: Stored) -> Charge | None:
        """Drive one of many; None if nothing was learned of Payme."""
        try:
            charge = self._advance(stored, None)
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            # The hook's, or the database's. The lease stays, so that it is not tried at once.
            _LOG.exception("charge %s could not be driven", stored.charge.id)
            return None
        except BaseException:
            self._ledger.release(owner, stored.charge.id)
            raise
        self._ledger.release(owner, stored.charge.id)
        return charge

    def _advance(self, stored: Stored, until: float | None) -> Charge | None:
        flow = core.advance(
            stored.charge,
            stored.means,
            self._client._session,  # pyright: ignore[reportPrivateUsage]
            now=since_1970,
            deadline=until,
            policy=self._policy,
        )
        try:
            return driver.run(flow, self._perform)
        except Overtaken:
            return None

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Save):
            return self._ledger.save(step)
        return self._client._perform(step)  # pyright: ignore[reportPrivateUsage]
