"""`Charges`: charges over a blocking client."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from threading import Event as Flag
from typing import Any

from payme import flow as driver
from payme.charges import core, orders
from payme.charges.core import PATIENT, Charge, ChargeState, Event, Overtaken, Policy, Save, Step
from payme.charges.ledger import Ledger, Stored
from payme.charges.ledger.sql import SqlLedger
from payme.charges.pace import LEASE, LOOK_AGAIN, Pace, since_1970
from payme.client import Payme
from payme.protocol import arguments
from payme.protocol.inputs import Detail, Payer


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
        self._owner = orders.new_owner()

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
        charge = self._submit(asked, None)
        return self._follow(charge, time.monotonic() + arguments.seconds("deadline", deadline))

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
        wanted = None if state is None else ChargeState(state)
        return self._ledger.iterate(wanted, since.timestamp() if since else 0.0)

    def advance(self, id: str) -> Charge:
        """Drive a charge as far as it goes now; safe to call at any time, from anywhere."""
        return self._drive(self._load(id).charge.id, None)

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
        stored = self._load(id)
        means = orders.means_of(token, stored.means.payer)
        del token
        change = orders.command(stored.charge, "retry", since_1970())
        assert change is not None  # noqa: S101 - a retry is a change or a conflict
        return self._saved(change, means, deadline)

    def recover(self) -> int:
        """Drive what is due once, such as at the start of a process.

        Returns:
            How many charges were driven.
        """
        driven = 0
        while claimed := self._claim(1):
            self._drive_claimed(claimed[0])
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

        Args:
            in_flight: How many at once; each is a thread.
            per_second: How many are begun in a second at most.
            drain: End when nothing is left to do.
            stop: Ends it when set, after what is under way.

        Returns:
            How many charges were driven.
        """
        pace = Pace(in_flight, per_second, time.monotonic)
        flag = stop or Flag()
        driven = 0
        running: set[Future[Charge]] = set()
        with ThreadPoolExecutor(in_flight, "payme-charges") as threads:
            while not flag.is_set():
                claimed = self._claim(pace.room(len(running)))
                running |= {threads.submit(self._drive_claimed, one) for one in claimed}
                pace.began(len(claimed))
                if not running and drain and self._ledger.next_due() is None:
                    break
                pause = self._pause(claimed)
                if not running:
                    flag.wait(pause)
                    continue
                done = wait(running, pause, FIRST_COMPLETED).done
                running -= done
                driven += len(done)
                for one in done:
                    pace.learn(one.result())
        return driven + len(running)

    def _pause(self, claimed: list[Stored]) -> float:
        if claimed:
            return 0.0
        due = self._ledger.next_due()
        left = LOOK_AGAIN if due is None else due - since_1970()
        return min(max(left, 0.02), LOOK_AGAIN)

    def _claim(self, limit: int) -> list[Stored]:
        now = since_1970()
        return self._ledger.claim(self._owner, now, now + LEASE, limit) if limit else []

    def _submit(self, asked: orders.Order, connection: Any) -> Charge:
        charge, means = asked.accepted()
        return orders.same(charge, self._ledger.submit(charge, means, connection))

    def _load(self, id: str) -> Stored:
        stored = self._ledger.load(orders.check_id(id))
        if stored is None:
            raise orders.ChargeNotFound(f"no charge has the id {id!r}")
        return stored

    def _command(self, id: str, word: str, deadline: float) -> Charge:
        seconds = arguments.seconds("deadline", deadline)
        charge = self._load(id).charge
        change = orders.command(charge, word, since_1970())
        if change is None:
            return self._follow(charge, time.monotonic() + seconds)
        return self._saved(change, None, seconds)

    def _saved(self, change: Save, means: core.Means | None, deadline: float) -> Charge:
        until = time.monotonic() + arguments.seconds("deadline", deadline)
        try:
            self._ledger.save(change, means)
        except Overtaken:
            raise orders.ChargeConflict(
                f"charge {change.before.id!r} changed at this moment; look at it again",
                self.get(change.before.id),
            ) from None
        return self._follow(change.after, until)

    def _follow(self, charge: Charge, until: float) -> Charge:
        """Drive a charge until it rests or the time is over; wait while somebody else drives it."""
        while not charge.rests and time.monotonic() < until:
            before = charge.version
            charge = self._drive(charge.id, until)
            if not charge.rests and charge.version == before:
                time.sleep(min(0.2, max(until - time.monotonic(), 0)))
        return charge

    def _drive(self, charge_id: str, until: float | None) -> Charge:
        now = since_1970()
        stored = self._ledger.take(self._owner, charge_id, now, now + LEASE)
        return self.get(charge_id) if stored is None else self._drive_claimed(stored, until)

    def _drive_claimed(self, stored: Stored, until: float | None = None) -> Charge:
        charge = stored.charge
        flow = core.advance(
            charge,
            stored.means,
            self._client._session,  # pyright: ignore[reportPrivateUsage]
            now=since_1970,
            deadline=until,
            policy=self._policy,
        )
        try:
            return driver.run(flow, self._perform)
        except Overtaken:
            return self.get(charge.id)
        finally:
            self._ledger.release(self._owner, charge.id)

    def _perform(self, step: Step) -> Any:
        if isinstance(step, Save):
            return self._ledger.save(step)
        return self._client._perform(step)  # pyright: ignore[reportPrivateUsage]
