"""Charges on Celery: `pip install "payme-uz[charges,celery]"`.

Any broker does: what is lost with it is found in the ledger.
"""

from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from payme.charges import orders
from payme.charges.blocking import Charges
from payme.charges.engines import driving
from payme.charges.orders import ChargeNotFound
from payme.charges.pace import since_1970
from payme.errors import ConfigurationError, InvalidArgument
from payme.protocol import arguments

try:
    from celery import Celery  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs]
    from kombu.exceptions import OperationalError
except ImportError as missing:
    raise ImportError(
        'this module needs Celery: pip install "payme-uz[charges,celery]"'
    ) from missing

# Celery keeps the first task of a name and drops the second without an error.
_NAMES: Final[WeakKeyDictionary[Any, set[str]]] = WeakKeyDictionary()


class CeleryEngine:
    """Two tasks on an app of Celery's: drive a charge, and sweep.

    `{name}.advance` drives one charge and, while it does not rest, sends itself for when it is due,
    unless the sweep comes first. `{name}.sweep` is an entry for beat and sends what is due and
    nobody drives. A message's only argument is the id of its charge.

    Route and limit them as any task, by name: `task_routes = {"payme.charges.*": …}`,
    `task_annotations = {"payme.charges.advance": {"rate_limit": "10/s"}}`.

    Args:
        app: Your `celery.Celery`.
        charges: Makes `Charges`. Called at the first task of each process, after the fork.
        sweep_every: Seconds between two sweeps.
        sweep_limit: How many charges one sweep sends at most; what the workers don't manage until
            the next one expires, and is sent again.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.
        ConfigurationError: The app has tasks of this name.

    Example:
        >>> engine = CeleryEngine(app, make_charges)
        >>> charges.submit("order-106", 50_000, {"order_id": 106}, token)
        >>> engine.defer("order-106")
    """

    def __init__(
        self,
        app: Any,
        charges: Callable[[], Charges],
        *,
        sweep_every: float = 60.0,
        sweep_limit: int = 1000,
        name: str = "payme.charges",
    ) -> None:
        if not isinstance(app, Celery):
            raise InvalidArgument("app", type(app).__name__, "a celery.Celery")
        self._charges = driving.PerProcess[Charges]("charges", charges, Charges)
        self._every = arguments.seconds("sweep_every", sweep_every)
        self._limit = orders.check_limit(sweep_limit)
        name = driving.check_name(name)
        untyped: Any = app
        names = _NAMES.setdefault(untyped, set())
        if name in names:
            raise ConfigurationError(f"name: the app has an engine {name!r} already")
        names.add(name)

        def advance(task: Any, charge_id: str) -> None:
            self._advance(task, charge_id)

        # A message that is acknowledged late comes again when its worker is killed, where the
        # broker can tell; where it can't, and with a time limit, the sweep comes.
        options = {"bind": True, "shared": False, "ignore_result": True, "acks_late": True}
        self.advance: Any = untyped.task(name=f"{name}.advance", **options)(advance)
        self.sweep: Any = self._periodic(untyped, f"{name}.sweep", self._sweep)

    def _periodic(self, app: Any, name: str, act: Callable[[], None]) -> Any:
        """Make a task that beat sends."""

        def run() -> None:
            act()

        task = app.task(name=name, shared=False, ignore_result=True, acks_late=True)(run)
        # Not `task.s()`, which would configure the app before its time. A message expires with the
        # next one, so that a queue that nobody reads does not grow.
        app.add_periodic_task(self._every, app.signature(name), name=name, expires=self._every)
        return task

    def defer(self, charge_id: str) -> None:
        """Let a worker drive a charge now; call it after the commit of `submit`.

        Under Django: `transaction.on_commit(lambda: engine.defer(id))`. When the broker can't be
        reached, that is logged, and the sweep drives the charge later.

        Args:
            charge_id: Id of a charge that was submitted.

        Raises:
            InvalidArgument: The id is none.
        """
        charge_id = orders.check_id(charge_id)
        try:
            self.advance.apply_async((charge_id,))
        except OperationalError as error:
            driving.LOG.warning(
                "charge %s waits for the sweep: the broker can't be reached (%s)",
                charge_id,
                type(error).__name__,
            )

    def _advance(self, task: Any, charge_id: str) -> None:
        try:
            charge = driving.drive(self._charges(), charge_id)
        except ChargeNotFound:
            driving.warn_of_unknown(charge_id)
            return
        due = driving.due_later(charge)
        if due is None or task.request.is_eager:  # eager, it would wait for nothing, and recurse
            return
        seconds = due - since_1970()
        # What is due after the next sweep is left to it: Redis delivers a message that waits for
        # longer than its visibility timeout again and again.
        if seconds < self._every:
            self.advance.apply_async((charge_id,), countdown=max(seconds, 0.0))

    def _sweep(self) -> None:
        for charge_id in self._charges().due(self._limit):
            # The next sweep sends it again, so that a queue nobody reads does not grow.
            self.advance.apply_async((charge_id,), expires=self._every)
