"""Two payments of one order at once: one is taken. One payment told twice: handed over once."""

import logging
from functools import partial

import pytest
import sqlalchemy as sa
from racing import Ask, create_params, in_processes, in_tasks, in_threads
from scenarios import code, number
from sqlshop import AsyncShop, BlockingShop, opened

from payme.merchant import flows
from payme.merchant.stores.sqlalchemy import transactions
from payme.merchant.stores.sqlalchemy.rows import SqlRows

RACES = 500
NAMES = [f"o{index}" for index in range(RACES)]


@pytest.fixture
def database(url):
    """A database of 500 orders that wait for payment."""
    with opened(BlockingShop, url, *NAMES) as shop:
        yield shop


def losers(answers):
    """The codes of those that were refused, for each race."""
    return [[code(answer) for answer in pair if "error" in answer] for pair in answers]


def living(shop):
    """Every order with its transactions that are neither cancelled nor refunded."""
    where = transactions.c.state.in_((1, 2))
    columns = (transactions.c.order_id, sa.func.count())
    return dict(
        map(tuple, shop.rows(sa.select(*columns).where(where).group_by(transactions.c.order_id)))
    )


def race_to_create(shop, races):
    return in_threads(
        [
            (partial(shop.create, 2 * index, name), partial(shop.create, 2 * index + 1, name))
            for index, name in enumerate(NAMES[:races])
        ]
    )


def drop_the_index(shop):
    with shop.engine.begin() as connection:
        name = "payme_transaction_reserves"
        (index,) = (one for one in transactions.indexes if one.name == name)
        index.drop(connection)


@pytest.mark.slow
def test_one_of_two_creates_is_accepted(database, caplog):
    with caplog.at_level(logging.WARNING, logger="payme.merchant"):
        answers = race_to_create(database, RACES)
    assert losers(answers) == [[-31008]] * RACES
    assert living(database) == dict.fromkeys(NAMES, 1)
    assert not caplog.records  # The lock decided each race, and the unique index had no work.


def go_the_whole_way(request, now, box):
    raise flows.NoAnswerError
    yield


@pytest.mark.slow
def test_lock_alone_keeps_two_creates_apart(database, monkeypatch):
    monkeypatch.setattr(flows, "_create_at_once", go_the_whole_way)
    drop_the_index(database)
    assert losers(race_to_create(database, 150)) == [[-31008]] * 150


def test_unique_index_alone_keeps_two_creates_apart(postgres_db, monkeypatch):
    monkeypatch.setattr(SqlRows, "lock", SqlRows.read)
    monkeypatch.setattr(SqlRows, "lock_order", lambda self, order_id: None)
    with opened(BlockingShop, postgres_db, *NAMES) as shop:
        assert losers(race_to_create(shop, 150)) == [[-31008]] * 150
        assert living(shop) == dict.fromkeys(NAMES[:150], 1)


@pytest.mark.slow
def test_repeated_perform_hands_over_once(database):
    for index, name in enumerate(NAMES):
        database.create(index, name)
    answers = in_threads([(partial(database.perform, index),) * 2 for index in range(RACES)])
    assert all(first == second and "result" in first for first, second in answers)
    assert sorted(database.events()) == sorted(("paid", name) for name in NAMES)


def test_same_create_at_once_gets_the_same_answer(database):
    twice = [(partial(database.create, index, name),) * 2 for index, name in enumerate(NAMES[:100])]
    assert all(first == second and "result" in first for first, second in in_threads(twice))
    assert living(database) == dict.fromkeys(NAMES[:100], 1)


@pytest.mark.slow
def test_cancel_against_perform_leaves_order_and_transaction_in_agreement(database):
    for index, name in enumerate(NAMES):
        database.create(index, name)
    asks = [
        (partial(database.perform, index), partial(database.cancel, index))
        for index in range(RACES)
    ]
    answers = in_threads(asks)
    diary = {}
    for event, name in database.events():
        diary.setdefault(name, []).append(event)
    for name, (performed, cancelled) in zip(NAMES, answers, strict=True):
        happened = diary[name]
        if "result" in performed:
            assert (cancelled["result"]["state"], happened) == (-2, ["paid", "cancelled"])
            assert database.state(name) == "closed"
        else:
            assert (code(performed), cancelled["result"]["state"]) == (-31008, -1)
            assert (happened, database.state(name)) == (["released"], "waiting")


@pytest.mark.slow
def test_tasks_that_race_create_and_perform_once(database, url):
    # SQLite has one writer: more in flight would only wait for each other, a thread for each.
    pool = {"pool_size": 8, "max_overflow": 0, "pool_timeout": 60}
    races, at_once, pool = (100, 1, {}) if url.startswith("sqlite") else (RACES, 4, pool)
    with opened(AsyncShop, url, **pool) as shop:
        ask = Ask(shop.merchant).ask
        creates = [
            tuple(
                partial(ask, "CreateTransaction", **create_params(2 * index + side, name))
                for side in (0, 1)
            )
            for index, name in enumerate(NAMES[:races])
        ]
        answers = shop.runner.run(in_tasks(creates, at_once))
        assert losers(answers) == [[-31008]] * races
        won = [pair[0 if "result" in pair[0] else 1]["result"]["transaction"] for pair in answers]
        performs = [(partial(ask, "PerformTransaction", id=one),) * 2 for one in won]
        answers = shop.runner.run(in_tasks(performs, at_once))
        assert all(first == second and "result" in first for first, second in answers)
        assert sorted(shop.events()) == sorted(("paid", name) for name in NAMES[:races])


@pytest.mark.slow
def test_processes_that_race_create_and_perform_once(database, url):
    names = NAMES[:100]
    for (left, left_performed), (right, right_performed) in in_processes(url, names):
        assert {left, right} == {None, -31008}
        assert (left_performed, right_performed) == (None, None)
    assert sorted(database.events()) == sorted(("paid", name) for name in names)


def test_id_that_is_sent_for_two_orders_at_once_pays_one(database):
    asks = [
        (partial(database.create, index, NAMES[index]), partial(database.create, index, NAMES[-1]))
        for index in range(100)
    ]
    answers = in_threads(asks)
    for index, pair in enumerate(answers):
        refused = [code(answer) for answer in pair if "error" in answer]
        assert refused == [-31008]
        assert database.check(index)["result"]["state"] == 1
        database.cancel(index)
    assert len(database.statement()) == 100
    assert {row["id"] for row in database.statement()} == {number(index) for index in range(100)}
