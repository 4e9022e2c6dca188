"""The sweep and the relay as tasks of Celery: `pip install "payme-uz[celery]"`.

Celery keeps its jobs at a broker, which knows nothing of the database's transactions: a job that is
sent before the commit may run too early or for nothing, and one that is sent after it is lost with
a crash in between. So jobs go into the outbox, and a task relays them. A job may do no more than
send a task: that happens at least once.
"""

from collections.abc import Callable
from typing import Any

from payme.errors import InvalidArgument
from payme.merchant.engines.making import Expires, PerProcess, Relays, require_one
from payme.protocol import arguments

try:
    from celery import Celery  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]
except ImportError as missing:
    raise ImportError('this module needs Celery: pip install "payme-uz[celery]"') from missing


class CeleryTasks:
    """Two tasks that beat sends: `payme.merchant.expire` and `payme.merchant.relay`.

    Args:
        app: Your `celery.Celery`.
        merchant: Makes the `Merchant`, for the sweep. Called at the first task of each process,
            after the fork.
        outbox: Makes the outbox, for the relay.
        expire_every: Seconds between two sweeps.
        relay_every: Seconds between two relays: how long a job waits after its commit.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.
        ConfigurationError: There is neither a merchant nor an outbox.

    Example:
        >>> tasks = CeleryTasks(app, merchant=make_merchant, outbox=make_outbox)
    """

    def __init__(
        self,
        app: Any,
        *,
        merchant: Callable[[], Expires] | None = None,
        outbox: Callable[[], Relays] | None = None,
        expire_every: float = 300.0,
        relay_every: float = 5.0,
        name: str = "payme.merchant",
    ) -> None:
        if not isinstance(app, Celery):
            raise InvalidArgument("app", type(app).__name__, "a celery.Celery")
        require_one(merchant, outbox)
        untyped: Any = app
        if merchant is not None:
            every = arguments.seconds("expire_every", expire_every)
            makes = PerProcess("merchant", merchant)
            self.expire = _periodic(
                untyped, f"{name}.expire", every, lambda: _numbers(makes().expire())
            )
        if outbox is not None:
            every = arguments.seconds("relay_every", relay_every)
            opens = PerProcess("outbox", outbox)
            self.relay = _periodic(
                untyped, f"{name}.relay", every, lambda: _numbers(opens().relay())
            )


def _periodic(app: Any, name: str, every: float, act: Callable[[], dict[str, int]]) -> Any:
    def run() -> dict[str, int]:
        return act()

    task = app.task(name=name, shared=False, acks_late=True)(run)
    # Not `task.s()`, which would configure the app before its time. A message expires with the
    # next one, so that a queue that nobody reads does not grow.
    app.add_periodic_task(every, app.signature(name), name=name, expires=every)
    return task


def _numbers(done: Any) -> dict[str, int]:
    """Return what a task did as its result."""
    return {name: getattr(done, name) for name in done.__struct_fields__}
