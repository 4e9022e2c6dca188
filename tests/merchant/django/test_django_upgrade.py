"""A database that the former version has filled is migrated, and every payment goes on."""

from contextlib import contextmanager
from io import StringIO

import pytest
from conftest_of_upgrades import opened_alias
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from scenarios import START, code, number
from shopfront import routing
from shopfront.models import Order

from payme.errors import ConfigurationError
from payme.merchant.core import EXPIRY_MS
from payme.merchant.django.models import OrderLock, Transaction
from payme.merchant.django.rows import DjangoRows
from payme.merchant.entities import LONGEST_BOX, LONGEST_ORDER_ID
from payme.merchant.limits import Limits
from support.mariadb import mariadb_database
from support.postgres import postgres_database

OLD = "0001_initial"
MANY = 300
STATES = (1, 2, -1, -2)
ALIAS = "upgraded"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def old(request, tmp_path):
    """A database as the former version made and filled it."""
    with database(request.param, tmp_path) as where, opened_alias(ALIAS, where):
        before, routing.chosen = routing.chosen, ALIAS
        call_command("migrate", "payme", OLD, database=ALIAS, verbosity=0)
        fill()
        yield ALIAS
        routing.chosen = before


@contextmanager
def database(kind, tmp_path):
    if kind == "sqlite":
        yield {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "old.sqlite3")}
    elif kind == "mariadb":
        with mariadb_database() as server:
            yield {"ENGINE": "django.db.backends.mysql", **server}
    else:
        with postgres_database() as url:
            yield {"ENGINE": "django.db.backends.postgresql", "url": url}


def former(name):
    """A model as the former version had it."""
    state = MigrationExecutor(connections[ALIAS]).loader.project_state(("payme", OLD))
    return state.apps.get_model("payme", name)


def fill():
    """Store transactions in every state, as rows of the former version."""
    model = former("Transaction")
    model.objects.using(ALIAS).bulk_create(
        model(
            id=number(one),
            order_id=str(one),
            holds=str(one) if STATES[one % 4] > 0 else None,
            time=START + one,
            amount=50_000,
            account={"order_id": str(one), "имя": "\0"},
            create_time=START,
            state=STATES[one % 4],
            reason=None if STATES[one % 4] > 0 else 3,
            receivers=[{"id": "5" * 24, "amount": 50_000}],
            fiscal={"PERFORM": {"receipt_id": one}},
        )
        for one in range(MANY)
    )
    former("OrderLock").objects.using(ALIAS).create(order_id="1")


def migrated():
    call_command("migrate", "payme", database=ALIAS, verbosity=0)


def content():
    """Every row, whatever the version; the cash-box and the key of the row left out."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT * FROM payme_transaction ORDER BY time")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in rows:
        row["reserves"] = row.pop("holds", row.get("reserves"))
        assert row.pop("box", "") == ""
        row.pop("number", None)
    return rows


def test_every_row_is_kept_and_belongs_to_the_one_cash_box(old):
    before = content()
    assert len(before) == MANY
    migrated()
    assert content() == before
    assert Transaction.objects.filter(box="").count() == MANY
    assert OrderLock.objects.get().order_id == "1"


def test_payments_go_on_where_they_were(old, make_merchant):
    migrated()
    call_command("migrate", "shopfront", database=ALIAS, run_syncdb=True, verbosity=0)
    Order.objects.bulk_create(Order(name=str(one)) for one in range(MANY))
    shop = make_merchant()
    assert shop.perform(0)["result"]["state"] == 2
    assert shop.perform(1)["result"]["state"] == 2
    assert shop.events() == [("paid", "0")]
    assert code(shop.create(MANY, "1")) == -31008  # paid before the migration
    assert code(shop.create(MANY, "4")) == -31008  # reserved before
    assert shop.cancel(5, reason=5)["result"]["state"] == -2
    assert shop.create(MANY, "2")["result"]["state"] == 1
    assert len(shop.statement(0, START + EXPIRY_MS)) == MANY + 1


def test_keys_of_the_migrated_table_have_the_cash_box(old):
    migrated()
    row = {"order_id": "7", "time": START, "amount": 1, "account": {}, "create_time": START}
    Transaction.objects.create(payme_id=number(4), box="x", reserves="4", **row)
    for taken in (
        {"payme_id": number(4)},
        {"payme_id": number(MANY), "reserves": "4"},
        {"payme_id": number(4), "box": "x"},
        {"payme_id": number(MANY), "box": "x", "reserves": "4"},
    ):
        with pytest.raises(IntegrityError), transaction.atomic(using=ALIAS):
            Transaction.objects.create(**{**row, **taken})
    assert Transaction.objects.count() == MANY + 1


def test_migrated_table_is_as_a_new_one(old):
    migrated()
    with connections[ALIAS].cursor() as cursor:
        found = connections[ALIAS].introspection.get_constraints(cursor, "payme_transaction")
    keys = {tuple(one["columns"]): (one["primary_key"], one["unique"]) for one in found.values()}
    assert keys[("number",)][0]
    assert keys[("id", "box")] == keys[("reserves", "box")] == (False, True)
    assert {("time", "id"), ("order_id",)} <= set(keys)
    assert not {("id",), ("reserves",)} & {
        columns for columns, (primary, unique) in keys.items() if primary or unique
    }
    assert not [name for name in found if name.endswith("_like") and "order_id" not in name]


def columns():
    """What the database tells of the columns of each table."""
    connection = connections[ALIAS]
    with connection.cursor() as cursor:
        return {
            model: sorted(connection.introspection.get_table_description(cursor, table))
            for model in (Transaction, OrderLock)
            for table in (model._meta.db_table,)
        }


def test_columns_of_the_migrated_tables_are_those_of_the_models(old):
    migrated()
    found = columns()
    with connections[ALIAS].schema_editor() as editor:
        for model in found:
            editor.delete_model(model)
            editor.create_model(model)
    assert found == columns()


def test_the_longest_order_of_the_longest_cash_box_is_locked(old):
    """MariaDB has no other lock of an order than this row."""
    migrated()
    with transaction.atomic(using=ALIAS):
        DjangoRows(ALIAS, Limits(), "b" * LONGEST_BOX).lock_order("o" * LONGEST_ORDER_ID)
    if connections[ALIAS].vendor == "mysql":
        assert OrderLock.objects.filter(
            order_id="b" * LONGEST_BOX + "o" * LONGEST_ORDER_ID
        ).exists()


def test_rows_are_written_to_a_file_and_read_back(old, tmp_path):
    """By `dumpdata` and `loaddata`, which store each row with the number that it had."""
    migrated()
    file = str(tmp_path / "payme.json")
    Transaction.objects.filter(time__gte=START + 4).delete()
    Transaction.objects.filter(payme_id=number(3)).update(number=2**40)
    before = content()
    call_command("dumpdata", "payme", database=ALIAS, output=file, verbosity=0)
    Transaction.objects.all().delete()
    OrderLock.objects.all().delete()
    call_command("loaddata", file, database=ALIAS, verbosity=0)
    assert content() == before
    assert OrderLock.objects.get().order_id == "1"
    assert Transaction.objects.get(payme_id=number(3)).number == 2**40
    row = {"order_id": "7", "time": START, "amount": 1, "account": {}, "create_time": START}
    assert Transaction.objects.create(payme_id=number(7), **row).number > 2**40


def test_a_process_of_the_former_version_stores_nothing_any_more(old):
    """Payme gets -32400 from it: a row without a cash-box might be one that pays twice."""
    migrated()
    row = {"order_id": "7", "time": START, "amount": 1, "account": {}, "create_time": START}
    for holds in ("7", None):
        with pytest.raises(DatabaseError, match="holds"), transaction.atomic(using=ALIAS):
            former("Transaction").objects.using(ALIAS).create(id=number(7), holds=holds, **row)
    assert Transaction.objects.count() == MANY


CHANGES = ("ALTER", "CREATE", "DROP", "INSERT", "UPDATE")


def test_a_migration_that_was_interrupted_anywhere_is_started_again(old):
    """MariaDB keeps what was done before: the next start finds a table that is half of each."""
    before, interrupted = content(), set()

    def interrupt(execute, sql, params, many, context):
        done = execute(sql, params, many, context)
        # The last of what is noted in Django's own table is the time.
        this = (sql, str(params and params[:-1]))
        if sql.startswith(CHANGES) and this not in interrupted:
            interrupted.add(this)
            raise KeyboardInterrupt
        return done

    while True:
        try:
            with connections[ALIAS].execute_wrapper(interrupt):
                migrated()
        except KeyboardInterrupt:
            connections[ALIAS].close()
        else:
            break
    assert len(interrupted) >= 4
    assert content() == before
    found = columns()
    assert [name for name, *_ in found[Transaction]][-3:] == ["reserves", "state", "time"]
    Transaction.objects.create(
        payme_id=number(4),
        box="x",
        order_id="4",
        reserves="4",
        time=START,
        amount=1,
        account={},
        create_time=START,
    )


def test_a_foreign_key_of_the_projects_is_refused_before_anything_is_changed(old):
    """It points at a column that will be no key; on MariaDB a `ForeignKey` would find nothing."""
    is_mysql = connections[ALIAS].vendor == "mysql"
    # MariaDB takes no notice of REFERENCES beside a column.
    key = ", FOREIGN KEY (paid) " if is_mysql else " "
    before = content()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE invoice (paid varchar(64){key}REFERENCES payme_transaction (id))"
        )
        with pytest.raises(
            ConfigurationError, match=r"found the foreign key invoice\.paid, expect"
        ):
            migrated()
        assert content() == before
        cursor.execute("DROP TABLE invoice")
    migrated()
    assert content() == before


def test_the_sql_of_the_migration_can_be_written_before_there_is_a_table(old):
    def written():
        return call_command("sqlmigrate", "payme", "0002", database=ALIAS, stdout=StringIO())

    text = written()
    assert "BIGINT" in text.upper()
    call_command("migrate", "payme", "zero", database=ALIAS, verbosity=0)
    assert written() == text


WAITING = "payme_transaction_waiting"
BEFORE_THE_INDEX = "0002_cash_boxes"


def migrated_to(name):
    call_command("migrate", "payme", name, database=ALIAS, verbosity=0)


def constraints():
    with connections[ALIAS].cursor() as cursor:
        return connections[ALIAS].introspection.get_constraints(cursor, "payme_transaction")


def test_what_waits_is_indexed_where_a_part_of_a_table_can_be(old):
    """SQLite writes a table anew for many a migration, and forgets what no model knows."""
    migrated()
    is_partial = connections[ALIAS].features.supports_partial_indexes
    assert (WAITING in constraints()) == is_partial
    if is_partial:
        assert constraints()[WAITING]["columns"] == ["time", "id"]
    before = content()
    migrated_to(BEFORE_THE_INDEX)
    assert WAITING not in constraints()
    migrated()
    assert (WAITING in constraints()) == is_partial
    assert content() == before


def test_a_sweep_reads_through_the_index_of_what_waits(old):
    migrated()
    Transaction.objects.filter(state=1).exclude(payme_id=number(4)).update(state=2)
    with CaptureQueriesContext(connections[ALIAS]) as seen:
        (found,) = DjangoRows(ALIAS, Limits()).waiting(START + EXPIRY_MS, (-1, ""), 500)
    assert found.id == number(4)
    if not connections[ALIAS].features.supports_partial_indexes:
        return  # MariaDB finds the same, and has no such index.
    (query,) = seen.captured_queries
    explain = "EXPLAIN QUERY PLAN" if connections[ALIAS].vendor == "sqlite" else "EXPLAIN"
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("ANALYZE payme_transaction")
        cursor.execute(f"{explain} {query['sql']}")
        plan = str(cursor.fetchall())
    assert WAITING in plan
    # No parameter stands for the state, or a driver that binds parameters could not use the index.
    assert "= (1)" in query["sql"]


def test_django_warns_of_no_index_on_any_database(old):
    """It would at each `migrate` on MariaDB, of an index in `Meta` with a condition."""
    assert [one.id for one in Transaction.check(databases=[ALIAS])] == []
