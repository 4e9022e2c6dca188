"""The outbox: what is to be done after a payment is stored with it, and done at least once.

A hook can't send an e-mail: it can't be taken back, and Payme waits. What it can do is to write a
job down, in the transaction that stores the payment. A *relay* runs what is written down. Whatever
crashes after the commit, the job is there for the next relay; a payment that is rolled back leaves
no job.

A job that was run may run again: its relay may be killed before it notes that, or take longer than
its lease. So a job checks what it did, or does what may be done twice.
"""

import inspect
import logging
import time
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from payme import exact
from payme.errors import InvalidArgument
from payme.protocol import arguments

_LOG = logging.getLogger("payme.merchant")

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_NAME: Final = 100
BATCH: Final = 100
"""How many jobs are read at a time."""

_FIRST_WAIT: Final = 5_000
_LONGEST_WAIT: Final = 3_600_000


class Job(NamedTuple):
    """A job as it is stored.

    Attributes:
        id: Number of its row.
        name: What it is registered by.
        arguments: Keyword arguments, as JSON.
        due: When it may run, in ms since 1970 UTC; while it runs, when its lease ends.
        attempts: How often it was begun.
    """

    id: int
    name: str
    arguments: str
    due: int
    attempts: int


class Relayed(msgspec.Struct, frozen=True):
    """What a relay did.

    Attributes:
        done: Jobs that were run and are gone.
        failed: Jobs that raised, or whose name nobody registered; they wait to be tried again.
    """

    done: int = 0
    failed: int = 0


class Due(NamedTuple):
    """Step: read jobs that are due, the oldest first."""

    now: int
    limit: int


class Claim(NamedTuple):
    """Step: lease a job until a moment; gives False if another relay has it."""

    job: Job
    until: int


class Run(NamedTuple):
    """Step: call the function of a job."""

    function: Callable[..., Any]
    arguments: dict[str, Any]


class Finish(NamedTuple):
    """Step: forget a job that was run."""

    job: Job


class Postpone(NamedTuple):
    """Step: try a claimed job again later."""

    job: Job
    claimed_until: int
    due: int


class JobRows(Protocol):
    """The jobs, in a database; each method is a transaction of its own."""

    def due(self, now: int, limit: int) -> list[Job]:
        """Read jobs that are due, the oldest first."""
        ...

    def claim(self, job: Job, until: int) -> bool:
        """Lease a job until a moment; False if another relay has it."""
        ...

    def finish(self, job: Job) -> None:
        """Forget a job."""
        ...

    def postpone(self, job: Job, claimed_until: int, due: int) -> None:
        """Try a claimed job again later, unless its lease was lost."""
        ...


class Jobs:
    """The functions that jobs are run by, each under its name.

    Args:
        lease: Seconds that a job may take; after that another relay may run it, too.

    Raises:
        InvalidArgument: `lease` is no positive number of seconds.
    """

    _awaits = False

    def __init__(self, *, lease: float = 300.0) -> None:
        self._lease = arguments.seconds("lease", lease)
        self._functions: dict[str, Callable[..., Any]] = {}

    def job(self, name: str) -> Callable[[F], F]:
        """Register a function as a job.

        Args:
            name: What it is stored by. Keep it when the function is renamed or moved: jobs may
                wait.

        Returns:
            A decorator. It refuses what is no function, and `async def` where nothing is awaited.

        Raises:
            InvalidArgument: The name is none, or taken.

        Example:
            >>> @outbox.job("send receipt")
            ... def send_receipt(order_id):
            ...     mail(order_id)
        """
        plain = check_name(name)
        if plain in self._functions:
            raise InvalidArgument("name", plain, "a name that no other job has")

        def register(function: F) -> F:
            if not callable(function):
                raise InvalidArgument("function", exact.shown(function), "a function")
            if inspect.iscoroutinefunction(function) and not self._awaits:
                called = f"async def {getattr(function, '__name__', plain)}"
                raise InvalidArgument("function", called, "`def`: this outbox awaits nothing")
            self._functions[plain] = function
            return function

        return register

    def steps(self, batch: int) -> Generator[Any, Any, Relayed]:
        """Run what is due, and go on until nothing is.

        Args:
            batch: How many jobs are read at a time.

        Returns:
            What was done.
        """
        size = exact.whole(batch)
        if size is None or size < 1:
            raise InvalidArgument("batch", exact.shown(batch), "a positive whole number")
        done = failed = 0
        began = now_ms()
        # What fails is due later than this, so that the loop comes to an end.
        while found := (yield Due(began, size)):
            for job in found:
                ended = yield from self._one(job)
                done += ended is True
                failed += ended is False
        return Relayed(done, failed)

    def _one(self, job: Job) -> Generator[Any, Any, bool | None]:
        until = now_ms() + round(self._lease * 1000)
        if not (yield Claim(job, until)):
            return None
        try:
            yield Run(self._function(job), msgspec.json.decode(job.arguments))
        except Exception:  # noqa: BLE001 - one that fails stops no other
            # The arguments are left out: they may be a payer's.
            _LOG.exception("the job %r failed, attempt %d", job.name, job.attempts + 1)
            wait = min(_FIRST_WAIT * 2 ** min(job.attempts, 20), _LONGEST_WAIT)
            yield Postpone(job, until, now_ms() + wait)
            return False
        yield Finish(job)
        return True

    def _function(self, job: Job) -> Callable[..., Any]:
        function = self._functions.get(job.name)
        if function is None:
            # Perhaps a relay of an older version: the job waits for one that knows it.
            raise LookupError(f"no job is registered as {job.name!r}")
        return function


def perform(rows: JobRows, step: Any) -> Any:
    """Carry out a step of a relay, except `Run`."""
    match step:
        case Due(now, limit):
            return rows.due(now, limit)
        case Claim(job, until):
            return rows.claim(job, until)
        case Finish(job):
            return rows.finish(job)
        case Postpone(job, claimed_until, due):
            return rows.postpone(job, claimed_until, due)
        case _:
            raise TypeError(f"{type(step).__name__} concerns no rows")


def now_ms() -> int:
    """Return the time in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


def check_name(given: object) -> str:
    """Check the name of a job.

    Raises:
        InvalidArgument: It is none.
    """
    plain = exact.text(given)
    if plain is None or not 0 < len(plain) <= LONGEST_NAME or not plain.isprintable():
        expected = f"text of 1 to {LONGEST_NAME} characters, such as 'send receipt'"
        raise InvalidArgument("name", exact.shown(given), expected)
    return plain


def new(name: object, given: dict[str, Any]) -> tuple[str, str]:
    """Check a new job.

    Args:
        name: What it is registered by.
        given: Keyword arguments.

    Returns:
        The name, and the arguments as JSON.

    Raises:
        InvalidArgument: The name is none, or the arguments are no JSON values.
    """
    try:
        text = msgspec.json.encode(given).decode()
    except (TypeError, ValueError, RecursionError):
        text = ""
    if not text or msgspec.json.decode(text) != given:
        # Not shown: they may be a payer's.
        names = ", ".join(given)
        raise InvalidArgument("arguments", names, "JSON values: text, numbers, lists and dicts")
    return check_name(name), text
