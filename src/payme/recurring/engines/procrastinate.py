"""Subscriptions on Procrastinate: `pip install "payme-uz[charges,procrastinate]"`.

Jobs are rows of PostgreSQL. The charges may be in another database, or in SQLite.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from payme.charges.aio import AsyncCharges
from payme.charges.blocking import Charges
from payme.charges.engines import driving
from payme.charges.engines.procrastinate import EVERY_MINUTE, ProcrastinateEngine
from payme.recurring.aio import AsyncRecurring
from payme.recurring.blocking import Recurring

if TYPE_CHECKING:
    from procrastinate import Blueprint, JobContext
    from procrastinate.tasks import Task


class ProcrastinateRecurringEngine(ProcrastinateEngine):
    """The engine of charges for an app of Procrastinate's, and a tick: `{name}.tick`.

    Use it in place of `ProcrastinateEngine`: whoever drives a charge of a subscription tells it
    what came of that, which charges that no `Recurring` was made with don't.

    `{name}.tick` runs periodically. It does what is due, and defers the charges that are due; a
    tick that finds nothing defers nothing. Any number of workers may tick at once.

    Args:
        app: Your `procrastinate.App`, or a `Blueprint` that is added to it.
        recurring: Makes `AsyncRecurring`, or `Recurring`, which then run in threads. Called at the
            first job of a process, in its event loop.
        queue: Queue of all tasks.
        cron: When ticks and sweeps run: five fields, and a sixth at the end for seconds if you
            like.
        sweep_limit: How many charges a tick or a sweep defers at most.
        stalled_after: See `ProcrastinateEngine`.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.

    Example:
        >>> engine = ProcrastinateRecurringEngine(app, make_recurring)
        >>> recurring.create("club-17", 5_000_000, {"member": 17}, card.token, missed="latest")
        >>> engine.defer("club-17:0")
    """

    def __init__(
        self,
        app: "Blueprint",
        recurring: Callable[[], AsyncRecurring | Recurring],
        *,
        queue: str = "payme",
        cron: str = EVERY_MINUTE,
        sweep_limit: int = 1000,
        stalled_after: float = 300.0,
        name: str = "payme.charges",
    ) -> None:
        self._recurring = driving.PerProcess[Recurring | AsyncRecurring](
            "recurring", recurring, AsyncRecurring, Recurring
        )
        super().__init__(
            app,
            self._its_charges,
            queue=queue,
            cron=cron,
            sweep_limit=sweep_limit,
            stalled_after=stalled_after,
            name=name,
        )
        self.tick: Task[Any, Any, Any] = self._periodic(app, f"{name}.tick", self._tick)

    def _its_charges(self) -> Charges | AsyncCharges:
        return self._recurring()._charges  # pyright: ignore[reportPrivateUsage]

    async def _tick(self, context: "JobContext", timestamp: int) -> None:  # noqa: ARG002
        recurring = self._recurring()
        if isinstance(recurring, AsyncRecurring):
            done = await recurring.tick()
        else:
            done = await asyncio.to_thread(recurring.tick)
        # Not in the transaction of the tick: that would cost it a statement for each charge, and
        # the ledger may be another database. What a worker that ends here leaves, the sweep finds.
        if done:
            await self._defer_due()
