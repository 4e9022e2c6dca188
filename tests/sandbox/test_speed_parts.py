"""The parts that make the sandbox quick do what the slow ones did."""

import asyncio
import sqlite3

import pytest

from payme.sandbox.engine.model import Card, Receipt, Sms
from payme.sandbox.http_protocol import JoinedTransport
from payme.sandbox.patience import Patience
from payme.sandbox.runner import DirectRunner
from payme.sandbox.store import SqliteState, connect


async def patient(limit: float, wait: float) -> str:
    try:
        async with Patience(limit).limit():
            await asyncio.sleep(wait)
    except TimeoutError:
        return "over"
    return "done"


def test_a_block_ends_when_its_time_is_over() -> None:
    assert asyncio.run(patient(0.02, 5)) == "over"
    assert asyncio.run(patient(5, 0)) == "done"


def test_each_block_has_its_own_time_though_the_timer_is_one() -> None:
    async def main() -> None:
        patience = Patience(0.3)
        ended: list[str] = []

        async def block(name: str, start: float, wait: float) -> None:
            await asyncio.sleep(start)
            try:
                async with patience.limit():
                    await asyncio.sleep(wait)
                ended.append(f"{name} done")
            except TimeoutError:
                ended.append(f"{name} over")

        await asyncio.gather(
            block("first", 0, 10), block("quick", 0, 0.01), block("later", 0.15, 10)
        )
        assert ended == ["quick done", "first over", "later over"]
        assert "waiting=0" in repr(patience)
        assert await asyncio.wait_for(block("again", 0, 10), 5) is None
        assert ended[-1] == "again over"

    asyncio.run(main())


def test_a_cancellation_by_somebody_else_stays_one() -> None:
    async def main() -> None:
        patience = Patience(30)

        async def block() -> None:
            async with patience.limit():
                await asyncio.sleep(30)

        task = asyncio.create_task(block())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "waiting=0" in repr(patience)

    asyncio.run(main())


def test_a_cancellation_that_comes_with_the_end_of_the_time_is_not_swallowed() -> None:
    async def main() -> None:
        patience = Patience(30)
        limit = patience.limit()

        async def block() -> None:
            async with limit:
                await asyncio.sleep(30)

        task = asyncio.create_task(block())
        await asyncio.sleep(0)
        limit.interrupt()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_an_error_in_the_block_is_not_hidden() -> None:
    async def main() -> None:
        with pytest.raises(KeyError):
            async with Patience(30).limit():
                raise KeyError

    asyncio.run(main())


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: object) -> None:
        self.sent.append(bytes(data))  # type: ignore[call-overload]

    def close(self) -> None:
        self.sent.append(b"closed")

    def abort(self) -> None:
        self.sent.append(b"aborted")


def test_two_writes_are_one_packet_and_nothing_is_held_for_long() -> None:
    async def main() -> list[bytes]:
        wire = Wire()
        joined = JoinedTransport(wire, asyncio.get_running_loop())
        joined.write(b"head ")
        assert wire.sent == []
        joined.write(b"body")
        joined.write(b"half")
        await asyncio.sleep(0)
        assert wire.sent == [b"head body", b"half"]
        joined.write(b"")
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        joined.write(b"never")
        joined.abort()
        await asyncio.sleep(0)
        return wire.sent

    expected = [b"head body", b"half", b"last", b"closed", b"aborted"]
    assert asyncio.run(main()) == expected


def card(token: str = "a" * 24 + "_b", *, removed: bool = False) -> Card:
    return Card(
        token=token, number="8600069195406311", expire="0399", recurrent=True, phone="998901234567",
        removed=removed,
    )  # fmt: skip


def receipt(number: int, time: int = 5) -> Receipt:
    return Receipt(id=f"{number:024x}", number=number, create_time=time, amount=1, account={})


def test_a_job_that_only_reads_begins_no_transaction() -> None:
    connection = connect(None)
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    runner = DirectRunner(connection)
    assert runner.run(lambda state: state.get_receipt("a")) is None
    assert [one.split()[0] for one in seen] == ["SELECT"]
    runner.run(lambda state: state.add_sms(Sms(time=1, phone="998901234567", kind="code")))
    assert [one.split()[0] for one in seen][1:] == ["SAVEPOINT", "INSERT", "RELEASE"]
    runner.close()


def test_a_job_that_fails_takes_back_what_it_wrote_and_what_was_remembered() -> None:
    runner = DirectRunner(connect(None))
    runner.run(lambda state: state.put_card(card()))
    runner.run(lambda state: state.add_receipt(receipt(1)))

    def fails(state: SqliteState) -> None:
        state.put_card(card(removed=True))
        state.add_receipt(receipt(2))
        raise KeyError

    with pytest.raises(KeyError):
        runner.run(fails)
    stored = runner.run(lambda state: state.get_card(card().token))
    assert stored == card()
    # Had the second receipt been remembered as the last one, the order would count as lost.
    runner.run(lambda state: state.add_receipt(receipt(2)))
    assert [one.number for one in runner.run(pages)] == [2, 1]
    assert runner.run(is_unordered) is False
    runner.close()


def pages(state: SqliteState) -> list[Receipt]:
    return state.list_receipts(None, count=10, offset=0)


def is_unordered(state: SqliteState) -> bool:
    query = "SELECT 1 FROM counter WHERE name = 'unordered receipts'"
    return state._execute(query).fetchone() is not None


def test_a_card_is_read_anew_by_every_job() -> None:
    connection = connect(None)
    runner = DirectRunner(connection)
    runner.run(lambda state: state.put_card(card()))
    assert runner.run(lambda state: state.get_card(card().token)) == card()
    connection.execute("DELETE FROM card")
    assert runner.run(lambda state: state.get_card(card().token)) is None
    runner.close()


def test_a_receipt_that_another_program_added_costs_the_order_and_nothing_else(tmp_path) -> None:
    path = tmp_path / "state.db"
    runner, other = DirectRunner(connect(path)), DirectRunner(connect(path))
    runner.run(lambda state: state.add_receipt(receipt(1, 5)))
    other.run(lambda state: state.add_receipt(receipt(2, 9)))
    runner.run(lambda state: state.add_receipt(receipt(3, 7)))
    assert [one.number for one in runner.run(pages)] == [2, 3, 1]
    runner.close()
    other.close()


def test_a_connection_that_was_closed_is_told_of_as_ever() -> None:
    connection = connect(None)
    state = SqliteState(connection)
    state.add_sms(Sms(time=1, phone="998901234567", kind="code"))
    connection.close()
    with pytest.raises(sqlite3.Error):
        state.keep()
