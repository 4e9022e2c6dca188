"""The sweep, the relay and jobs of a payment on Procrastinate: `payme-uz[procrastinate]`.

Procrastinate's jobs are rows of PostgreSQL, so that payment and job are one transaction: no outbox
is needed between them, see `defer`.
"""

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from payme.errors import InvalidArgument
from payme.merchant.engines.making import Expires, PerProcess, Relays, require_one
from payme.protocol import arguments

try:
    from procrastinate import Blueprint
except ImportError as missing:
    raise ImportError(
        'this module needs Procrastinate: pip install "payme-uz[procrastinate]"'
    ) from missing

if TYPE_CHECKING:
    from procrastinate.tasks import Task

EVERY_MINUTE: Final = "* * * * *"
EVERY_FIVE_MINUTES: Final = "*/5 * * * *"


def defer(connection: Any, task: "Task[Any, Any, Any]", /, **arguments: Any) -> None:
    """Defer a job in a hook: it is stored with the payment, and runs after the commit.

    Under Procrastinate's Django connector this function is not needed: `task.defer()` joins the
    transaction by itself.

    Args:
        connection: Of the running transaction: what the hook was given, a connection or a session
            of SQLAlchemy's on psycopg.
        task: A task of your `procrastinate.App`.
        arguments: What it is called with; JSON values.

    Raises:
        InvalidArgument: The connection is none of psycopg's.

    Example:
        >>> class ShopOrders(Orders):
        ...     def paid(self, connection, transaction):
        ...         defer(connection, send_receipt, order_id=transaction.order_id)
    """
    _configured(task, _psycopg(_connection_of(connection))).defer(**arguments)


async def defer_async(connection: Any, task: "Task[Any, Any, Any]", /, **arguments: Any) -> None:
    """Defer a job in a hook under asyncio; see `defer`.

    Args:
        connection: An `AsyncConnection` or `AsyncSession` of SQLAlchemy's.
        task: See `defer`.
        arguments: See `defer`.

    Raises:
        InvalidArgument: The connection is none of psycopg's.
    """
    # A session gives its connection by a method; a connection has a method of its own.
    own = connection
    if not hasattr(own, "get_raw_connection"):
        method = getattr(own, "connection", None)
        given = method() if callable(method) else None
        own = await given if inspect.isawaitable(given) else None
    if own is None:
        raise _refused(connection)
    await _configured(task, _psycopg_of(await own.get_raw_connection(), connection)).defer_async(
        **arguments
    )


def _configured(task: "Task[Any, Any, Any]", connection: Any) -> Any:
    return task.configure(connection=connection)


def _connection_of(given: Any) -> Any:
    """Return the connection of a session, which SQLAlchemy's sessions give by a method."""
    method = getattr(given, "connection", None)
    return method() if callable(method) else given


def _psycopg(connection: Any) -> Any:
    return _psycopg_of(getattr(connection, "connection", None), connection)


def _psycopg_of(pooled: Any, given: Any) -> Any:
    driver = getattr(pooled, "driver_connection", None)
    if not type(driver).__module__.startswith("psycopg"):
        raise _refused(given)
    return driver


def _refused(given: Any) -> InvalidArgument:
    return InvalidArgument(
        "connection", type(given).__name__, "what the hook was given, of SQLAlchemy on psycopg"
    )


class ProcrastinateTasks:
    """Two periodic tasks: `payme.merchant.expire` and `payme.merchant.relay`.

    Args:
        app: Your `procrastinate.App`, or a `Blueprint` that is added to it.
        merchant: Makes the `Merchant` or `AsyncMerchant`, for the sweep. Called at the first job of
            a process, in its event loop.
        outbox: Makes the outbox, for the relay; not needed where hooks use `defer`.
        expire_cron: When the sweep runs: five fields, and a sixth at the end for seconds.
        relay_cron: When the relay runs.
        queue: Queue of both tasks.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.
        ConfigurationError: There is neither a merchant nor an outbox.

    Example:
        >>> tasks = ProcrastinateTasks(app, merchant=make_merchant)
    """

    def __init__(
        self,
        app: Blueprint,
        *,
        merchant: Callable[[], Expires] | None = None,
        outbox: Callable[[], Relays] | None = None,
        expire_cron: str = EVERY_FIVE_MINUTES,
        relay_cron: str = EVERY_MINUTE,
        queue: str = "payme",
        name: str = "payme.merchant",
    ) -> None:
        if not isinstance(app, Blueprint):
            expected = "a procrastinate.App or a Blueprint"
            raise InvalidArgument("app", type(app).__name__, expected)
        require_one(merchant, outbox)
        arguments.cron("expire_cron", expire_cron)
        arguments.cron("relay_cron", relay_cron)
        if merchant is not None:
            makes = PerProcess("merchant", merchant)
            self.expire = _periodic(
                app, f"{name}.expire", queue, expire_cron, lambda: makes().expire
            )
        if outbox is not None:
            opens = PerProcess("outbox", outbox)
            self.relay = _periodic(app, f"{name}.relay", queue, relay_cron, lambda: opens().relay)


def _periodic(
    app: Blueprint, name: str, queue: str, cron: str, method: Callable[[], Callable[[], Any]]
) -> "Task[Any, Any, Any]":
    """Make a task that runs every so often, and of which one job waits at most."""

    async def act(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate hands it over
        run = method()
        if inspect.iscoroutinefunction(run):
            await run()
        else:
            await asyncio.to_thread(run)

    task = app.task(name=name, queue=queue, queueing_lock=name)(act)
    return app.periodic(cron=cron)(task)
