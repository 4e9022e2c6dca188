"""Changes of SQLite that are committed together.

SQLite has one writer at a time, and a commit waits for the disk. Left to themselves, writers wait
for each other by looking again after a while; a hundred charges in flight would do little else. So
the changes of a process form a line: whoever is first commits what is in it, his own and that of
all who came meanwhile.

It is the same to each of them: nobody is told of a change before it is on the disk, and what one
raises is his alone. When one raises, all of it is taken back, and each is done again by himself.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from threading import Lock
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

# The write lock is taken at once: a transaction that begins with reading could lose it half way.
_BEGIN: Final = "BEGIN IMMEDIATE"


class _Change(Generic[T]):
    """One change that stands in the line."""

    def __init__(self, act: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        self._act = act
        self._arguments = arguments
        self._answer: list[T] = []
        self._error: BaseException | None = None

    @property
    def is_done(self) -> bool:
        """It was carried out, or failed."""
        return bool(self._answer) or self._error is not None

    def carry_out(self, connection: sa.Connection) -> T:
        return self._act(connection, *self._arguments)

    def succeed(self, answer: T) -> None:
        self._answer.append(answer)

    def fail(self, error: BaseException) -> None:
        self._error = error

    def answer(self) -> T:
        if self._error is not None:
            raise self._error
        return self._answer[0]


def _all(connection: sa.Connection, changes: Iterable[_Change[Any]]) -> list[Any]:
    connection.exec_driver_sql(_BEGIN)
    return [change.carry_out(connection) for change in changes]


class _Line:
    """The changes that wait."""

    def __init__(self) -> None:
        self._waiting: deque[_Change[Any]] = deque()

    def join(self, change: _Change[Any]) -> None:
        self._waiting.append(change)

    def leave(self, change: _Change[Any]) -> None:
        with suppress(ValueError):
            self._waiting.remove(change)

    def take(self) -> list[_Change[Any]]:
        taken: list[_Change[Any]] = []
        # One by one: others may be joining.
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def give_back(self, taken: Iterable[_Change[Any]], own: _Change[Any]) -> None:
        """Let somebody else do what is not done, in the same order.

        What belongs to who was interrupted is not done any more.
        """
        left = [change for change in taken if not change.is_done and change is not own]
        self._waiting.extendleft(reversed(left))


class Together:
    """Commits what several threads change.

    Args:
        engine: An engine on SQLite.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._line = _Line()
        self._first = Lock()

    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out a change, and return when it is committed."""
        change = _Change(act, arguments)
        self._line.join(change)
        try:
            with self._first:
                if not change.is_done:
                    self._commit(self._line.take(), change)
        finally:
            self._line.leave(change)
        return change.answer()

    def _commit(self, changes: list[_Change[Any]], own: _Change[Any]) -> None:
        try:
            if not self._try([changes]):
                self._try([[change] for change in changes])
        finally:
            self._line.give_back(changes, own)

    def _try(self, groups: list[list[_Change[Any]]]) -> bool:
        for group in groups:
            try:
                with self._engine.begin() as connection:
                    answers = _all(connection, group)
            except Exception as error:  # noqa: BLE001 - it is raised to whom it belongs
                if len(group) > 1:
                    return False
                group[0].fail(error)
            else:
                for change, answer in zip(group, answers, strict=True):
                    change.succeed(answer)
        return True


async def _to_its_end(commit: Coroutine[Any, Any, None]) -> None:
    """Await what belongs to others too: who is cancelled meanwhile takes nothing of it back."""
    task = asyncio.ensure_future(commit)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class AsyncTogether:
    """Commits what several tasks change.

    Args:
        engine: An engine on SQLite.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._line = _Line()
        self._first = asyncio.Lock()

    async def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out a change, and return when it is committed."""
        change = _Change(act, arguments)
        self._line.join(change)
        try:
            async with self._first:
                if not change.is_done:
                    await _to_its_end(self._commit(self._line.take(), change))
        finally:
            self._line.leave(change)
        return change.answer()

    async def _commit(self, changes: list[_Change[Any]], own: _Change[Any]) -> None:
        try:
            if not await self._try([changes]):
                await self._try([[change] for change in changes])
        finally:
            self._line.give_back(changes, own)

    async def _try(self, groups: list[list[_Change[Any]]]) -> bool:
        for group in groups:
            try:
                async with self._engine.begin() as connection:
                    answers = await connection.run_sync(_all, group)
            except Exception as error:  # noqa: BLE001 - it is raised to whom it belongs
                if len(group) > 1:
                    return False
                group[0].fail(error)
            else:
                for change, answer in zip(group, answers, strict=True):
                    change.succeed(answer)
        return True
