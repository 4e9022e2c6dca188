"""What is in the file: older versions, and how much of the exchanges is kept."""

import sqlite3
from pathlib import Path

import pytest
from merchant_tools import Shop
from sandbox_tools import Caller, Clock

from payme.sandbox import Sandbox, SandboxError, store
from payme.sandbox.engine.model import Exchange, MerchantTransaction, Receipt
from payme.sandbox.store import SCHEMA_VERSION, SqliteState, connect


def version_1(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"BEGIN; {store._SCHEMA} COMMIT;")
    connection.execute(f"PRAGMA application_id = {store._APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "state.db"
    version_1(path)
    sandbox = Sandbox(db=path, clock=clock, merchant=Shop(clock))
    caller = Caller(sandbox)
    receipt = caller.paid()
    assert [one.receipt_id for one in sandbox.merchant.ledger()] == [receipt]
    sandbox.stop()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


@pytest.mark.parametrize(
    ("rows", "unordered"),
    [
        ([], False),
        ([(1, 5), (2, 5), (3, 9)], False),
        ([(1, 5), (2, 4)], True),
        ([(1, 5), (3, 6)], True),
    ],
)
def test_an_older_file_is_looked_through_for_receipts_out_of_order(
    tmp_path: Path, rows: list[tuple[int, int]], unordered: bool
) -> None:
    path = tmp_path / "state.db"
    version_1(path)
    connection = sqlite3.connect(path)
    for number, time in rows:
        connection.execute(
            "INSERT INTO receipt VALUES (?, ?, ?, NULL, ?)", (number, str(number), time, b"")
        )
    connection.commit()
    connection.close()
    connection = connect(path)
    assert (connection.execute(store._ARE_UNORDERED).fetchone() is not None) == unordered
    connection.close()


def test_who_paid_is_kept_in_the_file(tmp_path: Path, clock: Clock) -> None:
    path, payer = tmp_path / "state.db", {"phone": "998901304527", "name": "Ali"}
    version_1(path)
    sandbox = Sandbox(db=path, clock=clock)
    caller = Caller(sandbox)
    receipt = caller.receipt()
    caller.ok("receipts.pay", id=receipt, token=caller.verified(), payer=payer)
    sandbox.stop()
    sandbox = Sandbox(db=path, clock=clock)
    assert Caller(sandbox).ok("receipts.get", id=receipt)["receipt"]["payer"] == payer
    sandbox.stop()


def test_a_receipt_as_the_first_version_wrote_it(clock: Clock) -> None:
    import msgspec

    old = {
        "id": "a" * 24, "number": 1, "create_time": 5, "amount": 7, "account": {}, "state": 4,
        "pay_time": 6, "cancel_time": 0, "due_at": None, "description": "", "detail": None,
        "hold": False, "card_number": "860006******6311", "card_expire": "9903", "payer": None,
        "cancel_source": None, "fiscal": None,
    }  # fmt: skip
    receipt = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Receipt)
    sandbox = Sandbox(clock=clock)
    sandbox._run(lambda state: state.put_receipt(receipt))
    Caller(sandbox).ok("receipts.cancel", id=receipt.id)
    clock.advance(1000)
    assert [entry.kind for entry in sandbox.ledger()] == ["refund"]
    sandbox.stop()


def test_a_migration_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    version_1(path)
    monkeypatch.setattr(store, "_MIGRATIONS", (store._SCHEMA, "CREATE TABLE x (y); NONSENSE;"))
    with pytest.raises(SandboxError):
        connect(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT * FROM sqlite_master WHERE name = 'x'").fetchall() == []
    connection.close()


def test_the_oldest_exchanges_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_EXCHANGES", 3)
    connection = connect(None)
    state = SqliteState(connection)
    for number in range(1, 8):
        one = Exchange(
            number=number, time=0, receipt_id="r", method="m", attempt=1, request={},
            outcome="result",
        )  # fmt: skip
        state.add_exchange(one)
    assert [one.number for one in state.exchanges()] == [5, 6, 7]
    assert [one.number for one in state.exchanges("r")] == [5, 6, 7]
    assert [one.number for one in state.last_exchanges(2)] == [7, 6]
    connection.close()


def test_the_merchants_ledger_is_read_in_pages() -> None:
    connection = connect(None)
    state = SqliteState(connection)
    names = [f"{number:024x}" for number in range(7)]
    for name in names:
        state.put_transaction(MerchantTransaction(receipt_id=name))
    assert [one.receipt_id for one in state.transactions(count=3)] == names[:3]
    assert [one.receipt_id for one in state.transactions(names[2], 3)] == names[3:6]
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT record FROM merchant_ledger WHERE receipt_id > ? "
        "ORDER BY receipt_id LIMIT ?",
        ("", 3),
    ).fetchall()
    assert "SEARCH merchant_ledger" in plan[0][3]
    connection.close()
