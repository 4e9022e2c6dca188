"""A limit of time for many tasks with one timer: a timer for each costs more than most calls."""

import asyncio
from types import TracebackType
from typing import Final

_NEVER: Final = -1.0


class Patience:
    """Lets blocks of code take so long and no longer, as `asyncio.timeout` does.

    All blocks of one event loop have the same limit, so whoever began first is due first, and one
    timer is enough.

    Args:
        seconds: How long a block may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # In the order in which they began.
        self._waiting: dict[Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Patience({self._seconds:g}, waiting={len(self._waiting)})"

    def limit(self) -> "Limit":
        """Make the limit of one block, to be used in `async with`."""
        return Limit(self)

    def begin(self, limit: "Limit") -> None:
        """Count the time of a block from now on."""
        loop = asyncio.get_running_loop()
        self._waiting[limit] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._ring)

    def end(self, limit: "Limit") -> None:
        """Count the time of a block no longer."""
        self._waiting.pop(limit, None)

    def _ring(self) -> None:
        """Interrupt the blocks whose time is over, and set the timer for the next."""
        loop = asyncio.get_running_loop()
        now, following = loop.time(), _NEVER
        for limit, due in list(self._waiting.items()):
            if due > now:
                following = due
                break
            del self._waiting[limit]
            limit.interrupt()
        waits = following != _NEVER
        self._timer = loop.call_at(following, self._ring) if waits else None


class Limit:
    """The limit of one block.

    Args:
        patience: Whose limit it is.

    Raises:
        TimeoutError: Out of the block, once its time is over.
    """

    __slots__ = ("_over", "_patience", "_task")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._task: asyncio.Task[object] | None = None
        self._over = False

    def interrupt(self) -> None:
        """End the block: its time is over."""
        self._over = True
        if self._task is not None:
            self._task.cancel()

    async def __aenter__(self) -> None:
        """Begin the block."""
        self._task = asyncio.current_task()
        self._patience.begin(self)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the block; turn the interruption into what it means."""
        self._patience.end(self)
        if not self._over or self._task is None:
            return
        # Somebody else's cancellation goes on its way; only our own is taken back.
        if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error
