"""A sweep reads what waits through an index of its own, in a table from before it was there too."""

import pytest
import sqlalchemy as sa
from scenarios import START, number
from sqlshop import BlockingShop, opened, statements

from payme.merchant.core import EXPIRY_MS
from payme.merchant.stores.sqlalchemy import schema, transactions, upgrade
from payme.merchant.stores.sqlalchemy.rows import SqlRows

INDEX = "payme_transaction_waiting"
MANY = 3_000
WAITING = (7, 8)
PREFIX = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_db")
    with opened(BlockingShop, url, "a") as shop:
        yield shop


def row(one):
    return {
        "id": number(one),
        "box": "",
        "order_id": str(one),
        "time": START + one,
        "amount": 50_000,
        "account": {"order_id": str(one)},
        "create_time": START,
        "perform_time": 0,
        "cancel_time": 0,
        "state": 1 if one in WAITING else 2,
        "reason": None,
        "receivers": [],
        "fiscal": {},
        "reserves": str(one),
    }


def fill(shop):
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(transactions), [row(one) for one in range(MANY)])
        connection.exec_driver_sql("ANALYZE payme_transaction")


def plan(shop):
    """How the database would read what a sweep asks for, as a driver that binds asks it."""
    page = {"before": START + EXPIRY_MS, "after_time": -1, "after_id": "", "limit": 500}
    with statements(shop.engine) as seen, shop.engine.begin() as connection:
        found = SqlRows(connection).waiting(page["before"], (-1, ""), 500)
        assert [one.id for one in found] == [number(one) for one in WAITING]
        compiled = schema.WAITING.compile(dialect=connection.dialect)
        values = {**compiled.params, "box": "", **page}
        if compiled.positional:
            values = tuple(values[name] for name in compiled.positiontup)
        rows = connection.exec_driver_sql(PREFIX[connection.dialect.name] + seen[0], values)
        return "\n".join(str(one) for one in rows)


def indexes(shop):
    return {one["name"] for one in sa.inspect(shop.engine).get_indexes("payme_transaction")}


def test_a_sweep_reads_through_the_index_of_what_waits(shop):
    fill(shop)
    assert INDEX in plan(shop)


def test_a_driver_that_prepares_statements_uses_it_as_well(postgres_db):
    """A plan for any parameters uses a partial index if the state is none of them."""
    with opened(BlockingShop, postgres_db, "a") as shop:
        fill(shop)
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
            text = str(schema.WAITING.compile(dialect=connection.dialect))
            for place, name in enumerate(("box", "before", "after_time", "after_id", "limit"), 1):
                for cast in ("::VARCHAR", "::BIGINT", "::INTEGER", ""):
                    text = text.replace(f"%({name})s{cast}", f"${place}")
            types = "varchar, bigint, bigint, varchar, bigint"
            connection.exec_driver_sql(f"PREPARE swept ({types}) AS {text}")
            execute = "EXPLAIN EXECUTE swept ('', 9000000000000, -1, '', 500)"
            found = "\n".join(str(one) for one in connection.exec_driver_sql(execute))
    assert INDEX in found
    assert "$2" in found


def test_a_table_from_before_the_index_gets_it_once_and_keeps_its_rows(shop):
    fill(shop)
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {INDEX}")
    assert INDEX not in indexes(shop)
    with shop.engine.begin() as connection:
        assert [upgrade(connection), upgrade(connection)] == [True, False]
        count = sa.select(sa.func.count()).select_from(transactions)
        assert connection.scalar(count) == MANY
    assert INDEX in indexes(shop)
    assert INDEX in plan(shop)


def test_create_all_indexes_a_table_from_before(shop):
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {INDEX}")
    for _ in range(2):
        shop.store.create_all()
    assert INDEX in indexes(shop)


def test_mariadb_has_no_index_that_each_payment_would_write(mariadb_db):
    with opened(BlockingShop, mariadb_db, "a") as shop:
        shop.store.create_all()
        with shop.engine.begin() as connection:
            assert not upgrade(connection)
        assert INDEX not in indexes(shop)
