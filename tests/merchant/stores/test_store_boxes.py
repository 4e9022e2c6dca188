"""Two cash-boxes in one store: neither reaches what came by the other."""

import copy

import pytest
import sqlalchemy as sa
from cash_boxes import SECOND, every_box_scenario
from scenarios import KEY, START, MemoryShop, code, number
from sqlshop import AsyncShop, BlockingShop, opened

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant import Merchant
from payme.merchant.limits import Limits
from payme.merchant.stores.sqlalchemy import transactions, upgrade
from payme.merchant.stores.sqlalchemy.rows import LIMITS, SqlRows


def beside(shop):
    """The same shop, called by its second cash-box."""
    other = copy.copy(shop)
    clock = lambda: other.now  # noqa: E731
    store = shop.merchant._store
    other.merchant = type(shop.merchant)(store, KEY, box=SECOND, clock=clock)
    return other


def asking(shop):
    """How the store is asked for the transactions of an order."""
    store = shop.merchant._store
    if isinstance(shop, AsyncShop):
        return lambda order_id, box: shop.runner.run(store.transactions_of(order_id, box))
    return store.transactions_of


def sweeping(shop):
    """How what waited too long is cancelled."""
    kind, store = type(shop.merchant), shop.merchant._store

    def sweep(box):
        swept = kind(store, KEY, box=box, clock=lambda: shop.now).expire()
        return shop.runner.run(swept) if isinstance(shop, AsyncShop) else swept

    return sweep


@every_box_scenario
def test_in_memory(scenario):
    shop = MemoryShop()
    scenario(shop, beside(shop), asking(shop), sweeping(shop))


@every_box_scenario
def test_in_a_database(scenario, shop):
    scenario(shop, beside(shop), asking(shop), sweeping(shop))


def test_a_merchant_lists_what_came_by_its_own_cash_box(shop):
    other = beside(shop)
    shop.create(1)
    other.create(2)

    def listed(one):
        found = one.merchant.transactions_of("a")
        return [row.id for row in (shop.runner.run(found) if kind is AsyncShop else found)]

    kind = type(shop)
    assert (listed(shop), listed(other)) == ([number(1)], [number(2)])


@pytest.mark.parametrize("order_id", [7, "", None, "a" * 256])
def test_an_order_that_no_store_has_is_refused_by_name(order_id):
    with pytest.raises(InvalidArgument, match=r"Order\.id"):
        MemoryShop().merchant.transactions_of(order_id)


@pytest.mark.parametrize("box", [None, 7, "a b", "a\n", "é", "x" * 65, KEY * 2])
def test_a_name_that_can_be_none_is_refused_and_not_shown(box):
    with pytest.raises(ConfigurationError, match="box: got") as refused:
        Merchant(MemoryShop().merchant._store, KEY, box=box)
    assert KEY not in str(refused.value)


# What was stored before cash-boxes had names .............................................

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
def old_shop(request, kind, tmp_path):
    """A shop on a table that the former version made and filled; never on MariaDB."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_db")
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    OLD.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(old_transactions), [old_row(one) for one in range(MANY)])
    engine.dispose()
    with opened(kind, url) as shop:
        yield shop


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


def test_an_upgraded_table_is_as_a_new_one(old_shop, kind, tmp_path):
    def shape(engine):
        looked = sa.inspect(engine)
        indexes = looked.get_indexes("payme_transaction")
        return (
            looked.get_pk_constraint("payme_transaction")["constrained_columns"],
            sorted((one["name"], tuple(one["column_names"]), one["unique"]) for one in indexes),
            [one["name"] for one in looked.get_check_constraints("payme_transaction")],
            sorted(
                (one["name"], str(one["type"]), one["nullable"])
                for one in looked.get_columns("payme_transaction")
            ),
        )

    made(old_shop)
    upgraded = shape(old_shop.engine)
    with old_shop.engine.begin() as connection:
        transactions.drop(connection)
        transactions.create(connection)
    assert upgraded == shape(old_shop.engine)


def test_an_upgrade_that_fails_leaves_the_table_as_it_was(old_shop):
    with old_shop.engine.connect() as connection:
        begun = connection.begin()
        assert upgrade(connection)
        begun.rollback()
        count = sa.select(sa.func.count()).select_from(old_transactions)
        assert connection.scalar(count.where(old_transactions.c.holds.is_not(None))) == MANY // 2
    with old_shop.engine.begin() as connection:
        assert [upgrade(connection), upgrade(connection)] == [True, False]


def test_a_shop_that_gets_a_second_cash_box_names_the_first(old_shop):
    made(old_shop, "0", "1", "a")
    named = beside(old_shop)
    assert code(named.check(1)) == -31003
    adopted = old_shop.store.adopt(SECOND)
    assert (old_shop.runner.run(adopted) if isinstance(old_shop, AsyncShop) else adopted) == MANY
    assert named.check(1)["result"]["state"] == 2
    assert code(named.create(MANY, "1")) == -31008
    assert code(old_shop.check(1)) == -31003


THIRD = "587f72c72cac0d162c722ae2"


def adopted(shop, box):
    found = shop.store.adopt(box)
    return shop.runner.run(found) if isinstance(shop, AsyncShop) else found


def test_what_is_named_already_is_not_adopted(shop):
    shop.create(1)
    beside(shop).create(2)
    assert adopted(shop, THIRD) == 1
    assert adopted(shop, THIRD) == 0
    listed = asking(shop)
    boxes = [(one.id, one.box) for one in listed("a", None)]
    assert sorted(boxes) == [(number(1), THIRD), (number(2), SECOND)]


def test_a_name_that_can_be_none_is_not_adopted(shop):
    shop.create(1)
    with pytest.raises(ConfigurationError, match="box: got"):
        adopted(shop, "two words")
    assert shop.check(1)["result"]["state"] == 1


def test_a_table_of_django_is_left_alone(tmp_path):
    with opened(BlockingShop, f"sqlite:///{tmp_path / 'shop.db'}") as shop:
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE payme_transaction (id TEXT, holds TEXT)")
            assert not upgrade(connection)
        columns = sa.inspect(shop.engine).get_columns("payme_transaction")
        assert [column["name"] for column in columns] == ["id", "holds"]


# Whose locks wait for whose .................................................................


SHORT = Limits(lock_timeout=0.3)


@pytest.fixture(params=["postgres_db", "mariadb_db"])
def locking(request):
    """A shop on a server, with the same order under both cash-boxes."""
    with opened(BlockingShop, request.getfixturevalue(request.param), "a", "b") as shop:
        shop.create(1)
        beside(shop).create(2)
        yield shop


def waits(shop, box, name, argument):
    """Return whether another connection has to wait for a lock."""
    with shop.engine.execution_options(**{LIMITS: SHORT}).connect() as connection:
        is_postgresql = connection.dialect.name == "postgresql"
        limit = "lock_timeout = 300" if is_postgresql else "innodb_lock_wait_timeout = 1"
        connection.exec_driver_sql(f"SET {limit}")
        try:
            getattr(SqlRows(connection, box), name)(argument)
        except sa.exc.OperationalError:
            return True
        finally:
            connection.rollback()
            connection.invalidate()
    return False


@pytest.mark.slow
@pytest.mark.parametrize("held", [("lock_order", "a"), ("lock", number(1))], ids=lambda one: one[0])
def test_the_lock_of_an_order_is_one_in_its_cash_box_and_none_in_another(locking, held):
    """Perform and Create of an order wait for each other: both name its lock alike."""
    name, argument = held
    with locking.engine.execution_options(**{LIMITS: SHORT}).begin() as connection:
        getattr(SqlRows(connection, ""), name)(argument)
        assert waits(locking, "", "lock_order", "a")
        assert waits(locking, "", "lock", number(1))
        assert not waits(locking, "", "lock_order", "b")
        assert not waits(locking, SECOND, "lock_order", "a")
        assert not waits(locking, SECOND, "lock", number(2))
        assert not waits(locking, SECOND, "lock", number(1))
