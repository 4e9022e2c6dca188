"""Changes of SQLite that are committed together: each is told the truth about his own."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import pytest
import sqlalchemy as sa
from sqlalchemy.event import listens_for
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from charges.ledgers import inner, make_ledger
from payme.charges.ledger.together import AsyncTogether, Together
from support.clients import ASYNCIO

pytestmark = pytest.mark.anyio

MANY = 40
WAIT_S = 10


class Refusal(Exception):
    pass


def put(connection, number, error=None):
    connection.exec_driver_sql("INSERT INTO seen VALUES (?)", (number,))
    if error is not None:
        raise error
    return number * 10


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "together.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE seen (number INTEGER UNIQUE)")
    connection.close()
    return path


class Writers:
    """Carries out many changes at once, in threads or tasks, and counts the commits."""

    def __init__(self, style, file):
        self._style, self._file = style, file
        url = f"sqlite+aiosqlite:///{file}" if style == ASYNCIO else f"sqlite:///{file}"
        self.engine = create_async_engine(url) if style == ASYNCIO else sa.create_engine(url)
        sync = getattr(self.engine, "sync_engine", self.engine)
        self.together = (AsyncTogether if style == ASYNCIO else Together)(self.engine)
        self.commits = 0

        @listens_for(sync, "commit")
        def count(connection):
            self.commits += 1

        self.sync_engine = sync

    async def all_at_once(self, errors):
        """Carry out change number 0 and, while it is under way, all others."""
        if self._style == ASYNCIO:
            changes = [self.together.do(put, number, error) for number, error in enumerate(errors)]
            return await asyncio.gather(*changes, return_exceptions=True)
        return await asyncio.to_thread(self._in_threads, errors)

    def _in_threads(self, errors):
        ready = Barrier(len(errors))

        def change(number, error):
            ready.wait(WAIT_S)
            try:
                return self.together.do(put, number, error)
            except Exception as raised:
                return raised

        with ThreadPoolExecutor(len(errors)) as threads:
            return list(threads.map(change, range(len(errors)), errors))

    def stored(self):
        with sqlite3.connect(self._file) as connection:
            found = {number for (number,) in connection.execute("SELECT number FROM seen")}
        connection.close()
        return found

    async def close(self):
        closing = self.engine.dispose()
        if closing is not None:
            await closing


@pytest.fixture
async def writers(style, file):
    made = Writers(style, file)
    yield made
    await made.close()


async def test_many_changes_share_a_commit_and_each_gets_its_own_answer(writers):
    answers = await writers.all_at_once([None] * MANY)
    assert answers == [number * 10 for number in range(MANY)]
    assert writers.stored() == set(range(MANY))
    assert writers.commits < MANY / 2


async def test_what_one_raises_is_his_alone(writers):
    refusal = Refusal("the hook says no")
    errors = [refusal if number == 7 else None for number in range(MANY)]
    answers = await writers.all_at_once(errors)
    assert answers[7] is refusal
    assert [answer for number, answer in enumerate(answers) if number != 7] == [
        number * 10 for number in range(MANY) if number != 7
    ]
    assert writers.stored() == set(range(MANY)) - {7}


async def test_nobody_is_told_of_a_change_that_did_not_reach_the_disk(writers):
    @listens_for(writers.sync_engine, "commit")
    def fail(connection):
        raise sqlite3.OperationalError("database or disk is full")

    answers = await writers.all_at_once([None] * MANY)
    assert {type(answer) for answer in answers} == {sqlite3.OperationalError}
    assert writers.stored() == set()


async def test_a_change_waits_for_the_writer_of_another_process(writers, file):
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(writers.all_at_once([None] * 3))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    assert await waiting == [0, 10, 20]


async def test_who_is_cancelled_in_the_line_changes_nothing(style, writers):
    if style != ASYNCIO:
        pytest.skip("threads are not cancelled")
    changes = [asyncio.create_task(writers.together.do(put, number)) for number in range(5)]
    await asyncio.sleep(0)
    changes[3].cancel()
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert isinstance(answers[3], asyncio.CancelledError)
    assert writers.stored() == {0, 1, 2, 4}


async def test_who_commits_is_cancelled_and_it_comes_to_its_end_for_all(style, writers):
    if style != ASYNCIO:
        pytest.skip("threads are not cancelled")
    changes = [asyncio.create_task(writers.together.do(put, number)) for number in range(5)]
    while not writers.sync_engine.pool.checkedout():
        await asyncio.sleep(0)
    changes[0].cancel()
    answers = await asyncio.wait_for(asyncio.gather(*changes, return_exceptions=True), WAIT_S)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [10, 20, 30, 40]
    assert writers.stored() == {0, 1, 2, 3, 4}


def test_who_is_interrupted_leaves_the_line_to_the_others(file):
    engine = sa.create_engine(f"sqlite:///{file}")
    together = Together(engine)
    struck = []

    def strike(connection):
        """Ctrl+C, once: in the thread that commits for all."""
        if not struck:
            struck.append(True)
            raise KeyboardInterrupt
        return 0

    changes = [(put, 1), (strike,), (put, 2)]
    with ThreadPoolExecutor(3) as threads:
        with together._first:
            # So that all of them stand in the line before one of them commits.
            futures = [threads.submit(together.do, *change) for change in changes]
            while len(together._line._waiting) < len(changes):
                sleep(0.001)
        errors = [future.exception(WAIT_S) for future in futures]
    assert [type(error) for error in errors if error] == [KeyboardInterrupt]
    done = {number for number, error in zip((1, 0, 2), errors, strict=True) if not error}
    with engine.connect() as connection:
        stored = set(connection.exec_driver_sql("SELECT number FROM seen").scalars())
    assert stored == done - {0}
    engine.dispose()


def test_nobody_else_writes_between_reading_and_writing(file):
    engine = sa.create_engine(f"sqlite:///{file}")
    other = sqlite3.connect(file, isolation_level=None, timeout=0)

    def read_then_write(connection):
        connection.exec_driver_sql("SELECT count(*) FROM seen").all()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO seen VALUES (9)")
        return put(connection, 1)

    assert Together(engine).do(read_then_write) == 10
    other.close()
    engine.dispose()


async def test_a_commit_waits_for_the_disk(style, tmp_path):
    def pragmas(connection):
        names = ("journal_mode", "synchronous")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    ledger = await make_ledger(style, f"sqlite:///{tmp_path / 'payme.db'}")
    read = inner(ledger)._read(pragmas)
    assert (await read if style == ASYNCIO else read) == ["wal", 2]
    await ledger.close()


def test_a_locked_database_is_an_error_to_each(file):
    engine = sa.create_engine(f"sqlite:///{file}", connect_args={"timeout": 0.05})
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"):
        Together(engine).do(put, 1)
    other.close()
    assert Together(engine).do(put, 1) == 10
    engine.dispose()
