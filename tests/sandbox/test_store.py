import asyncio
import gc
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_tools import Caller, Clock, Process
from web_tools import Browser

from payme.protocol.states import ReceiptState
from payme.sandbox import InvalidSetting, Sandbox, SandboxError
from payme.sandbox.engine.model import Receipt
from payme.sandbox.errors import StorageError
from payme.sandbox.runner import GroupCommitRunner
from payme.sandbox.store import SCHEMA_VERSION, SqliteState, connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_everything_survives_a_restart(path: Path, clock: Clock) -> None:
    first = Sandbox(db=path, clock=clock)
    caller = Caller(first)
    receipt = caller.held()
    before = caller.ok("receipts.get", id=receipt), first.ledger(), first.sent_sms()
    token = caller.verified()
    first.stop()
    second = Sandbox(db=path, clock=clock)
    caller = Caller(second)
    assert (second.merchant_id, second.key) == (first.merchant_id, first.key)
    after = caller.ok("receipts.get", id=receipt), second.ledger(), second.sent_sms()[:1]
    assert after == before
    assert caller.ok("cards.check", token=token)["card"]["verify"] is True
    number = caller.ok("receipts.get", id=caller.receipt())["receipt"]["account"][0]["value"]
    assert number == "2"
    second.stop()


def test_the_same_seed_makes_no_id_twice(path: Path, clock: Clock) -> None:
    ids = []
    for _ in range(2):
        sandbox = Sandbox(db=path, clock=clock, seed=5)
        ids += [Caller(sandbox).receipt(), Caller(sandbox).card()]
        sandbox.stop()
    assert len(set(ids)) == 4


def test_a_seed_repeats_a_run(clock: Clock) -> None:
    def once() -> tuple[str, ...]:
        sandbox = Sandbox(clock=clock, seed=5)
        caller = Caller(sandbox)
        made = sandbox.merchant_id, sandbox.key, caller.card(), caller.receipt()
        sandbox.stop()
        return made

    assert once() == once()


def test_other_credentials_than_the_stored_ones(path: Path) -> None:
    Sandbox(db=path, merchant_id="m", key="k").stop()
    Sandbox(db=path, merchant_id="m", key="k").stop()
    Sandbox(db=path).stop()
    with pytest.raises(SandboxError, match="merchant id"):
        Sandbox(db=path, merchant_id="n")
    with pytest.raises(SandboxError, match="key") as caught:
        Sandbox(db=path, key="secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", " ", "a\nb", "я", " a"])
def test_credentials_that_fit_in_no_header(wrong: str) -> None:
    with pytest.raises(ValueError, match="merchant_id"):
        Sandbox(merchant_id=wrong)
    with pytest.raises(ValueError, match="key"):
        Sandbox(key=wrong)
    with pytest.raises(ValueError, match="colon"):
        Sandbox(merchant_id="a:b")


def test_credentials_look_like_paymes() -> None:
    sandbox = Sandbox()
    assert len(sandbox.merchant_id) == 24
    assert int(sandbox.merchant_id, 16)
    assert len(sandbox.key) == 36
    assert sandbox.key not in repr(sandbox) + repr(sandbox.config)
    sandbox.stop()


def test_a_newer_file_is_refused(path: Path) -> None:
    Sandbox(db=path).stop()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(SandboxError, match="newer"):
        Sandbox(db=path)


def test_a_file_of_something_else_is_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SandboxError, match="not a database of the sandbox"):
        Sandbox(db=path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_text("hello " * 1000)
    with pytest.raises(SandboxError, match=r"state\.db"):
        Sandbox(db=path)
    with pytest.raises(SandboxError):
        Sandbox(db=path.parent / "nowhere" / "state.db")


@contextmanager
def busy(runner: GroupCommitRunner) -> Iterator[threading.Event]:
    """Keep the writer at a job, so that what comes meanwhile is one group."""
    started, go = threading.Event(), threading.Event()

    def block(_state: SqliteState) -> None:
        started.set()
        go.wait()

    thread = threading.Thread(target=runner.run, args=(block,))
    thread.start()
    started.wait()
    yield go
    go.set()
    thread.join()


def put(name: str, *, fail: bool = False) -> Callable[[SqliteState], str]:
    def job(state: SqliteState) -> str:
        state.put_setting(name, "x")
        if fail:
            raise ZeroDivisionError
        return name

    return job


async def jobs_behind_a_busy_writer(
    runner: GroupCommitRunner, *jobs: Callable[[SqliteState], str]
) -> list[asyncio.Task[str]]:
    tasks = [asyncio.ensure_future(runner.arun(job)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


def stored(runner: GroupCommitRunner, names: str) -> list[str | None]:
    return [runner.run(lambda state, name=name: state.setting(name)) for name in names]


def test_one_job_of_a_group_fails_alone(path: Path) -> None:
    runner = GroupCommitRunner(connect(path))

    async def main() -> list[str | BaseException]:
        with busy(runner) as go:
            tasks = await jobs_behind_a_busy_writer(runner, put("a"), put("b", fail=True), put("c"))
            go.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

    a, b, c = asyncio.run(main())
    assert (a, type(b), c) == ("a", ZeroDivisionError, "c")
    assert stored(runner, "abc") == ["x", None, "x"]
    runner.close()
    with pytest.raises(SandboxError, match="closed"):
        runner.run(lambda state: None)


def test_threads_and_loops_of_one_group_each_get_their_own(path: Path) -> None:
    runner = GroupCommitRunner(connect(path))
    got: dict[str, str] = {}

    def in_a_loop(names: str) -> None:
        async def main() -> list[str]:
            return list(await asyncio.gather(*[runner.arun(put(name)) for name in names]))

        got[names] = "".join(asyncio.run(main()))

    def alone(name: str) -> None:
        got[name] = runner.run(put(name))

    with busy(runner) as go:
        threads = [threading.Thread(target=in_a_loop, args=(names,)) for names in ("abc", "def")]
        threads += [threading.Thread(target=alone, args=(name,)) for name in ("g", "h")]
        for thread in threads:
            thread.start()
        while runner._queue.qsize() < 8:
            time.sleep(0.001)
        go.set()
        for thread in threads:
            thread.join()
    assert got == {name: name for name in ("abc", "def", "g", "h")}
    runner.close()


def test_a_job_that_nobody_waits_for_any_more_is_not_begun(path: Path) -> None:
    runner = GroupCommitRunner(connect(path))

    async def main() -> None:
        with busy(runner) as go:
            task, other = await jobs_behind_a_busy_writer(runner, put("a"), put("b"))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            go.set()
            assert await asyncio.wait_for(other, 10) == "b"

    asyncio.run(main())
    assert stored(runner, "ab") == [None, "x"]
    runner.close()


def test_a_caller_that_leaves_while_its_job_runs_harms_nobody(path: Path) -> None:
    runner = GroupCommitRunner(connect(path))
    started, go = threading.Event(), threading.Event()

    def slow(state: SqliteState) -> str:
        started.set()
        go.wait()
        return put("a")(state)

    async def leave() -> None:
        task = asyncio.ensure_future(runner.arun(slow))
        await asyncio.to_thread(started.wait)
        task.cancel()

    asyncio.run(leave())  # and its loop is closed before the commit
    go.set()
    assert stored(runner, "a") == ["x"]

    async def cancel_while_it_runs() -> None:
        started.clear()
        go.clear()
        task, other = await jobs_behind_a_busy_writer(runner, slow, put("b"))
        await asyncio.to_thread(started.wait)
        task.cancel()
        go.set()
        assert await asyncio.wait_for(other, 10) == "b"

    asyncio.run(cancel_while_it_runs())
    runner.close()


class FailingCommit:
    """A connection that does everything but commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self.connection, name)

    def execute(self, query: str, *values: object) -> sqlite3.Cursor:
        if query == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(query, *values)


def test_nobody_is_answered_before_the_commit(path: Path) -> None:
    runner = GroupCommitRunner(FailingCommit(connect(path)))
    with pytest.raises(StorageError, match="disk I/O error"):
        runner.run(lambda state: state.put_setting("a", "x"))
    runner.close()
    after = connect(path)
    assert SqliteState(after).setting("a") is None
    after.close()


def test_a_locked_file_is_a_system_error_and_no_payment(path: Path) -> None:
    sandbox = Sandbox(db=path)
    caller = Caller(sandbox)
    receipt, token = caller.receipt(), caller.verified()
    sandbox.works.runner._connection.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = caller.call("receipts.pay", {"id": receipt, "token": token})
    assert (answer["error"]["code"], answer["id"]) == (-32400, 1)
    other.execute("ROLLBACK")
    other.close()
    assert (caller.state(receipt), sandbox.debits(receipt)) == (0, 0)
    caller.ok("receipts.pay", id=receipt, token=token)
    sandbox.stop()


def test_a_full_disk_loses_nothing_that_was_answered(path: Path) -> None:
    sandbox = Sandbox(db=path)
    caller = Caller(sandbox)
    connection = sandbox.works.runner._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    made, failed = [], 0
    create = {"amount": 1, "account": {}, "description": "x" * 2000}
    for _ in range(20):
        answer = caller.call("receipts.create", create)
        if "result" in answer:
            made.append(answer["result"]["receipt"]["_id"])
        else:
            assert answer["error"]["code"] == -32400
            failed += 1
    assert made
    assert failed
    connection.execute("PRAGMA max_page_count = 100000")
    assert {receipt["_id"] for receipt in caller.all()} == set(made)
    sandbox.stop()


def test_the_file_is_synced_at_every_commit(path: Path) -> None:
    sandbox = Sandbox(db=path)
    connection = sandbox.works.runner._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    sandbox.stop()


def test_queries_use_the_indexes(path: Path) -> None:
    from payme.sandbox import store

    connection = connect(path)

    def plan(query: str, *values: object) -> str:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {query}", values)
        return " / ".join(row[3] for row in rows)

    page = plan(store._PAGE, 0, 1, 10, 0)
    assert "COVERING INDEX receipt_by_time" in page
    assert "SCAN receipt" not in page
    due = plan("SELECT record FROM receipt WHERE due_at <= ? ORDER BY due_at", 1)
    assert "receipt_due" in due
    assert "ledger_by_receipt" in plan("SELECT record FROM ledger WHERE receipt_id = ?", "x")
    connection.close()


def test_no_paid_receipt_is_lost_by_kill_9(path: Path) -> None:
    auth = "m:k"
    answered: dict[str, dict[str, object]] = {}
    token = ""
    for attempt in range(4):
        options = ["--merchant-id", "m", "--key", "k"] if attempt == 0 else []
        with Process("--db", str(path), "--port", "0", *options) as process:
            assert (process.field("Merchant ID"), process.field("Key")) == ("m", "k")
            for receipt, result in answered.items():
                got = process.post(body("receipts.get", id=receipt), auth)["result"]
                assert got == result
            token = token or bind(process, auth)
            workers = [
                threading.Thread(target=pay_until_cut, args=(process, auth, token, answered))
                for _ in range(4)
            ]
            for worker in workers:
                worker.start()
            seen = len(answered)
            while len(answered) < seen + 20:
                workers[0].join(0.01)
            process.process.send_signal(signal.SIGKILL)
            for worker in workers:
                worker.join()
    sandbox = Sandbox(db=path)
    assert len(answered) >= 80
    assert all(sandbox.debits(receipt) == 1 for receipt in answered)
    sandbox.stop()


def body(method: str, **params: object) -> bytes:
    return json.dumps({"id": 1, "method": method, "params": params}).encode()


def bind(process: Process, auth: str) -> str:
    card = {"number": "8600069195406311", "expire": "0399"}
    created = process.post(body("cards.create", card=card, save=True), auth)
    token = created["result"]["card"]["token"]
    process.post(body("cards.get_verify_code", token=token), auth)
    process.post(body("cards.verify", token=token, code="666666"), auth)
    return token


def pay_until_cut(
    process: Process, auth: str, token: str, answered: dict[str, dict[str, object]]
) -> None:
    while True:
        try:
            created = process.post(body("receipts.create", amount=100, account={}), auth)
            receipt = created["result"]["receipt"]["_id"]
            paid = process.post(body("receipts.pay", id=receipt, token=token), auth)
        except (OSError, ValueError, EOFError, Exception):
            if process.process.poll() is None:
                process.process.wait(timeout=10)
            return
        answered[receipt] = paid["result"]


# What is imported, and what is not


def test_the_engine_imports_no_io() -> None:
    done = run(
        "import sys, payme.sandbox.engine, payme.sandbox.engine.standing\n"
        "io = {'sqlite3', 'uvicorn', 'starlette', 'socket', 'asyncio', 'click', 'threading'}\n"
        "print(io & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done


def test_without_the_servers_libraries() -> None:
    done = run(
        "import sys\n"
        "sys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
        "from payme.sandbox import Sandbox\n"
        "sandbox = Sandbox()\n"
        "print(sandbox.handle(b'', None))\n"
        "sandbox.start()\n"
    )
    assert "-32700" in done.stdout
    assert done.stderr.rstrip().endswith('pip install "payme-uz[sandbox]"')


def test_seeding_checks_its_arguments(caller: Caller) -> None:
    with pytest.raises(ValueError, match="test card"):
        caller.sandbox.add_card(number="8600000000000009")
    with pytest.raises(ValueError, match="token"):
        caller.sandbox.add_card("x")
    token = f"{'a' * 24}_b"
    assert caller.sandbox.add_card(token, verified=False) == token
    assert caller.ok("cards.check", token=token)["card"]["verify"] is False
    receipt = caller.sandbox.add_receipt("6" * 24, amount=5, hold=True)
    assert caller.ok("receipts.get", id=receipt)["receipt"]["amount"] == 5


def stored_receipt(number: int, create_time: int) -> Receipt:
    state = ReceiptState.CREATED
    return Receipt(
        id=f"{number:024x}",
        number=number,
        create_time=create_time,
        amount=1,
        account={},
        state=state,
        due_at=None,
        hold=False,
    )


moments = st.integers(0, 12)
steps = st.lists(st.tuples(st.sampled_from([1, 1, 1, 2]), st.integers(-1, 3)), max_size=12)
periods = st.none() | st.tuples(moments, moments)


@given(steps, st.data())
def test_a_page_is_the_same_whether_numbers_follow_the_times_or_not(
    made: list[tuple[int, int]], data: st.DataObject
) -> None:
    # An example that Hypothesis gives up half way must close it, too.
    with closing(connect(None)) as connection:
        state = SqliteState(connection)
        number, time, times = 0, 5, {}
        for more, later in made:
            number, time = number + more, time + later
            times[number] = time
            state.put_receipt(stored_receipt(number, time))
        if times:
            again = data.draw(st.sampled_from(sorted(times)))
            state.put_receipt(stored_receipt(again, times[again]))
        period = data.draw(periods)
        count, offset = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 6))
        since, until = period or (-100, 100)
        newest = sorted(
            ((at, one) for one, at in times.items() if since <= at <= until), reverse=True
        )
        page = state.list_receipts(period, count=count, offset=offset)
        assert [(one.create_time, one.number) for one in page] == newest[offset : offset + count]


def test_a_page_far_down_reads_no_more_than_one_at_the_top(path: Path) -> None:
    connection = connect(path)
    state = SqliteState(connection)
    connection.execute("BEGIN")
    for number in range(1, 5001):
        state.put_receipt(stored_receipt(number, number))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def cost(offset: int) -> int:
        nonlocal steps
        steps = 0
        assert len(state.list_receipts((1, 5000), count=10, offset=offset)) == 10
        return steps

    connection.set_progress_handler(count, 1)
    top = cost(0)
    assert cost(4900) <= 1.5 * top
    connection.set_progress_handler(None, 0)
    state.put_receipt(stored_receipt(5001, 1))
    connection.set_progress_handler(count, 1)
    assert cost(4900) > 10 * top  # so the measure does see a walk
    connection.close()


# A file that can't be used is said to be so


def test_a_file_that_another_program_holds_is_refused(path: Path) -> None:
    Sandbox(db=path).stop()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with patched_patience(), pytest.raises(SandboxError, match="another program has it open"):
        Sandbox(db=path)
    other.close()
    Sandbox(db=path).stop()


@contextmanager
def patched_patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("payme.sandbox.store._BUSY_TIMEOUT_S", 0.05)
        yield


def damage(path: Path, table: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {table} SET record = x'c1'")
    connection.commit()
    connection.close()


def test_a_damaged_file_is_told_wherever_it_is_read(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Sandbox(db=path)
    receipt = Caller(first).paid()
    first.stop()
    damage(path, "receipt")
    damage(path, "sms")
    with Sandbox(db=path) as sandbox:
        code, _, _ = Caller(sandbox).no("receipts.get", id=receipt)
        assert code == -32400
        (remark,) = sandbox.traffic.entries()[0].remarks
        assert "the sandbox's database failed" in remark
        assert remark in caplog.text
        for look in (sandbox.receipts, lambda: sandbox.receipt(receipt), sandbox.sent_sms):
            with pytest.raises(SandboxError, match="database failed"):
                look()
        browser = Browser(sandbox)
        page = browser.get(f"/dashboard/receipts/{receipt}")
        assert (page.status, "database failed" in page.body) == (503, True)
        page = browser.get("/_sandbox/receipts")
        assert (page.status, "database failed" in page.body) == (409, True)


@pytest.mark.parametrize("stored", ["{bad", "5", "[5]", "[{}]"])
def test_a_file_whose_list_of_cash_boxes_is_damaged_is_refused(path: Path, stored: str) -> None:
    sandbox = Sandbox(db=path)
    sandbox.first.keep_setting("cash_boxes", stored)
    sandbox.stop()
    with pytest.raises(SandboxError, match=f"can't use {re.escape(str(path))}"):
        Sandbox(db=path)


def test_a_file_whose_pages_are_damaged_is_refused(path: Path) -> None:
    sandbox = Sandbox(db=path)
    Caller(sandbox).paid()
    sandbox.stop()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * (size - 100))
    with pytest.raises(SandboxError, match="can't use"):
        Sandbox(db=path)


@pytest.mark.parametrize("name", ["nowhere/at/all.db", ".", "a\0b"])
def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SandboxError, match="can't use"):
        Sandbox(db=str(tmp_path / name))


def test_a_full_disk_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sandbox = Sandbox(db=path)
    connection = sandbox.works.runner._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    Caller(sandbox).call("receipts.create", {"amount": 1, "account": {"a": "x" * 20_000}})
    (entry,) = sandbox.traffic.entries()
    assert (entry.method, entry.code) == ("receipts.create", -32400)
    assert entry.remarks == ("the sandbox's database failed: database or disk is full",)
    assert "disk is full" in caplog.text
    with pytest.raises(SandboxError, match="disk is full"):
        sandbox._run(lambda state: [state.put_setting(str(n), "x" * 9000) for n in range(9)])
    sandbox.stop()


# Numbers that can't be stored

BEYOND = 2**64


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("receipts.create", {"amount": 5, "account": {"a": BEYOND}}),
        ("receipts.create", {"amount": 5, "account": {"a": -BEYOND}}),
        ("receipts.create", {"amount": BEYOND, "account": {"a": 1}}),
        ("receipts.create", {"amount": 5, "account": {}, "detail": {"receipt_type": BEYOND}}),
        (
            "receipts.set_fiscal_data",
            {"id": "0" * 24, "fiscal_data": {"receipt_id": BEYOND, "qr_code_url": "x"}},
        ),
        (
            "cards.create",
            {"card": {"number": "8600069195406311", "expire": "0399"}, "account": {"a": BEYOND}},
        ),
    ],
)
def test_an_integer_beyond_63_bits_is_an_invalid_param(
    caller: Caller, method: str, params: dict[str, object]
) -> None:
    assert caller.no(method, **params)[0] == -32602


@pytest.mark.parametrize(
    "options",
    [
        {"min_amount": BEYOND},
        {"max_amount": -1},
        {"min_amount": 10, "max_amount": 9},
        {"cancel_after_ms": BEYOND},
        {"slow_card_ms": -1},
        {"receipt_ttl_ms": BEYOND},
        {"receipt_ttl_ms": 1.5},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Sandbox(**options)
    assert refused.value.argument in options


def test_lists_of_any_length_may_be_asked_for(sandbox: Sandbox) -> None:
    receipt = sandbox.add_receipt()
    assert [one.id for one in sandbox.receipts(BEYOND)] == [receipt]
    assert sandbox.receipts(5, BEYOND) == []
    assert sandbox.cards(BEYOND) == sandbox.last_sms(BEYOND) == sandbox.last_entries(BEYOND) == []
    for amount in (BEYOND, 0, -1):
        with pytest.raises(InvalidSetting, match="amount"):
            sandbox.add_receipt(amount=amount)


def test_a_sandbox_in_memory_that_nobody_stopped_closes_its_database() -> None:
    sandbox = Sandbox()
    connection = sandbox.works.runner._connection  # type: ignore[attr-defined]
    del sandbox
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
