"""Subscriptions on Celery: `pip install "payme-uz[charges,celery]"`.

Any broker does: what is lost with it is found in the ledger.
"""

from collections.abc import Callable
from typing import Any

from payme.charges.blocking import Charges
from payme.charges.engines import driving
from payme.charges.engines.celery import CeleryEngine
from payme.recurring.blocking import Recurring


class CeleryRecurringEngine(CeleryEngine):
    """The engine of charges for an app of Celery's, and a tick: `{name}.tick`.

    Use it in place of `CeleryEngine`: whoever drives a charge of a subscription tells it what came
    of that, which charges that no `Recurring` was made with don't.

    `{name}.tick` is an entry for beat. It does what is due, and sends the charges that are due; a
    tick that finds nothing sends nothing. Any number of beats and workers may tick at once.

    Args:
        app: Your `celery.Celery`.
        recurring: Makes `Recurring`. Called at the first task of each process, after the fork.
        sweep_every: Seconds between two ticks, and between two sweeps.
        sweep_limit: How many charges a tick or a sweep sends at most; see `CeleryEngine`.
        name: What the names of the tasks begin with; another one for another cash-box.

    Raises:
        InvalidArgument: An argument is not what is expected.
        ConfigurationError: The app has tasks of this name.

    Example:
        >>> engine = CeleryRecurringEngine(app, make_recurring)
        >>> recurring.create("club-17", 5_000_000, {"member": 17}, card.token, missed="latest")
        >>> engine.defer("club-17:0")
    """

    def __init__(
        self,
        app: Any,
        recurring: Callable[[], Recurring],
        *,
        sweep_every: float = 60.0,
        sweep_limit: int = 1000,
        name: str = "payme.charges",
    ) -> None:
        self._recurring = driving.PerProcess[Recurring]("recurring", recurring, Recurring)
        super().__init__(
            app, self._its_charges, sweep_every=sweep_every, sweep_limit=sweep_limit, name=name
        )
        self.tick: Any = self._periodic(app, f"{name}.tick", self._tick)

    def _its_charges(self) -> Charges:
        return self._recurring()._charges  # pyright: ignore[reportPrivateUsage]

    def _tick(self) -> None:
        # After the commit of what the tick has opened. Should this process end in between, or a
        # message be lost, the sweep sends it.
        if self._recurring().tick():
            self._sweep()
