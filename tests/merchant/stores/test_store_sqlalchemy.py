"""What the stores ask of an engine and of a merchant's code, and what they do about misuse."""

import asyncio
import contextlib
import logging
import sqlite3
import subprocess
import sys
from types import MethodType

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from scenarios import START, code, number
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool
from sqlshop import (
    AsyncShop,
    AsyncShopOrders,
    BlockingShop,
    ShopOrders,
    asyncio_url,
    opened,
    orders,
    shop_metadata,
    statements,
)

from payme.errors import ConfigurationError
from payme.merchant import flows
from payme.merchant.core import EXPIRY_MS, Create, Perform
from payme.merchant.stores.sqlalchemy import (
    AsyncOrders,
    AsyncSqlAlchemyStore,
    Orders,
    SqlAlchemyStore,
    metadata,
    transactions,
)


def update(name, state):
    return sa.update(orders).where(orders.c.id == name).values(state=state)


# The database transaction ...............................................................


def test_hook_that_commits_or_rolls_back_is_an_error_and_a_repetition_goes_through(shop):
    shop.create(1)
    for method in ("rollback", "commit"):
        if isinstance(shop, AsyncShop):

            async def between(connection, method=method):
                await getattr(connection, method)()
        else:

            def between(connection, method=method):
                getattr(connection, method)()

        shop.orders.between = between
        assert code(shop.perform(1)) == -32400
        del shop.orders.between
        state = {"rollback": 1, "commit": 2}[method]
        assert shop.check(1)["result"]["state"] == state
        assert shop.state("a") == {1: "waiting", 2: "paid"}[state]
    assert shop.perform(1)["result"]["state"] == 2
    assert shop.events() == [("paid", "a")]


def test_hook_may_use_a_savepoint(shop):
    shop.create(1)
    undone = update("b", "lost")
    if isinstance(shop, AsyncShop):

        async def between(connection):
            savepoint = await connection.begin_nested()
            await connection.execute(undone)
            await savepoint.rollback()
    else:

        def between(connection):
            savepoint = connection.begin_nested()
            connection.execute(undone)
            savepoint.rollback()

    shop.orders.between = between
    assert shop.perform(1)["result"]["state"] == 2
    assert (shop.state("a"), shop.state("b")) == ("paid", "waiting")


def in_a_hook(shop, work):
    """Have the hooks of a shop do more, on the blocking side of their connection."""
    if isinstance(shop, AsyncShop):

        async def between(connection):
            await connection.run_sync(work)

        shop.orders.between = between
    else:
        shop.orders.between = work


def swallow(statement):
    """What careless code does: go on as if nothing had happened."""

    def work(connection):
        with contextlib.suppress(DBAPIError):
            connection.exec_driver_sql(statement)

    return work


NO_TABLE = "SELECT * FROM there_is_no_such_table"
TWICE = "INSERT INTO shop_order VALUES ('a', 'waiting')"
# What takes the whole transaction back; MariaDB does so when two wait for each other.
TWICE_OR_ROLLBACK = "INSERT OR ROLLBACK INTO shop_order VALUES ('a', 'waiting')"
ROLLBACK = "ROLLBACK"

EVENTS = {
    "paid": (lambda shop: shop.perform(1), "paid", 2),
    "released": (lambda shop: shop.cancel(1), "waiting", -1),
    "cancelled": (lambda shop: shop.cancel(1, reason=5), "closed", -2),
}


@pytest.mark.parametrize("statement", [NO_TABLE, TWICE, TWICE_OR_ROLLBACK, ROLLBACK])
@pytest.mark.parametrize("event_name", EVENTS)
def test_database_error_that_a_hook_swallows_is_never_answered_as_success(
    shop, event_name, statement
):
    """PostgreSQL answers COMMIT with a ROLLBACK then, and no error; others go on with most."""
    if statement is TWICE_OR_ROLLBACK and shop.engine.dialect.name == "mysql":
        statement = ROLLBACK
    happen, order_state, state = EVENTS[event_name]
    shop.create(1)
    if event_name == "cancelled":
        shop.perform(1)
    before = (shop.check(1), shop.state("a"), shop.events())
    in_a_hook(shop, swallow(statement))
    answer = happen(shop)
    if shop.engine.dialect.name == "postgresql" or "ROLLBACK" in statement:
        assert code(answer) == -32400
        assert (shop.check(1), shop.state("a"), shop.events()) == before
    else:
        assert answer["result"]["state"] == state
    del shop.orders.between
    for _ in range(2):
        assert happen(shop)["result"]["state"] == state
    assert shop.state("a") == order_state
    assert shop.events() == [*before[2], (event_name, "a")]


def test_error_that_is_swallowed_while_an_expired_attempt_gives_way_stores_no_new_one(shop):
    shop.create(1)
    shop.now += EXPIRY_MS + 1
    in_a_hook(shop, swallow(NO_TABLE))
    created = "result" in shop.create(2)
    assert created == (shop.engine.dialect.name != "postgresql")
    assert (code(shop.check(2)), shop.check(1)["result"]["state"]) == (
        (None, -1) if created else (-31003, 1)
    )
    del shop.orders.between
    assert shop.create(2)["result"]["state"] == 1
    assert shop.events() == [("released", "a")]


def swallow_in_find(shop, statement, *, finds):
    """Have `find` swallow an error; what it gives then is as before, or None."""
    find, work = shop.orders.find, swallow(statement)
    if isinstance(shop, AsyncShop):

        async def careless(connection, account):
            found = await find(connection, account)
            await connection.run_sync(work)
            return found if finds else None
    else:

        def careless(connection, account):
            found = find(connection, account)
            work(connection)
            return found if finds else None

    shop.orders.find = careless


def test_database_error_that_find_swallows_is_never_answered_as_success(shop):
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    swallow_in_find(shop, NO_TABLE, finds=True)
    asked, created = shop.call("CheckPerformTransaction", **check), shop.create(1)
    del shop.orders.find
    known = shop.check(1)
    assert known["result"]["state"] == 1
    swallow_in_find(shop, NO_TABLE, finds=True)
    performed = shop.perform(1)
    del shop.orders.find
    if shop.engine.dialect.name == "postgresql":
        # Their statements stand alone: nothing was lost, and the word of `find` counts.
        assert [code(one) for one in (asked, created, performed)] == [None, None, -32400]
        assert (shop.check(1)["result"]["state"], shop.events()) == (1, [])
    else:
        assert [code(one) for one in (asked, created, performed)] == [None] * 3
    assert shop.perform(1)["result"]["state"] == 2
    assert (shop.state("a"), shop.events()) == ("paid", [("paid", "a")])


def test_log_of_a_database_error_has_no_account(shop, caplog):
    lost = sa.text("SELECT * FROM there_is_no_such_table WHERE phone = :phone")
    parameters = {"phone": "998901234567"}

    def work(connection):
        connection.execute(lost, parameters)

    shop.create(1)
    in_a_hook(shop, work)
    assert code(shop.perform(1)) == -32400
    assert "there_is_no_such_table" in caplog.text
    assert "998901234567" not in caplog.text
    # The merchant's own statements, on the merchant's own engine, tell as much as ever.
    with pytest.raises(DBAPIError, match="998901234567"), shop.engine.connect() as connection:
        work(connection)


def test_order_that_find_loses_with_a_database_error_is_not_refunded_halfway(shop):
    """`find` may well catch the error of a number that is none: what it says then counts."""
    shop.create(1)
    shop.perform(1)
    swallow_in_find(shop, NO_TABLE, finds=False)
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    assert code(shop.call("CheckPerformTransaction", **check)) == -31050
    assert code(shop.cancel(1, reason=5)) == -31007
    del shop.orders.find
    assert shop.check(1)["result"]["state"] == 2
    assert shop.cancel(1, reason=5)["result"]["state"] == -2
    assert shop.events() == [("paid", "a"), ("cancelled", "a")]


def test_only_what_ran_a_hook_is_read_back_where_the_driver_does_not_tell(shop):
    engine = shop.async_engine.sync_engine if isinstance(shop, AsyncShop) else shop.engine
    base = AsyncOrders if isinstance(shop, AsyncShop) else Orders

    def reads_after_the_write(act):
        with statements(engine) as seen:
            assert "result" in act()
        written = max(n for n, text in enumerate(seen) if "payme_transaction SET" in text)
        return sum("FROM payme_transaction" in text for text in seen[written:])

    shop.create(1)
    tells = engine.dialect.driver in ("psycopg", "psycopg2")
    assert reads_after_the_write(lambda: shop.cancel(1)) == (0 if tells else 1)
    shop.create(2)
    shop.orders.released = MethodType(base.released, shop.orders)
    assert reads_after_the_write(lambda: shop.cancel(2)) == 0
    assert shop.events() == [("released", "a")]


def test_integrity_error_of_a_hook_is_no_answer(shop):
    shop.create(1)
    shop.fails = IntegrityError("INSERT", {}, Exception("the shop's own"))
    assert code(shop.perform(1)) == -32400
    shop.fails = None
    assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
@pytest.mark.parametrize("style", [BlockingShop, AsyncShop])
def test_isolation_of_the_engine_does_not_matter(postgres_db, level, style):
    with opened(style, postgres_db, "a", isolation_level=level) as shop:
        shop.create(1)
        shop.fails = KeyError("no goods")
        assert code(shop.perform(1)) == -32400
        assert (shop.events(), shop.check(1)["result"]["state"]) == ([], 1)
        seen = []
        shop.fails = None
        if style is BlockingShop:
            shop.orders.between = lambda connection: seen.append(connection.get_isolation_level())
            shop.perform(1)
            assert seen == ["READ COMMITTED"]
            with shop.engine.connect() as connection:  # The pool's connections are as before.
                if level != "AUTOCOMMIT":
                    assert connection.get_isolation_level() == level


def begin_by_event(engine):
    """What SQLAlchemy's documentation recommends for SQLite."""

    @event.listens_for(engine, "connect")
    def connected(connection, record):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begun(connection):
        connection.exec_driver_sql("BEGIN")


@pytest.mark.parametrize("style", ["legacy", "event", "autocommit"])
def test_sqlite_is_locked_before_anything_is_read(tmp_path, style):
    path = tmp_path / "shop.db"
    options = {"isolation_level": "AUTOCOMMIT"} if style == "autocommit" else {}
    with opened(BlockingShop, f"sqlite:///{path}", **options) as shop:
        if style == "event":
            begin_by_event(shop.engine)
        shop.fill("a")
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        # Only there may somebody write while others read, which would hide that nothing is locked.
        other.execute("PRAGMA journal_mode = WAL")
        refused = []

        class Watched(ShopOrders):
            def find(self, connection, account):
                try:
                    other.execute("UPDATE shop_order SET state = 'closed'")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
                return super().find(connection, account)

        store = SqlAlchemyStore(shop.engine, Watched())
        store.run(flows.serve(Create(number(1), START, 50_000, {"order_id": "a"}), START))
        other.close()
        assert refused == ["database is locked"]
        # Whatever begins the transaction, what raises takes it back.
        shop.fails = KeyError("no goods")
        assert code(shop.perform(1)) == -32400
        assert (shop.state("a"), shop.check(1)["result"]["state"]) == ("waiting", 1)
        shop.fails = None
        assert shop.perform(1)["result"]["state"] == 2


@pytest.mark.slow
def test_busy_database_is_a_system_error_and_never_a_wrong_answer(tmp_path, caplog):
    path = tmp_path / "shop.db"
    with opened(BlockingShop, f"sqlite:///{path}", "a", connect_args={"timeout": 0.01}) as shop:
        shop.create(1)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with caplog.at_level(logging.ERROR, logger="payme.merchant"):
            assert code(shop.perform(1)) == -32400
        other.close()
        assert shop.perform(1)["result"]["state"] == 2


# The order's lock .......................................................................


def test_each_order_waits_only_for_itself(postgres_db):
    keys = (
        "SELECT count(DISTINCT hashtextextended('payme:' || n, 0)) FROM generate_series(1, 10000) n"
    )
    with opened(BlockingShop, postgres_db) as shop:
        assert shop.rows(sa.text(keys)) == [(10_000,)]


def test_lock_is_held_from_before_the_second_reading_until_the_end(postgres_db):
    """A transaction of another connection can't take it while the hook runs, and can afterwards."""
    # Every process of every release must lock the same.
    tried = sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended('payme:a', 0))")
    with opened(BlockingShop, postgres_db, "a") as shop:
        shop.create(1)
        taken = []
        shop.orders.between = lambda connection: taken.extend(shop.rows(tried))
        shop.perform(1)
        assert [tuple(row) for row in [*taken, *shop.rows(tried)]] == [(False,), (True,)]


def test_pool_that_is_empty_is_a_system_error(postgres_db):
    options = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}
    with opened(BlockingShop, postgres_db, "a", **options) as shop:
        shop.create(1)
        with shop.engine.connect():
            assert code(shop.perform(1)) == -32400
        assert shop.perform(1)["result"]["state"] == 2
        assert shop.events() == [("paid", "a")]


def test_server_that_dropped_the_connection_is_a_system_error_once(postgres_db):
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    with opened(BlockingShop, postgres_db, "a") as shop:
        shop.create(1)
        shop.orders.between = lambda connection: connection.exec_driver_sql(drop)
        assert code(shop.perform(1)) == -32400
        del shop.orders.between
        assert shop.perform(1)["result"]["state"] == 2
        assert shop.events() == [("paid", "a")]


# The second line of defence ..............................................................


def test_order_that_was_paid_here_is_not_paid_again_whatever_its_shop_says(shop):
    shop.create(1)
    shop.perform(1)
    with shop.engine.begin() as connection:
        connection.execute(update("a", "waiting"))
    assert code(shop.create(2)) == -31008
    assert code(shop.check(2)) == -31003
    shop.cancel(1, reason=5)
    with shop.engine.begin() as connection:
        connection.execute(update("a", "waiting"))
    assert shop.create(3)["result"]["state"] == 1


def test_active_transaction_waits_or_is_performed(shop):
    def holder():
        held = yield flows.ReadActive("a")
        return None if held is None else held.id

    def work():
        return (yield flows.Work("read", holder()))

    def ask():
        running = shop.store.run(work())
        return shop.runner.run(running) if isinstance(shop, AsyncShop) else running

    assert ask() is None
    shop.create(1)
    assert ask() == number(1)
    shop.perform(1)
    assert ask() == number(1)
    shop.cancel(1, reason=5)
    assert ask() is None


def test_row_that_somebody_changed_without_the_lock_is_a_system_error(url):
    class Meddler(ShopOrders):
        meddles = False

        def find(self, connection, account):
            if self.meddles:
                connection.execute(sa.update(transactions).values(state=-1, reserves=None))
            return super().find(connection, account)

    with opened(BlockingShop, url, "a") as shop:
        shop.create(1)
        shop.perform(1)
        shop.orders.__class__ = Meddler
        shop.orders.meddles = True
        assert code(shop.cancel(1, reason=5)) == -32400
        shop.orders.meddles = False
        assert shop.cancel(1, reason=5)["result"]["state"] == -2


def test_dead_transaction_cannot_hold_an_order(shop):
    shop.create(1)
    refused = (IntegrityError, OperationalError)  # As MariaDB's driver calls it.
    with (
        pytest.raises(refused, match="payme_transaction_living"),
        shop.engine.begin() as connection,
    ):
        connection.execute(sa.update(transactions).values(state=-1))


def test_several_attempts_to_top_up_one_account_live_side_by_side(shop):
    for count in (1, 2, 3):
        assert shop.create(count, "phone", amount=100 * count)["result"]["state"] == 1
    for count in (3, 1, 2):
        assert shop.perform(count)["result"]["state"] == 2
    assert [event for event, _ in shop.events()] == ["paid"] * 3


# Construction and misuse ................................................................


def test_stores_refuse_what_they_cannot_work_with(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    async_engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}")
    mock = sa.create_mock_engine("sqlite://", print)
    for kind, args, said in (
        (SqlAlchemyStore, (async_engine, ShopOrders()), "engine: got AsyncEngine"),
        (SqlAlchemyStore, (mock, ShopOrders()), "engine: got MockConnection"),
        (SqlAlchemyStore, (engine, AsyncShopOrders()), "orders: got AsyncShopOrders"),
        (AsyncSqlAlchemyStore, (engine, AsyncShopOrders()), "engine: got Engine"),
        (AsyncSqlAlchemyStore, (async_engine, ShopOrders()), "orders: got ShopOrders"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            kind(*args)


def test_databases_without_a_proof_are_refused(tmp_path, monkeypatch):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    monkeypatch.setattr(engine.dialect, "name", "mssql")
    with pytest.raises(ConfigurationError, match="got mssql, expected postgresql, mysql"):
        SqlAlchemyStore(engine, ShopOrders())


def test_orders_that_lack_a_method_cannot_be_made():
    class Half(ShopOrders.__base__):
        def find(self, connection, account):
            return None

    with pytest.raises(TypeError, match="cancelled"):
        Half()


def test_coroutine_in_a_blocking_shop_is_an_error_and_not_a_payment_without_goods(tmp_path):
    class Mixed(ShopOrders):
        async def paid(self, connection, transaction):
            raise AssertionError("nobody runs this")

    with opened(BlockingShop, f"sqlite:///{tmp_path / 'shop.db'}", "a") as shop:
        shop.create(1)
        shop.orders.__class__ = Mixed
        assert code(shop.perform(1)) == -32400
        assert shop.check(1)["result"]["state"] == 1


def test_flow_without_steps_needs_no_statement(shop):
    with statements(shop.engine) as seen:
        assert code(shop.call("ChangePassword", password="x" * 36)) == -32601
    assert seen == []


def test_missing_sqlalchemy_is_told_with_the_extra():
    hidden = "import sys; sys.modules['sqlalchemy'] = None\nimport payme.merchant.stores.sqlalchemy"
    ended = subprocess.run(
        [sys.executable, "-c", hidden], capture_output=True, text=True, check=False
    )
    assert 'pip install "payme-uz[sqlalchemy]"' in ended.stderr


# SQLite in memory, cancelled tasks .......................................................


@pytest.mark.anyio
async def test_memory_that_all_tasks_share_is_used_in_turns():
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    store = AsyncSqlAlchemyStore(engine, AsyncShopOrders())
    await store.create_all()
    async with engine.begin() as connection:
        await connection.run_sync(shop_metadata.create_all)
        rows = [{"id": f"o{n}", "state": "waiting"} for n in range(20)]
        await connection.execute(sa.insert(orders), rows)
    asked = [
        store.run(
            flows.serve(Create(number(2 * n + side), START, 50_000, {"order_id": f"o{n}"}), START)
        )
        for n in range(20)
        for side in (0, 1)
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await engine.dispose()
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert sum(isinstance(answer, dict) for answer in answers) == 20


@pytest.mark.anyio
async def test_task_that_is_cancelled_in_a_hook_leaves_nothing(url):
    reached = asyncio.Event()

    class Slow(AsyncShopOrders):
        async def between(self, connection):
            reached.set()
            await asyncio.Event().wait()

    shop = await asyncio.to_thread(lambda: BlockingShop(url).fill("a"))
    shop.create(1)
    engine = create_async_engine(asyncio_url(url))
    store = AsyncSqlAlchemyStore(engine, Slow())
    task = asyncio.create_task(store.run(flows.serve(Perform(number(1)), START)))
    await asyncio.wait_for(reached.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (shop.state("a"), shop.check(1)["result"]["state"]) == ("waiting", 1)
    assert shop.perform(1)["result"]["state"] == 2
    await engine.dispose()
    shop.close()


# The schema ..............................................................................


def test_alembic_migrates_an_empty_database_and_finds_nothing_more_to_do(url):
    with opened(BlockingShop, url) as shop, shop.engine.begin() as connection:
        context = MigrationContext.configure(connection)
        script = produce_migrations(context, metadata)
        operations = Operations(context)
        waiting = list(script.upgrade_ops.ops)
        while waiting:
            operation = waiting.pop(0)
            waiting[:0] = getattr(operation, "ops", [])
            if not hasattr(operation, "ops"):
                operations.invoke(operation)
        assert compare_metadata(context, metadata) == []
        assert set(sa.inspect(connection).get_table_names()) == set(metadata.tables)


def test_create_all_makes_the_table_once(shop):
    create = shop.store.create_all
    for _ in range(2):
        shop.runner.run(create()) if isinstance(shop, AsyncShop) else create()
    assert shop.create(1)["result"]["state"] == 1
