"""Charges on Procrastinate: `pip install "payme-uz[charges,procrastinate]"`.

Jobs are rows of PostgreSQL, so that order, charge and job can be one transaction.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from payme.charges import orders
from payme.charges.aio import AsyncCharges
from payme.charges.blocking import Charges
from payme.charges.core import Charge
from payme.charges.engines import driving
from payme.charges.orders import ChargeNotFound
from payme.protocol import arguments

try:
    from procrastinate import Blueprint, JobContext
    from procrastinate.exceptions import AlreadyEnqueued
    from procrastinate.jobs import Status
except ImportError as missing:
    raise ImportError(
        'this module needs Procrastinate: pip install "payme-uz[charges,procrastinate]"'
    ) from missing

if TYPE_CHECKING:
    from procrastinate.tasks import Task

EVERY_MINUTE: Final = "* * * * *"


class ProcrastinateEngine:
    """Two tasks on an app of Procrastinate's: drive a charge, and sweep.

    `{name}.advance` drives one charge and, while it does not rest, defers itself for when it is
    due. `{name}.sweep` runs periodically and defers what is due and nobody drives. A job's only
    argument is the id of its charge.

    Args:
        app: Your `procrastinate.App`, or a `Blueprint` that is added to it.
        charges: Makes `AsyncCharges`, or `Charges`, which then run in threads. Called at the first
            job of a process, in its event loop.
        queue: Queue of both tasks.
        cron: When the sweep runs: five fields, and a sixth at the end for seconds if you like.
        sweep_limit: How many charges one sweep defers at most.
        stalled_after: Seconds without a heartbeat of its worker after which a job is written off.
            More than a worker is ever silent: see `update_heartbeat_interval` of the worker.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.

    Example:
        >>> engine = ProcrastinateEngine(app, make_charges)
        >>> charges.submit("order-106", 50_000, {"order_id": 106}, token)
        >>> engine.defer("order-106")
    """

    def __init__(
        self,
        app: Blueprint,
        charges: Callable[[], AsyncCharges | Charges],
        *,
        queue: str = "payme",
        cron: str = EVERY_MINUTE,
        sweep_limit: int = 1000,
        stalled_after: float = 300.0,
        name: str = "payme.charges",
    ) -> None:
        self._charges = driving.PerProcess[Charges | AsyncCharges](
            "charges", charges, AsyncCharges, Charges
        )
        self._limit = orders.check_limit(sweep_limit)
        self._stalled_after = arguments.seconds("stalled_after", stalled_after)
        self._cron = arguments.cron("cron", cron)
        name = driving.check_name(name)
        # No `lock`: the ledger leases a charge, and that lease ends with its time. A lock is held
        # by the job of a killed worker until somebody writes the job off.
        self.advance: Task[Any, Any, Any] = app.task(name=f"{name}.advance", queue=queue)(
            self._advance
        )
        self._queue = queue
        self._tasks: list[Task[Any, Any, Any]] = [self.advance]
        self.sweep: Task[Any, Any, Any] = self._periodic(app, f"{name}.sweep", self._sweep)

    def _periodic(
        self, app: Blueprint, name: str, act: Callable[..., Any]
    ) -> "Task[Any, Any, Any]":
        """Make a task that runs every so often, and of which one job waits at most."""
        task = app.task(name=name, queue=self._queue, queueing_lock=name, pass_context=True)(act)
        self._tasks.append(task)
        return app.periodic(cron=self._cron)(task)

    def defer(self, charge_id: str, *, connection: Any = None) -> None:
        """Let a worker drive a charge now.

        Args:
            charge_id: Id of a charge that was submitted.
            connection: Your transaction: a connection of SQLAlchemy's or of psycopg's, the same
                that `submit` got. With it order, charge and job are stored together. Under
                Procrastinate's Django connector leave it out: the job joins `atomic` by itself.

        Raises:
            InvalidArgument: The id is none.
        """
        job = self._now(charge_id, _own(connection))
        with suppress(AlreadyEnqueued):
            job.defer(charge_id=charge_id)

    async def defer_async(self, charge_id: str, *, connection: Any = None) -> None:
        """Let a worker drive a charge now; see `defer`.

        Args:
            charge_id: See `defer`.
            connection: See `defer`; a connection of asyncio's.

        Raises:
            InvalidArgument: The id is none.
        """
        job = self._now(charge_id, await _own_async(connection))
        with suppress(AlreadyEnqueued):
            await job.defer_async(charge_id=charge_id)

    def _now(self, charge_id: str, connection: Any) -> Any:
        charge_id = orders.check_id(charge_id)
        if connection is not None:
            # A job that waits already would break the transaction off, so this one has no lock.
            return self.advance.configure(connection=connection)
        if self._joins_a_transaction():
            return self.advance.configure()
        return self.advance.configure(queueing_lock=self._lock(charge_id))

    def _joins_a_transaction(self) -> bool:
        """Return whether Django's connector would defer inside `atomic`."""
        connector = getattr(self.advance.blueprint, "connector", None)
        own = getattr(connector, "connection", None)
        return bool(getattr(own, "in_atomic_block", False))

    def _lock(self, charge_id: str, when: str = "now") -> str:
        """At most one job of a charge waits for a worker, and one for the time it is due.

        They are two, so that what became due earlier is not kept waiting by the later job.
        """
        return f"{self.advance.name}:{when}:{charge_id}"

    async def _advance(self, charge_id: str) -> None:
        try:
            charge = await self._drive(charge_id)
        except ChargeNotFound:
            driving.warn_of_unknown(charge_id)
            return
        due = driving.due_later(charge)
        if due is None:
            return
        job = self.advance.configure(
            queueing_lock=self._lock(charge_id, "later"),
            schedule_at=datetime.fromtimestamp(due, UTC),
        )
        with suppress(AlreadyEnqueued):
            await job.defer_async(charge_id=charge_id)

    async def _drive(self, charge_id: str) -> Charge:
        charges = self._charges()
        if isinstance(charges, AsyncCharges):
            return await driving.adrive(charges, charge_id)
        return await asyncio.to_thread(driving.drive, charges, charge_id)

    async def _sweep(self, context: JobContext, timestamp: int) -> None:  # noqa: ARG002
        await self._write_off(context)
        await self._defer_due()

    async def _defer_due(self) -> None:
        charges = self._charges()
        if isinstance(charges, AsyncCharges):
            due = await charges.due(self._limit)
        else:
            due = await asyncio.to_thread(charges.due, self._limit)
        for charge_id in due:
            job = self.advance.configure(queueing_lock=self._lock(charge_id))
            with suppress(AlreadyEnqueued):
                await job.defer_async(charge_id=charge_id)

    async def _write_off(self, context: JobContext) -> None:
        """End the jobs of killed workers, which stay "doing" for ever.

        They are not run again: the ledger knows what they left, and the sweep finds it there.
        """
        manager = context.app.job_manager
        for task in self._tasks:
            stalled = await manager.get_stalled_jobs(
                task_name=task.name, seconds_since_heartbeat=self._stalled_after
            )
            for job in stalled:
                if job.id is not None:
                    await manager.finish_job(job, Status.ABORTED, delete_job=False)


def _own(connection: Any) -> Any:
    """Take psycopg's connection out of SQLAlchemy's."""
    pooled = getattr(connection, "connection", None)
    return getattr(pooled, "driver_connection", connection)


async def _own_async(connection: Any) -> Any:
    raw = getattr(connection, "get_raw_connection", None)
    return connection if raw is None else (await raw()).driver_connection
