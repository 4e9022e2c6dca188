"""The benchmark writes rows by itself: they must be rows of today's table."""

import pytest
import sqlalchemy as sa
from bench.merchant import many
from bench.merchant.contestants import CONTESTANTS
from bench.merchant.statements import Blocking, Worker

from payme.merchant.stores.sqlalchemy import schema

OURS = next(one for one in CONTESTANTS if one.role == "ours" and one.framework == "FastAPI")


def paid(engine):
    found = sa.select(sa.func.count()).where(schema.transactions.c.state == 2)
    with engine.connect() as connection:
        return connection.execute(found).scalar_one()


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_days_of_transactions(url):
    many.fill(url, 20, 5)
    engine = sa.create_engine(url)
    assert paid(engine) == 20
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_whatever_is_measured_of_a_statement_works(url):
    many.fill(url, 20, 5)
    period = many.days(0, 2)
    store = Blocking(url)
    worker = Worker(store)
    assert worker.walked(*period) == 10
    assert worker.kept(*period) > 10
    assert worker.served(*period) > 10
    assert "payme_transaction" in worker.plan(*period)
    store.engine.dispose()


def test_history_of_a_shop(postgres_db):
    engine = sa.create_engine(postgres_db)
    schema.metadata.create_all(engine)
    statement = OURS.history.replace("%(first)s", "1").replace("%(last)s", "7")
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    assert paid(engine) == 7
    engine.dispose()
