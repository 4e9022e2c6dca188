"""The outbox on Django's ORM; see `payme.merchant.outbox`."""

import inspect
from typing import Any

from django.db import router
from django.db.models import F

from payme.flow import run
from payme.merchant.django.outbox.models import OutboxJob
from payme.merchant.outbox import BATCH, Job, Jobs, Relayed, Run, new, now_ms, perform


class DjangoOutbox(Jobs):
    """Keeps jobs where the models of `payme.merchant.django.outbox` are.

    Args:
        lease: Seconds that a job may take; after that another relay may run it, too.
        using: Alias of the database; by default the one that the routers name. It must be the one
            that the payments are in.

    Raises:
        InvalidArgument: `lease` is no positive number of seconds.

    Example:
        >>> outbox = DjangoOutbox()
        >>> @outbox.job("send receipt")
        ... def send_receipt(order_id): ...
        >>> class Orders:
        ...     def paid(self, transaction):
        ...         outbox.add("send receipt", order_id=transaction.order_id)
    """

    def __init__(self, *, lease: float = 300.0, using: str | None = None) -> None:
        super().__init__(lease=lease)
        self._using = using

    def add(self, name: str, /, **arguments: Any) -> None:
        """Store a job in the running transaction; it is run after the commit, at least once.

        Args:
            name: What the job is registered by.
            arguments: What it is called with; JSON values.

        Raises:
            InvalidArgument: The name is none, or the arguments are no JSON values.
        """
        checked, text = new(name, arguments)
        OutboxJob.objects.using(self._alias()).create(name=checked, arguments=text, due=now_ms())

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
        rows = _Rows(self._alias())

        def carry_out(step: Any) -> Any:
            return _called(step) if isinstance(step, Run) else perform(rows, step)

        return run(self.steps(batch), carry_out)

    def _alias(self) -> str:
        return self._using or router.db_for_write(OutboxJob)


class _Rows:
    """The jobs; see `payme.merchant.outbox.JobRows`. Each change is one statement."""

    def __init__(self, alias: str) -> None:
        self._jobs = OutboxJob.objects.using(alias)

    def due(self, now: int, limit: int) -> list[Job]:
        rows = self._jobs.filter(due__lte=now).order_by("due", "id").values_list(*Job._fields)
        return [Job(*row) for row in rows[:limit]]

    def claim(self, job: Job, until: int) -> bool:
        mine = self._jobs.filter(id=job.id, due=job.due)
        return mine.update(due=until, attempts=F("attempts") + 1) == 1

    def finish(self, job: Job) -> None:
        self._jobs.filter(id=job.id).delete()

    def postpone(self, job: Job, claimed_until: int, due: int) -> None:
        self._jobs.filter(id=job.id, due=claimed_until).update(due=due)


def _called(step: Run) -> Any:
    returned = step.function(**step.arguments)
    if inspect.iscoroutine(returned):
        returned.close()
        raise TypeError("a job is `async def`; under Django it must be `def`")
    return returned
