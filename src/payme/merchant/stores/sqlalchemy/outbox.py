"""The outbox in the merchant's database, on SQLAlchemy; see `payme.merchant.outbox`.

The table is `payme_outbox`, in a `metadata` of its own: who has no outbox has no table.
"""

import inspect
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import Session

from payme.errors import InvalidArgument
from payme.flow import arun, run
from payme.merchant.outbox import BATCH, Job, Jobs, Relayed, Run, new, now_ms, perform

metadata: Final = sa.MetaData()
"""Holds `payme_outbox`; for Alembic and `create_all`."""

_NUMBER: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")

jobs: Final = sa.Table(
    "payme_outbox",
    metadata,
    sa.Column("id", _NUMBER, primary_key=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    # Times are ms since 1970 UTC.
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Index("payme_outbox_due", "due", "id"),
)
"""One row for each job that was not run yet."""

_COLUMNS: Final = [jobs.c[name] for name in Job._fields]
_DUE: Final = (
    sa.select(*_COLUMNS)
    .where(jobs.c.due <= sa.bindparam("now"))
    .order_by(jobs.c.due, jobs.c.id)
    .limit(sa.bindparam("limit"))
)
_LEASED: Final = (
    sa.update(jobs)
    .where(jobs.c.id == sa.bindparam("its_id"), jobs.c.due == sa.bindparam("before"))
    .values(due=sa.bindparam("after"))
)
_CLAIM: Final = _LEASED.values(attempts=jobs.c.attempts + 1)
_FINISH: Final = sa.delete(jobs).where(jobs.c.id == sa.bindparam("its_id"))


class SqlAlchemyOutbox(Jobs):
    """Keeps jobs in PostgreSQL, MariaDB or SQLite, blocking.

    Args:
        engine: The merchant's own engine.
        lease: Seconds that a job may take; after that another relay may run it, too.

    Raises:
        InvalidArgument: An argument is not what is expected.

    Example:
        >>> outbox = SqlAlchemyOutbox(engine)
        >>> @outbox.job("send receipt")
        ... def send_receipt(order_id): ...
        >>> class ShopOrders(Orders):
        ...     def paid(self, connection, transaction):
        ...         outbox.add(connection, "send receipt", order_id=transaction.order_id)
        >>> outbox.relay()  # elsewhere, every few seconds
        Relayed(done=1, failed=0)
    """

    def __init__(self, engine: sa.Engine, *, lease: float = 300.0) -> None:
        if not isinstance(engine, sa.Engine):
            raise InvalidArgument("engine", type(engine).__name__, "an Engine of SQLAlchemy's")
        super().__init__(lease=lease)
        self._engine = engine

    def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        metadata.create_all(self._engine)

    def add(self, connection: sa.Connection | Session, name: str, /, **arguments: Any) -> None:
        """Store a job in a transaction; it is run after the commit, at least once.

        Args:
            connection: Of the running transaction: what the hook was given.
            name: What the job is registered by.
            arguments: What it is called with; JSON values.

        Raises:
            InvalidArgument: The connection or the name is none, or the arguments are no JSON
                values.
        """
        # `async def` would only make a coroutine, and the job would be lost without an error.
        if inspect.iscoroutinefunction(_execute_of(connection)):
            raise _refused(connection, "a blocking connection or session: what the hook was given")
        connection.execute(_insert(name, arguments))

    def relay(self, *, batch: int = BATCH) -> Relayed:
        """Run the jobs that are due, one after another, until none is.

        Any number of relays may run at once. A job that raises is logged and tried again after
        5 s, 10 s, 20 s … at most an hour; it is never given up.

        Args:
            batch: How many jobs are read at a time.

        Returns:
            What was done, in numbers.

        Raises:
            InvalidArgument: `batch` is no positive number.
        """

        def carry_out(step: Any) -> Any:
            if isinstance(step, Run):
                return _refuse_coroutine(step.function(**step.arguments))
            with self._engine.begin() as connection:
                return perform(_Rows(connection), step)

        return run(self.steps(batch), carry_out)


class AsyncSqlAlchemyOutbox(Jobs):
    """Keeps jobs in PostgreSQL, MariaDB or SQLite, under asyncio; see `SqlAlchemyOutbox`.

    Jobs are `async def`, or `def` if they return at once.

    Args:
        engine: The merchant's own engine.
        lease: Seconds that a job may take; after that another relay may run it, too.

    Raises:
        InvalidArgument: An argument is not what is expected.
    """

    _awaits = True

    def __init__(self, engine: AsyncEngine, *, lease: float = 300.0) -> None:
        if not isinstance(engine, AsyncEngine):
            raise InvalidArgument("engine", type(engine).__name__, "an AsyncEngine")
        super().__init__(lease=lease)
        self._engine = engine

    async def create_all(self) -> None:
        """Create the table unless it exists; Alembic users write a migration instead."""
        async with self._engine.begin() as connection:
            await connection.run_sync(metadata.create_all)

    async def add(
        self, connection: AsyncConnection | AsyncSession, name: str, /, **arguments: Any
    ) -> None:
        """Store a job in a transaction; see `SqlAlchemyOutbox.add`."""
        if not inspect.iscoroutinefunction(_execute_of(connection)):
            raise _refused(
                connection, "a connection or session of asyncio: what the hook was given"
            )
        await connection.execute(_insert(name, arguments))

    async def relay(self, *, batch: int = BATCH) -> Relayed:
        """Run the jobs that are due; see `SqlAlchemyOutbox.relay`."""

        async def carry_out(step: Any) -> Any:
            if isinstance(step, Run):
                returned = step.function(**step.arguments)
                return await returned if inspect.isawaitable(returned) else returned
            async with self._engine.begin() as connection:
                return await connection.run_sync(_perform, step)

        return await arun(self.steps(batch), carry_out)


class _Rows:
    """The jobs, on a connection; see `payme.merchant.outbox.JobRows`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def due(self, now: int, limit: int) -> list[Job]:
        found = self._connection.execute(_DUE, {"now": now, "limit": limit})
        return [Job(*row) for row in found]

    def claim(self, job: Job, until: int) -> bool:
        changes = {"its_id": job.id, "before": job.due, "after": until}
        return self._connection.execute(_CLAIM, changes).rowcount == 1

    def finish(self, job: Job) -> None:
        self._connection.execute(_FINISH, {"its_id": job.id})

    def postpone(self, job: Job, claimed_until: int, due: int) -> None:
        changes = {"its_id": job.id, "before": claimed_until, "after": due}
        self._connection.execute(_LEASED, changes)


def _perform(connection: sa.Connection, step: Any) -> Any:
    return perform(_Rows(connection), step)


def _execute_of(connection: object) -> Any:
    found = getattr(connection, "execute", None)
    if not callable(found):
        raise _refused(connection, "the connection or session that the hook was given")
    return found


def _refused(connection: object, expected: str) -> InvalidArgument:
    return InvalidArgument("connection", type(connection).__name__, expected)


def _insert(name: str, arguments: dict[str, Any]) -> sa.Insert:
    checked, text = new(name, arguments)
    return sa.insert(jobs).values(name=checked, arguments=text, due=now_ms(), attempts=0)


def _refuse_coroutine(returned: Any) -> Any:
    if inspect.iscoroutine(returned):
        returned.close()
        raise TypeError("a job is `async def`; under this outbox it must be `def`")
    return returned
