"""A table that a former version filled is brought up to date, and every payment goes on."""

import sys
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import sqlalchemy as sa
from cash_boxes import SECOND
from scenarios import START, code, number
from sqlalchemy import event
from sqlshop import AsyncShop, BlockingShop, blocking_url, opened
from test_store_boxes import beside

from payme.errors import ConfigurationError
from payme.merchant.stores.sqlalchemy import transactions, upgrade

OLD = sa.MetaData()
old_transactions = sa.Table(
    "payme_transaction",
    OLD,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("order_id", sa.String(255), nullable=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.Column("account", sa.JSON, nullable=False),
    sa.Column("create_time", sa.BigInteger, nullable=False),
    sa.Column("perform_time", sa.BigInteger, nullable=False),
    sa.Column("cancel_time", sa.BigInteger, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.BigInteger, nullable=True),
    sa.Column("receivers", sa.JSON, nullable=False),
    sa.Column("fiscal", sa.JSON, nullable=False),
    sa.Column("holds", sa.String(255), nullable=True),
    sa.CheckConstraint("holds IS NULL OR state IN (1, 2)", name="payme_transaction_living"),
    sa.Index("payme_transaction_holds", "holds", unique=True),
    sa.Index("payme_transaction_statement", "time", "id"),
)
upgrading = sys.modules[upgrade.__module__]

STATES = (1, 2, -1, -2)
MANY = 200


def old_row(one):
    state = STATES[one % 4]
    return {
        "id": number(one),
        "order_id": str(one),
        "time": START + one,
        "amount": 50_000,
        "account": {"order_id": str(one), "имя": "\0"},
        "create_time": START,
        "perform_time": 0,
        "cancel_time": 0,
        "state": state,
        "reason": None if state > 0 else 3,
        "receivers": [{"id": "5" * 24, "amount": 50_000}],
        "fiscal": {"PERFORM": {"receipt_id": one}},
        "holds": str(one) if state > 0 else None,
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """An empty database of a kind that has tables of the former version; never MariaDB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    return request.getfixturevalue("postgres_db")


@pytest.fixture
def old_url(empty_url):
    """A database with a table that the former version made and filled."""
    engine = sa.create_engine(blocking_url(empty_url))
    fill(engine)
    engine.dispose()
    return empty_url


@pytest.fixture
def old_shop(kind, old_url):
    with opened(kind, old_url) as shop:
        yield shop


def fill(engine):
    with engine.begin() as connection:
        OLD.create_all(connection)
        connection.execute(sa.insert(old_transactions), [old_row(one) for one in range(MANY)])


def made(shop, *names):
    """Have the store bring its table up to date, twice."""
    for _ in range(2):
        made = shop.store.create_all()
        if isinstance(shop, AsyncShop):
            shop.runner.run(made)
    kept = shop.rows(sa.select(transactions).order_by(transactions.c.time))
    shop.fill_beside(*names)
    return [row._asdict() for row in kept]


def test_every_row_is_kept_and_belongs_to_the_one_cash_box(old_shop):
    def renamed(one):
        row = old_row(one)
        return {**row, "reserves": row.pop("holds"), "box": ""}

    expected = [renamed(one) for one in range(MANY)]
    for row in expected:
        del row["holds"]
    assert made(old_shop) == expected


def test_payments_go_on_where_they_were(old_shop):
    made(old_shop, *map(str, range(MANY)))
    assert old_shop.perform(0)["result"]["state"] == 2
    assert old_shop.perform(1)["result"]["state"] == 2
    assert old_shop.events() == [("paid", "0")]
    assert code(old_shop.create(MANY, "1")) == -31008
    assert code(old_shop.create(MANY, "4")) == -31008
    assert old_shop.cancel(5, reason=5)["result"]["state"] == -2
    assert old_shop.create(MANY, "2")["result"]["state"] == 1
    assert code(beside(old_shop).check(0)) == -31003


def shape(engine, place=None):
    """Everything that a database tells of the table."""
    looked = sa.inspect(engine)
    columns = looked.get_columns("payme_transaction", place)
    indexes = looked.get_indexes("payme_transaction", place)
    checks = looked.get_check_constraints("payme_transaction", place)
    return (
        looked.get_pk_constraint("payme_transaction", place)["constrained_columns"],
        sorted(
            (one["name"], tuple(one["column_names"]), bool(one["unique"]), condition(one))
            for one in indexes
        ),
        [(one["name"], one["sqltext"]) for one in checks],
        sorted((one["name"], str(one["type"]), one["nullable"], one["default"]) for one in columns),
    )


def condition(index):
    """What rows an index of a part of the table has; None for all."""
    options = index.get("dialect_options", {})
    return next((str(value) for name, value in options.items() if name.endswith("_where")), None)


def test_an_upgraded_table_is_as_a_new_one(old_shop):
    made(old_shop)
    upgraded = shape(old_shop.engine)
    with old_shop.engine.begin() as connection:
        transactions.drop(connection)
        transactions.create(connection)
    assert upgraded == shape(old_shop.engine)


@pytest.mark.parametrize("before", ["an old table", "no table"])
def test_a_program_that_knows_no_cash_box_stores_for_the_one_that_has_no_name(
    before, empty_url, request
):
    """Such as one that brings in what was paid by way of another library."""
    url = empty_url if before == "no table" else request.getfixturevalue("old_url")
    with opened(BlockingShop, url) as shop:
        shop.store.create_all()
        shop.fill_beside("a")
        row = {**old_row(MANY + 1), "order_id": "a", "state": 2, "perform_time": START}
        del row["holds"]
        brought = sa.insert(sa.table("payme_transaction", *map(json_column, row))).values(row)
        with shop.engine.begin() as connection:
            connection.execute(brought)
        assert shop.check(MANY + 1)["result"]["state"] == 2
        assert [one.box for one in shop.store.transactions_of("a")] == [""]


def test_a_process_of_the_former_version_stores_nothing_any_more(old_url):
    """Payme gets -32400 from it: a row without a cash-box might be one that pays twice."""
    with opened(BlockingShop, old_url) as shop:
        shop.store.create_all()
        for holds in (str(MANY), None):
            row = {**old_row(MANY), "holds": holds}
            with pytest.raises(sa.exc.DBAPIError, match="holds"), shop.engine.begin() as connection:
                connection.execute(sa.insert(old_transactions).values(row))
        assert len(shop.rows(sa.select(transactions))) == MANY


def json_column(name):
    return sa.column(name, old_transactions.c[name].type)


LARGEST = 2**63 - 1
EXTREMES = {
    "id": "f" * 64,
    "order_id": "я" * 255,
    "holds": "я" * 255,
    **dict.fromkeys(("time", "amount", "create_time", "perform_time", "cancel_time"), LARGEST),
    "account": {"order_id": "1", "large": LARGEST, "text": "\0'\"\\ю" * 9_000, "none": None},
    "state": 2,
    "reason": LARGEST,
    "receivers": [],
    "fiscal": {},
}


def test_the_largest_values_and_none_are_kept(old_url):
    least = {**dict.fromkeys(EXTREMES, 0), "id": "", "order_id": "", "holds": None, "reason": None}
    least |= {"time": -LARGEST, "amount": -LARGEST, "state": -2, "account": None}
    with opened(BlockingShop, old_url) as shop:
        with shop.engine.begin() as connection:
            connection.execute(sa.delete(old_transactions))
            connection.execute(sa.insert(old_transactions), [EXTREMES, least])
        shop.store.create_all()
        kept = shop.rows(sa.select(transactions).order_by(transactions.c.time))
    expected = []
    for one in (least, EXTREMES):
        row = {**one, "box": "", "reserves": one["holds"]}
        del row["holds"]
        expected.append(row)
    assert [row._asdict() for row in kept] == expected


def test_an_upgrade_that_fails_leaves_the_table_as_it_was(old_shop):
    with old_shop.engine.connect() as connection:
        begun = connection.begin()
        assert upgrade(connection)
        begun.rollback()
        count = sa.select(sa.func.count()).select_from(old_transactions)
        assert connection.scalar(count.where(old_transactions.c.holds.is_not(None))) == MANY // 2
    with old_shop.engine.begin() as connection:
        assert [upgrade(connection), upgrade(connection)] == [True, False]


@pytest.mark.slow
def test_an_upgrade_that_is_killed_leaves_the_table_as_it_was(crash, old_url):
    with opened(BlockingShop, old_url) as shop:
        seen = [shape(shop.engine)]
        job = {"kind": "blocking", "method": "create_all", "now": START}
        while crash(url=old_url, point=len(seen) - 1, **job):
            seen.append(shape(shop.engine))
            shop.engine.dispose()
        before, after = seen[0], shape(shop.engine)
        # The last was killed when all was stored.
        assert seen == [before] * (len(seen) - 1) + [after]
        assert len(seen) > 8
        assert len(shop.rows(sa.select(transactions))) == MANY


def test_a_shop_that_gets_a_second_cash_box_names_the_first(old_shop):
    made(old_shop, "0", "1", "a")
    named = beside(old_shop)
    assert code(named.check(1)) == -31003
    adopted = old_shop.store.adopt(SECOND)
    assert (old_shop.runner.run(adopted) if isinstance(old_shop, AsyncShop) else adopted) == MANY
    assert named.check(1)["result"]["state"] == 2
    assert code(named.create(MANY, "1")) == -31008
    assert code(old_shop.check(1)) == -31003


def test_a_table_of_django_is_left_alone(tmp_path):
    with opened(BlockingShop, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE payme_transaction (id TEXT, holds TEXT)")
            assert not upgrade(connection)
        columns = sa.inspect(shop.engine).get_columns("payme_transaction")
        assert [column["name"] for column in columns] == ["id", "holds"]


# Several that start at once .................................................................

PATIENCE = 30
CHANGES = ("CREATE", "ALTER", "DROP")


def start_two(url):
    """Have one shop start while another does, after that has looked and before it changes."""
    with (
        opened(BlockingShop, url) as first,
        opened(BlockingShop, url) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        started = []

        def overtake(connection, cursor, statement, *rest):
            if not started and statement.lstrip().startswith(CHANGES):
                started.append(pool.submit(second.store.create_all))
                # Who does not wait for the first is done by then.
                wait(started, timeout=0.3)

        event.listen(first.engine, "before_cursor_execute", overtake)
        first.store.create_all()
        (other,) = started
        other.result(PATIENCE)
        first.fill_beside("a")
        assert first.create(MANY, "a")["result"]["state"] == 1
        assert second.check(MANY)["result"]["state"] == 1


def test_two_that_make_the_tables_at_once_both_end_well(url):
    start_two(url)


def test_two_that_upgrade_at_once_both_end_well(old_url):
    start_two(old_url)


def test_who_waited_in_vain_for_another_upgrade_changes_nothing(mariadb_db, monkeypatch):
    monkeypatch.setattr(upgrading, "_PATIENCE_S", 1)
    with (
        opened(BlockingShop, mariadb_db) as shop,
        shop.engine.connect() as one,
        shop.engine.connect() as other,
        upgrading._one_at_a_time(one),
    ):
        with pytest.raises(TimeoutError, match="another upgrade has gone on for 1 s"):
            upgrade(other)
        # The lock is still that of the first, which alone gives it back.
        assert one.exec_driver_sql(f"SELECT IS_USED_LOCK('payme {upgrading._LOCK}')").scalar()


# What a shop did to the table, or to its connections .........................................


@pytest.fixture(params=["sqlite", "postgresql"])
def shop_in_a_schema(request, tmp_path):
    """A shop whose engine has Payme's tables in a schema of another name."""
    name, there = 'pay\'s "own"', {"schema_translate_map": {None: 'pay\'s "own"'}}
    if request.param == "sqlite":
        url, make = f"sqlite:///{tmp_path / 'shop.db'}", f"ATTACH '{tmp_path / 'pay.db'}' AS %s"
    else:
        url, make = request.getfixturevalue("postgres_db"), "CREATE SCHEMA IF NOT EXISTS %s"
    with opened(BlockingShop, url, execution_options=there) as shop:
        quoted = shop.engine.dialect.identifier_preparer.quote(name)

        @event.listens_for(shop.engine, "connect")
        def connected(driver, record):
            driver.cursor().execute(make % quoted)
            driver.commit()

        yield shop, name


def test_a_table_in_a_schema_of_the_shops_own_is_upgraded_there(shop_in_a_schema):
    shop, name = shop_in_a_schema
    fill(shop.engine)
    elsewhere = shop.engine.execution_options(schema_translate_map=None)
    fill(elsewhere)
    with elsewhere.begin() as connection:
        connection.execute(sa.delete(old_transactions))
        connection.exec_driver_sql("CREATE INDEX mine ON payme_transaction (amount)")
    another = shape(shop.engine)
    shop.store.create_all()
    shop.store.create_all()
    upgraded = shape(shop.engine, name)
    assert shape(shop.engine) == another != upgraded
    assert len(shop.rows(sa.select(transactions))) == MANY
    shop.fill_beside("1", "2")
    assert code(shop.create(MANY, "1")) == -31008  # paid before the upgrade
    assert shop.create(MANY, "2")["result"]["state"] == 1
    with shop.engine.begin() as connection:
        transactions.drop(connection)
        transactions.create(connection)
    assert upgraded == shape(shop.engine, name)


OWN = {
    "column note": "ALTER TABLE payme_transaction ADD COLUMN note TEXT",
    "index mine": "CREATE INDEX mine ON payme_transaction (amount)",
    "trigger told": "CREATE TRIGGER told AFTER INSERT ON payme_transaction BEGIN SELECT 1; END",
    "foreign key of invoice": "CREATE TABLE invoice (id TEXT PRIMARY KEY"
    " REFERENCES payme_transaction ON DELETE CASCADE)",
}


@pytest.mark.parametrize("own", OWN)
def test_sqlite_is_not_upgraded_where_something_of_the_shops_would_be_lost(own, tmp_path):
    """SQLite has the table written anew: DROP TABLE also deletes every row that refers to one."""
    with opened(BlockingShop, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        fill(shop.engine)
        with shop.engine.begin() as connection:
            connection.exec_driver_sql(OWN[own])
        before = shape(shop.engine)
        with pytest.raises(ConfigurationError, match=f"payme_transaction: found {own}, which"):
            shop.store.create_all()
        assert shape(shop.engine) == before


def test_postgresql_keeps_what_a_shop_added(postgres_db):
    with opened(BlockingShop, postgres_db) as shop:
        fill(shop.engine)
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE payme_transaction ADD note text DEFAULT 'x'")
            connection.exec_driver_sql("CREATE INDEX mine ON payme_transaction (amount)")
        shop.store.create_all()
        assert shop.rows(sa.text("SELECT DISTINCT note FROM payme_transaction")) == [("x",)]
        assert "mine" in {name for name, *_ in shape(shop.engine)[1]}


def test_an_upgrade_whose_statements_are_committed_one_by_one_is_refused(postgres_db):
    """The first that fails would leave a table that no version knows."""
    with opened(BlockingShop, postgres_db) as shop:
        fill(shop.engine)
        before = shape(shop.engine)
        alone = shop.engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.begin() as connection, pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
            upgrade(connection)
        assert shape(shop.engine) == before
        with shop.engine.begin() as connection:
            assert upgrade(connection)
        with alone.begin() as connection:
            assert not upgrade(connection)
