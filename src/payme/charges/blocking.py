"""`Charges`: charges over a blocking client."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from functools import partial
from threading import Event as Flag
from typing import Any, TypeVar

from payme import flow as driver
from payme.charges import orders
from payme.charges.core import PATIENT, Charge, ChargeState, Event, Policy, Save
from payme.charges.ledger import Ledger, Stored
from payme.charges.pace import Pace, since_1970
from payme.charges.procedures import Ask, Flow, Procedures, ProcedureStep
from payme.charges.procedures import until as _until
from payme.client import Payme
from payme.protocol.inputs import Detail, Payer
from payme.transport.base import Request, TransportError

T = TypeVar("T")


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

    def __init__(self, client: Payme, ledger: Ledger | str, *, policy: Policy = PATIENT) -> None:
        self._client = client
        self._ledger: Ledger = _opened(ledger) if isinstance(ledger, str) else ledger
        session = client._session  # pyright: ignore[reportPrivateUsage]
        self._procedures = Procedures(session, policy)

    def charge(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str | None = None,
        *,
        customer: str | None = None,
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
            token: Token of a verified card; or give `customer`.
            customer: Whose default card pays, as `payme.wallet` saved it; or give `token`.
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
            CardNotFound: The customer has no default card.
            CardUnusable: The customer's default card must not be charged.
        """
        asked = orders.order(
            since_1970(), id, amount, account, token, customer=customer,
            description=description, detail=detail, payer=payer, hold=hold,
        )  # fmt: skip
        del account, token, customer, payer
        return self._run(self._procedures.charge(asked, _until(deadline)))

    def submit(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str | None = None,
        *,
        customer: str | None = None,
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
            customer: See `charge`.
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
            CardNotFound: The customer has no default card.
            CardUnusable: The customer's default card must not be charged.
        """
        asked = orders.order(
            since_1970(), id, amount, account, token, customer=customer,
            description=description, detail=detail, payer=payer, hold=hold,
        )  # fmt: skip
        del account, token, customer, payer
        return self._run(self._procedures.submit(asked, connection))

    def get(self, id: str) -> Charge:
        """Read a charge.

        Args:
            id: Id of the charge.

        Returns:
            The charge as it is stored; Payme is not asked.

        Raises:
            InvalidArgument: That can't be an id.
            ChargeNotFound: There is none.
        """
        return self._run(self._procedures.get(id))

    def history(self, id: str) -> list[Event]:
        """Read why a charge is what it is.

        Args:
            id: Id of the charge.

        Returns:
            Its events, the oldest first; none for an id that is not known.

        Raises:
            InvalidArgument: That can't be an id.
        """
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

        Raises:
            InvalidArgument: There is no such state, or `since` has no time zone.
        """
        return self._ledger.iterate(orders.check_state(state), orders.check_since(since))

    def advance(self, id: str) -> Charge:
        """Drive a charge as far as it goes now; safe to call at any time, from anywhere.

        Args:
            id: Id of the charge.

        Returns:
            The charge; as it is stored, if another process drives it at the moment.

        Raises:
            InvalidArgument: That can't be an id.
            ChargeNotFound: There is no such charge.
        """
        return self._run(self._procedures.advance(id))

    def confirm(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Take what a charge holds.

        Args:
            id: Id of the charge.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge: `paid` when the money was taken; one that was confirmed before as it is.

        Raises:
            InvalidArgument: That can't be an id, or `deadline` is no positive number.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It holds nothing.
        """
        return self._run(self._procedures.command(id, "confirm", _until(deadline)))

    def refund(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Give the money of a paid charge back.

        Args:
            id: Id of the charge.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge: `refunded` when the money went back, `paid` when the billing refused.

        Raises:
            InvalidArgument: That can't be an id, or `deadline` is no positive number.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is not paid.
        """
        return self._run(self._procedures.command(id, "refund", _until(deadline)))

    def cancel(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Give a charge up: no other payment is begun, and its receipt is cancelled.

        Args:
            id: Id of the charge.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge: `failed`, or `paid` when the money was taken before.

        Raises:
            InvalidArgument: That can't be an id, or `deadline` is no positive number.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is paid (then `refund` it) or rests otherwise.
        """
        return self._run(self._procedures.command(id, "cancel", _until(deadline)))

    def retry(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Try a refused or failed charge again, with the card that it has.

        Args:
            id: Id of the charge.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge. Look at `is_paid`, as after `charge`.

        Raises:
            InvalidArgument: That can't be an id, or `deadline` is no positive number.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is neither refused nor failed.
        """
        return self._run(self._procedures.command(id, "retry", _until(deadline)))

    def pay_with(
        self,
        id: str,
        token: str | None = None,
        *,
        customer: str | None = None,
        deadline: float = 15.0,
    ) -> Charge:
        """Try a refused or failed charge again, with another card.

        Args:
            id: Id of the charge.
            token: Token of a verified card; or give `customer`.
            customer: Whose default card pays; or give `token`.
            deadline: Seconds to wait here; what is not proven by then goes on in `run`.

        Returns:
            The charge. Look at `is_paid`, as after `charge`.

        Raises:
            InvalidArgument: That is no token, or not exactly one of both was given.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It is neither refused nor failed.
            CardNotFound: The customer has no default card.
            CardUnusable: The customer's default card must not be charged.
        """
        asked = orders.other_card(token, customer)
        del token, customer
        return self._run(self._procedures.pay_with(id, asked, _until(deadline)))

    def vouch(self, id: str, *, deadline: float = 15.0) -> Charge:
        """Say that no cancellation of a charge's receipt is on its way any more; it is read again.

        For a charge that `needs_attention`, after a person has looked at the receipt with Payme.
        Nothing is paid or cancelled.

        Args:
            id: Id of the charge.
            deadline: Seconds to wait here for the answer.

        Returns:
            The charge: ended by what its receipt shows, or as it was if that is no end.

        Raises:
            InvalidArgument: That can't be an id, or `deadline` is no positive number.
            ChargeNotFound: There is no such charge.
            ChargeConflict: It needs no attention.
        """
        return self._run(self._procedures.vouch(id, _until(deadline)))

    def due(self, limit: int = 1000) -> list[str]:
        """Read the ids of charges that are due and that nobody drives, for who calls `advance`.

        Args:
            limit: How many at most.

        Returns:
            Ids, what is due first first; nothing is leased.

        Raises:
            InvalidArgument: `limit` is no positive number.
        """
        return self._run(self._procedures.due(limit))

    def recover(self) -> int:
        """Drive once what is due now, such as at the start of a process.

        Returns:
            How many charges were driven.
        """
        return self._run(self._procedures.recover())

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

        def drive(owner: str, stored: Stored) -> Charge | None:
            flow = self._procedures.drive_claimed(owner, stored)
            return driver.run(flow, partial(self._perform_at, pace))

        with self._threads(in_flight) as threads:
            while not flag.is_set():
                found = self._run(self._procedures.look(pace, len(running)))
                running |= {threads.submit(drive, found.owner, one) for one in found.claimed}
                if drain and found.is_idle:
                    break
                if not running:
                    flag.wait(found.seconds)
                    continue
                done = wait(running, found.seconds, FIRST_COMPLETED).done
                running -= done
                driven += len(done)
                for one in done:
                    pace.learn(one.result())
        return driven + len(running)

    def _threads(self, count: int) -> ThreadPoolExecutor:
        """Make the threads of `run`."""
        return ThreadPoolExecutor(count, "payme-charges")

    def _run(self, flow: Flow[T]) -> T:
        return driver.run(flow, self._perform)

    def _perform_at(self, pace: Pace, step: ProcedureStep) -> Any:
        """Carry a step out, and let the pace of a run learn from what Payme answers."""
        if not isinstance(step, Request):
            return self._perform(step)
        try:
            reply = self._perform(step)
        except TransportError:
            pace.struggled()
            raise
        pace.heard(reply)
        return reply

    def _perform(self, step: ProcedureStep) -> Any:
        if isinstance(step, Ask):
            return step.act(self._ledger)
        if isinstance(step, Save):
            return self._ledger.save(step)
        return self._client._perform(step)  # pyright: ignore[reportPrivateUsage]


def _opened(url: str) -> Ledger:
    # Here, because a ledger of another kind needs no SQLAlchemy.
    from payme.charges.ledger.sql import SqlLedger

    return SqlLedger(url)
