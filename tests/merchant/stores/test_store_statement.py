"""GetStatement reads a day out of many through the index, and row by row."""

import asyncio
import json
import tracemalloc

import pytest
import sqlalchemy as sa
from scenarios import AUTH, START, code, number
from sqlalchemy.ext.asyncio import create_async_engine
from sqlshop import (
    AsyncShop,
    AsyncShopOrders,
    BlockingShop,
    asyncio_url,
    opened,
    statements,
)

from payme.merchant import decisions, flows
from payme.merchant.service import Incoming
from payme.merchant.stores.sqlalchemy import AsyncSqlAlchemyStore, schema, transactions

STEP = 1_000
MANY = 10_000
FEW = 2_500
"""More than the thousand that are fetched at once."""
ANALYZE = {"mysql": "ANALYZE TABLE payme_transaction"}


def fill(engine, count):
    """Store transactions, one every second."""
    row = {
        "order_id": "a",
        "amount": 50_000,
        "account": {"order_id": "a"},
        "create_time": START,
        "perform_time": 0,
        "cancel_time": 0,
        "state": -1,
        "reason": 3,
        "receivers": [],
        "fiscal": {},
        "reserves": None,
        "box": "",
    }
    rows = [{**row, "id": number(n), "time": START + n * STEP} for n in range(count)]
    with engine.begin() as connection:
        for start in range(0, count, 5_000):
            connection.execute(sa.insert(transactions), rows[start : start + 5_000])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(ANALYZE.get(engine.dialect.name, "ANALYZE payme_transaction")))


def explained(engine, from_, to):
    """The database's plan for a statement, as text."""
    # PostgreSQL plans a cursor for its first rows, and rows alone for all of them.
    prefix = {
        "sqlite": "EXPLAIN QUERY PLAN ",
        "postgresql": "EXPLAIN DECLARE looked CURSOR FOR ",
        "mysql": "EXPLAIN ",
    }[engine.dialect.name]
    with statements(engine) as seen, engine.connect() as connection:
        parameters = {"box": "", **schema.period(from_, to)}
        connection.execute(schema.CREATED_BETWEEN, parameters).close()
        if engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(prefix + seen[0], tuple(parameters.values()))
        else:
            rows = connection.exec_driver_sql(prefix + seen[0], parameters)
        return "\n".join(str(row) for row in rows)


def test_statement_is_read_through_the_index_and_not_sorted(url):
    with opened(BlockingShop, url, "a") as shop:
        fill(shop.engine, MANY)
        plan = explained(shop.engine, START + 1_000 * STEP, START + 3_000 * STEP)
    assert "payme_transaction_statement" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
    assert "filesort" not in plan


def only_look(from_, to, look):
    """A flow that reads a statement as the service does, and keeps no row."""

    def steps():
        return (yield flows.ListTransactions(from_, to, look))

    return (yield flows.Work("cursor", steps()))


def run(shop, flow):
    if isinstance(shop, AsyncShop):
        return shop.runner.run(shop.store.run(flow))
    return shop.store.run(flow)


def peak_of(act):
    """What an act gives, and how many bytes were held at most."""
    tracemalloc.start()
    try:
        given = act()
        return given, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def only_count(rows):
    return sum(1 for _ in rows)


def test_rows_are_fetched_while_they_are_read(shop):
    fill(shop.engine, MANY)
    # The first run loads what every later one shares, such as the compiled statement.
    run(shop, only_look(0, START + STEP, list))
    found, peak = peak_of(lambda: run(shop, only_look(0, START * 2, only_count)))
    assert found == MANY
    # A thousand rows are held at once; all of them would be 15 MB.
    assert peak < 3_000_000


def measured(shop, request):
    """Answer a request; give the rows in the answer and its length."""
    if isinstance(shop, AsyncShop):
        # In the task: `Runner.run` of Python 3.11 makes the `repr` of what a task gives.
        async def ask():
            text = await shop.merchant.answer(request)
            return text.count(b'"perform_time"'), len(text)

        return shop.runner.run(ask())
    text = shop.answer(request)
    return text.count(b'"perform_time"'), len(text)


@pytest.mark.slow
def test_answer_is_held_as_text_alone_and_once(shop):
    fill(shop.engine, MANY)
    shop.statement(START, START)
    body = json.dumps({"id": 1, "method": "GetStatement", "params": {"from": 0, "to": START * 2}})
    request = Incoming("POST", body.encode(), AUTH)
    _, rows = peak_of(lambda: run(shop, only_look(0, START * 2, only_count)))
    (found, length), peak = peak_of(lambda: measured(shop, request))
    assert found == MANY
    # What grows is an eighth longer than it is full.
    assert peak - rows < 1.2 * length


def test_statement_that_breaks_off_is_a_system_error_and_no_statement(shop, monkeypatch):
    fill(shop.engine, 20)
    seen = []

    def broken(row):
        seen.append(row)
        if len(seen) == 10:
            raise ValueError("a row that nobody can read")
        return {}

    monkeypatch.setattr(decisions, "statement_row", broken)
    assert code(shop.call("GetStatement", **{"from": 0, "to": START * 2})) == -32400
    monkeypatch.undo()
    assert len(shop.statement()) == 20


def test_reader_that_stops_early_gives_the_connection_back(shop):
    fill(shop.engine, FEW)
    for _ in range(20):
        assert run(shop, only_look(0, START * 2, next)).id == number(0)
    assert shop.create(FEW)["result"]["state"] == 1


def test_statement_does_not_keep_writers_waiting(tmp_path):
    """SQLite: only what may write begins as a writer."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    with opened(BlockingShop, url, "a") as shop, shop.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        assert shop.statement() == []


def test_statement_of_one_moment_lists_by_id(shop):
    for count in (3, 1, 2):
        shop.create(count)
        shop.cancel(count)
    assert [row["id"] for row in shop.statement(START, START)] == [number(n) for n in (1, 2, 3)]


@pytest.mark.anyio
async def test_asyncio_serves_others_while_a_statement_is_read(postgres_db):
    with opened(BlockingShop, postgres_db, "a") as shop:
        fill(shop.engine, MANY)
    served, done = 0, asyncio.Event()

    async def others():
        nonlocal served
        while not done.is_set():
            served += 1
            await asyncio.sleep(0)

    engine = create_async_engine(asyncio_url(postgres_db))
    store = AsyncSqlAlchemyStore(engine, AsyncShopOrders())
    task = asyncio.create_task(others())
    assert len(await store.run(only_look(0, START * 2, list))) == MANY
    done.set()
    await task
    await engine.dispose()
    assert served >= MANY / 1_000
