"""`AsyncRecurring`: subscriptions over asyncio charges; the same decisions as `Recurring`."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, time, timedelta
from typing import Any

from payme import flow as driver
from payme.charges import AsyncCharges, orders
from payme.charges.ledger import AsyncLedger
from payme.charges.pace import since_1970
from payme.charges.saved import check_customer
from payme.errors import ConfigurationError
from payme.recurring import asked, behind, ledger
from payme.recurring.behind import Watch
from payme.recurring.blocking import DAY, TEN
from payme.recurring.core import Period, Subscription
from payme.recurring.ledger import Act, LedgerStep
from payme.recurring.rows import AsyncKeeper, Message, Source
from payme.recurring.rule import AfterRetries, Missed, check_id


class AsyncRecurring:
    """Subscriptions: money from a saved card, every month.

    They live in the database of the charges. From now on the charges' ledger tells them of each
    proven change, in the transaction that stores it.

    Args:
        charges: Charges over an `AsyncSqlLedger`.
        now: Tells the time in seconds since 1970.

    Raises:
        ConfigurationError: The charges are kept elsewhere.

    Example:
        >>> recurring = AsyncRecurring(charges)
        >>> await recurring.create_all()
        >>> await recurring.create(
        ...     "club-17", 5_000_000, {"member": 17}, card.token, missed="latest"
        ... )
        >>> await recurring.run()
    """

    def __init__(self, charges: AsyncCharges, *, now: Callable[[], float] = since_1970) -> None:
        self._charges = charges
        self._session = charges._procedures._session  # pyright: ignore[reportPrivateUsage]
        self._now = now
        self._watch = Watch()
        self._keeper = self._kept_with(charges._ledger)  # pyright: ignore[reportPrivateUsage]
        self._keeper.follow(lambda rows, charge: ledger.learn(rows, charge, now()))

    def _kept_with(self, charges: AsyncLedger) -> AsyncKeeper:
        """Return what keeps subscriptions beside charges."""
        from payme.charges.ledger.sql import AsyncSqlLedger
        from payme.recurring.sql import AsyncSqlKeeper

        if not isinstance(charges, AsyncSqlLedger):
            raise ConfigurationError(
                "charges: subscriptions need charges that an AsyncSqlLedger keeps"
            )
        return AsyncSqlKeeper(charges)

    async def create_all(self) -> None:
        """See `Recurring.create_all`."""
        await self._keeper.create_all()

    async def create(
        self,
        id: str,
        amount: int,
        account: Mapping[str, str | int],
        token: str | None = None,
        *,
        customer: str | None = None,
        missed: Missed,
        every: tuple[int, str] = (1, "month"),
        anchor: date | None = None,
        at: time = TEN,
        timezone: str = "Asia/Tashkent",
        trial_until: date | None = None,
        ends: date | None = None,
        late_after: timedelta = DAY,
        max_catch_up: int = 1,
        retries: tuple[int, ...] | None = None,
        grace_days: int = 8,
        after_retries: AfterRetries = "past_due",
        notice_days: int | None = None,
        description: str | None = None,
        connection: Any = None,
    ) -> Subscription:
        """See `Recurring.create`."""
        card = orders.other_card(token, customer)
        del token
        options = {
            "missed": missed, "every": every, "anchor": anchor, "at": at,
            "timezone": timezone, "trial_until": trial_until, "ends": ends,
            "late_after": late_after, "max_catch_up": max_catch_up, "retries": retries,
            "grace_days": grace_days, "after_retries": after_retries,
            "notice_days": notice_days, "description": description,
        }  # fmt: skip
        source = asked.source(card, self._keeper.vault)
        change = asked.creation(self._now(), id, amount, account, source.customer, options)
        if connection is not None:
            return await self._keeper.inside(connection, ledger.create, change, source)
        return await self._keeper.do(ledger.create, change, source)

    async def change(
        self,
        id: str,
        *,
        amount: int | None = None,
        every: tuple[int, str] | None = None,
        anchor: date | None = None,
    ) -> Subscription:
        """See `Recurring.change`."""
        return await self._command(id, asked.change(amount, every, anchor))

    async def pause(self, id: str) -> Subscription:
        """See `Recurring.pause`."""
        return await self._command(id, asked.pause())

    async def resume(self, id: str, *, restart: bool = False) -> Subscription:
        """See `Recurring.resume`."""
        return await self._command(id, asked.resume(restart))

    async def cancel(
        self, id: str, *, at_period_end: bool = True, collect_open: bool = False
    ) -> Subscription:
        """See `Recurring.cancel`."""
        return await self._command(id, asked.cancel(at_period_end, collect_open))

    async def use_card(
        self, id: str, token: str | None = None, *, customer: str | None = None
    ) -> Subscription:
        """See `Recurring.use_card`."""
        card = orders.other_card(token, customer)
        del token
        source = asked.source(card, self._keeper.vault)
        return await self._command(id, asked.use_card(source.customer), source)

    async def card_changed(self, customer: str) -> list[Subscription]:
        """See `Recurring.card_changed`."""
        whose = check_customer(customer)
        found = await self._keeper.read(ledger.of_customer, whose)
        return [await self.use_card(one.id, customer=whose) for one in found if not one.is_over]

    async def retry(self, id: str) -> Subscription:
        """See `Recurring.retry`."""
        return await self._command(id, asked.retry())

    async def get(self, id: str) -> Subscription:
        """See `Recurring.get`."""
        return await self._keeper.read(ledger.get, check_id(id))

    async def is_entitled(self, id: str) -> bool:
        """See `Recurring.is_entitled`."""
        return await self._keeper.read(ledger.is_entitled, check_id(id), self._now())

    async def periods(self, id: str) -> list[Period]:
        """See `Recurring.periods`."""
        return await self._keeper.read(ledger.periods, check_id(id))

    async def outbox(self, limit: int = 100) -> list[Message]:
        """See `Recurring.outbox`."""
        return await self._keeper.read(ledger.outbox, asked.limit(limit))

    async def sent(self, message: Message) -> None:
        """See `Recurring.sent`."""
        await self._keeper.do(ledger.mark_sent, message, self._now())

    async def tick(self, now: float | None = None) -> int:
        """See `Recurring.tick`."""
        clock = self._now()
        moment = clock if now is None else asked.moment(now)
        flow = asked.ticking(self._watch, self._session, clock, moment)
        return await driver.arun(flow, self._perform)

    async def run(
        self,
        *,
        in_flight: int = 100,
        per_second: float | None = None,
        drain: bool = False,
        stop: asyncio.Event | None = None,
    ) -> int:
        """See `Recurring.run`."""
        flag = stop or asyncio.Event()
        pace: dict[str, Any] = {"in_flight": in_flight, "per_second": per_second}
        done = 0
        if drain:
            while not flag.is_set() and (due := await self.tick()):
                done += due
                await self._charges.run(**pace, drain=True, stop=flag)
            await self._charges.run(**pace, drain=True, stop=flag)
            return done
        driving: asyncio.Task[int] | None = None
        try:
            while not flag.is_set() and not (driving and driving.done()):
                pause = asked.LOOK_AGAIN
                try:
                    done += await self.tick()
                except asked.UNREACHABLE as error:
                    asked.unreachable(error)
                    pause = asked.OUTAGE
                else:
                    # Not before it is known that the ledger is not behind.
                    driving = driving or asyncio.create_task(self._charges.run(**pace, stop=flag))
                with suppress(TimeoutError):
                    await asyncio.wait_for(flag.wait(), pause)
        finally:
            flag.set()
            if driving is not None:
                await driving
        return done

    async def check(self, *, dismiss: bool = False) -> None:
        """See `Recurring.check`."""
        flow = behind.dismissing(self._session, self._now(), dismiss)
        await driver.arun(flow, self._perform)

    async def adopt(self, receipt_id: str) -> Subscription:
        """See `Recurring.adopt`."""
        flow = behind.adopting(self._session, receipt_id, self._now())
        return await driver.arun(flow, self._perform)

    async def _command(self, id: str, act: Act, source: Source | None = None) -> Subscription:
        known = await self.get(id)
        return await self._keeper.do(ledger.command, known, act, source, self._now())

    async def _perform(self, step: Any) -> Any:
        if isinstance(step, LedgerStep):
            return await self._keeper.do(step.act, *step.arguments)
        return await self._charges._perform(step)  # pyright: ignore[reportPrivateUsage]
