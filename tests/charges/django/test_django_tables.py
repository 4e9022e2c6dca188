"""The tables are those of `SqlLedger`, made by migrations, and the ORM only reads them."""

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from conftest_of_charges import KEY, PAYER, TOKEN, ordered, url_of
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings
from shopfront import routing

from charges.ledgers import new_charge, next_of
from payme.charges import ChargeState, SqlLedger
from payme.charges.core import CardWithdrawn, Overtaken, Save
from payme.charges.django import migrations, models
from payme.charges.django.ledger import DjangoLedger
from payme.charges.ledger import sql
from wallet.test_card_ledger import NUMBER, OTHER_NUMBER, new, token

SQL = ["charges_sqlite", "charges_postgresql"]
on_sql = pytest.mark.parametrize("alias", SQL, indirect=True)

HERE = Path(__file__).parent


@pytest.fixture
def both(alias):
    """A ledger of either kind on the database that Django's migrations made."""
    other = SqlLedger(sa.create_engine(url_of(alias)), keys=[KEY])
    yield DjangoLedger(keys=[KEY]), other
    other.close()


@on_sql
@pytest.mark.parametrize("turned", [False, True])
def test_what_one_kind_of_ledger_stores_the_other_drives(both, turned):
    first, second = reversed(both) if turned else both
    charge, means = ordered(payer=PAYER, hold=True)
    assert first.submit(charge, means) == charge
    assert second.submit(charge, means) == charge
    stored = second.load("order-1")
    assert stored.charge == charge
    assert stored.means.token.open() == TOKEN
    assert stored.means.payer == PAYER
    opened = next_of(charge, state=ChargeState.OPEN, receipt_id="r" * 24)
    second.save(opened)
    with pytest.raises(Overtaken):
        first.save(opened)
    first.save(next_of(opened.after, state=ChargeState.PAID, due=None))
    assert first.history("order-1") == second.history("order-1")
    assert [event.version for event in second.history("order-1")] == [0, 1, 2]
    assert list(first.iterate(None, 0.0)) == list(second.iterate(None, 0.0))


@on_sql
@pytest.mark.parametrize("turned", [False, True])
def test_what_one_kind_of_ledger_leases_the_other_leaves_alone(both, turned):
    first, second = reversed(both) if turned else both
    for number in range(6):
        first.submit(new_charge(f"order-{number}"), ordered()[1])
    mine = first.claim("a", 1001.0, 1100.0, 4)
    assert first.next_due() == second.next_due() == 1000.0
    yours = second.claim("b", 1001.0, 1100.0, 4)
    assert sorted(one.charge.id for one in [*mine, *yours]) == [f"order-{n}" for n in range(6)]
    assert second.take("b", mine[0].charge.id, 1001.0, 1100.0) is None
    first.release("a", mine[0].charge.id)
    assert second.take("b", mine[0].charge.id, 1001.0, 1100.0).charge == mine[0].charge


INDICES = {
    "payme_charge": {"payme_charge_due": ["due"], "payme_charge_receipt": ["receipt_id"]},
    "payme_charge_event": {},
    "payme_card": {"payme_card_removing": ["id"]},
}


def shape(engine):
    """Columns, keys and indices of the tables, as far as they matter to who reads and writes."""
    found = {}
    inspector = sa.inspect(engine)
    for table, keys in INDICES.items():
        there = {one["name"]: one["column_names"] for one in inspector.get_indexes(table)}
        unique = {
            one["name"]: one["column_names"] for one in inspector.get_unique_constraints(table)
        }
        found[table] = (
            {one["name"]: one["nullable"] for one in inspector.get_columns(table)},
            inspector.get_pk_constraint(table)["constrained_columns"],
            {name: there.get(name) for name in keys},
            unique.get("payme_card_once"),
        )
        assert keys.items() <= there.items()
    return found


@on_sql
def test_migrations_make_the_tables_of_the_other_ledger(both, alias):
    made = sa.create_engine("sqlite://")
    sql.metadata.create_all(made)
    assert shape(both[1]._engine) == shape(made)
    made.dispose()


def test_a_database_of_the_other_ledger_is_taken_over(tmp_path, monkeypatch):
    """`migrate --fake-initial` finds the tables, and goes on from there."""
    url = f"sqlite:///{tmp_path}/payme.db"
    other = SqlLedger(url, keys=[KEY])
    other.submit(*ordered())
    card = other.cards.add(new())
    place = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "payme.db")}
    settings.DATABASES["taken_over"] = place
    connections.settings = connections.configure_settings(settings.DATABASES)
    monkeypatch.setattr(routing, "chosen", "taken_over")
    try:
        call_command(
            "migrate", "payme_charges", database="taken_over", fake_initial=True, verbosity=0
        )
        ledger = DjangoLedger(keys=[KEY])
        assert ledger.load("order-1").charge == other.load("order-1").charge
        ledger.save(next_of(ledger.load("order-1").charge, state=ChargeState.PAID, due=None))
        assert other.load("order-1").charge.is_paid
        assert ledger.cards.of("aziza") == [card]
    finally:
        connections["taken_over"].close()
        del settings.DATABASES["taken_over"]
        other.close()


@on_sql
@pytest.mark.parametrize("turned", [False, True])
def test_what_one_kind_of_ledger_saves_of_cards_the_other_charges(both, turned):
    first, second = reversed(both) if turned else both
    one = first.cards.add(new())
    other = first.cards.add(new(n=2, number=OTHER_NUMBER, now=1001.0))
    assert second.cards.of("aziza") == [one, other]
    assert second.cards.default("aziza") == first.cards.default("aziza")
    assert second.cards.default("aziza").token == token()
    # Bound again, with another token.
    again = second.cards.add(new(n=3, now=1002.0))
    assert again.id == one.id
    assert first.cards.load(one.id).token == token(3)
    assert second.cards.choose(other.id, 1003.0)
    assert first.cards.default("aziza").card.id == other.id
    charge = new_charge("order-1")
    first.submit(charge, second.cards.default("aziza").means())
    begun = second.cards.begin_removal(other.id, 1004.0)
    with pytest.raises(CardWithdrawn):
        first.save(Save(*next_of(charge, state=ChargeState.PAYING)[:2], other.id))
    assert first.cards.removing("", 9) == [other.id]
    first.cards.forget(begun)
    assert second.cards.of("aziza") == first.cards.of("aziza")
    assert [card.id for card in second.cards.of("aziza")] == [one.id]


@pytest.mark.parametrize("alias", SQL, indirect=True)
def test_what_is_due_is_found_by_an_index_that_holds_nothing_else(alias):
    with connections[alias].cursor() as cursor:
        catalogue = "sqlite_master" if alias == "charges_sqlite" else "pg_indexes"
        column, name = ("sql", "name") if alias == "charges_sqlite" else ("indexdef", "indexname")
        cursor.execute(f"SELECT {column} FROM {catalogue} WHERE {name} = 'payme_charge_due'")
        assert "WHERE" in cursor.fetchone()[0]


def test_ids_that_differ_in_a_letter_s_size_are_two_charges(alias):
    ledger = DjangoLedger(keys=[KEY])
    for charge_id in ("order-a", "order-A", "order-ä"):
        charge, means = ordered(charge_id)
        assert ledger.submit(charge, means) is charge
    assert len(list(ledger.iterate(None, 0.0))) == 3
    assert len(ledger.history("order-a")) == 1
    assert ledger.load("ORDER-A") is None


def test_moments_come_back_to_the_last_bit(alias):
    ledger = DjangoLedger(keys=[KEY])
    due = 1795578332.1234567
    charge = new_charge("order-1")
    ledger.submit(charge, ordered()[1])
    ledger.save(next_of(charge, due=due))
    assert ledger.load("order-1").charge.due == ledger.next_due() == due


# The ORM reads only.


@pytest.fixture
def stored(alias):
    ledger = DjangoLedger(keys=[KEY])
    ledger.submit(*ordered())
    ledger.cards.add(new())
    return ledger


WRITES = [
    lambda model, row: row.save(),
    lambda model, row: row.delete(),
    lambda model, row: model(evidence="x").save(),
    lambda model, row: model.objects.all().delete(),
    lambda model, row: model.objects.filter(evidence="x").update(evidence="y"),
    lambda model, row: model.objects.create(evidence="x"),
    lambda model, row: model.objects.bulk_create([row]),
    lambda model, row: model.objects.bulk_update([row], ["evidence"]),
    lambda model, row: model.objects.update_or_create(evidence="x", defaults={"evidence": "y"}),
]


MODELS = [models.Charge, models.ChargeEvent, models.Card]


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("write", WRITES)
def test_the_orm_writes_neither_charges_nor_events_nor_cards(stored, model, write):
    before = list(model.objects.values())
    row = model.objects.get()
    with pytest.raises(models.ReadOnlyError, match="ledger alone"):
        write(model, row)
    assert list(model.objects.values()) == before


def test_rows_are_named_and_read(stored):
    row = models.Charge.objects.get()
    assert str(row) == "order-1"
    assert row.read() == stored.load("order-1").charge
    assert str(models.ChargeEvent.objects.get()) == "order-1 0: new"
    card = models.Card.objects.get()
    assert str(card) == f"{NUMBER} 03/99"
    assert card.read(is_default=True) == stored.cards.of("aziza")[0]


# Migrations.


@override_settings(DATABASE_ROUTERS=[])  # else every database that is known is asked
def test_migrations_are_complete():
    call_command("makemigrations", "payme_charges", check=True, dry_run=True, verbosity=0)


NAMES = sorted(found.name for found in pkgutil.iter_modules(migrations.__path__))


def test_every_migration_has_what_an_older_version_left():
    """Who adds a migration adds the rows that the one before left, for the test below."""
    kept = sorted(one.stem for one in (HERE / "upgrades").glob("*.sql"))
    assert kept == NAMES


def left_by(name, alias):
    """Statements that write what the version of a migration left, with those before it."""
    for kept in NAMES[: NAMES.index(name) + 1]:
        written = (HERE / "upgrades" / f"{kept}.sql").read_text()
        if alias == "charges_postgresql":
            written = written.replace("X'", r"'\x")
        if alias == "charges_mariadb":
            written = written.replace(" before,", " `before`,")
        lines = "".join(one for one in written.splitlines(True) if not one.startswith("--"))
        yield from filter(str.strip, lines.split(";\n"))


@pytest.mark.parametrize("name", NAMES)
def test_what_an_older_version_stored_is_driven_after_an_upgrade(alias, name):
    try:
        call_command("migrate", "payme_charges", "zero", database=alias, verbosity=0)
        call_command("migrate", "payme_charges", name, database=alias, verbosity=0)
        with connections[alias].cursor() as cursor:
            for statement in left_by(name, alias):
                cursor.execute(statement)
        call_command("migrate", "payme_charges", database=alias, verbosity=0)
        ledger = DjangoLedger(keys=[KEY])
        paid, waits = list(ledger.iterate(None, 0.0))
        assert (paid.id, paid.state, paid.amount) == ("order-1", ChargeState.PAID, 50_000)
        assert [event.after for event in ledger.history("order-1")] == ["new", "paid"]
        assert (waits.state, waits.account) == (ChargeState.PAYING, {"order_id": 2})
        (claimed,) = ledger.claim("a", 2000.0, 2100.0, 9)
        assert claimed.charge == waits
        assert claimed.means.token.open() == TOKEN
        ledger.save(next_of(waits, state=ChargeState.PAID, due=None))
        if name == NAMES[0]:
            assert ledger.cards.of("aziza") == []
            return
        card = ledger.cards.default("aziza")
        assert (card.card.number, card.card.can_be_charged) == ("860006******6311", True)
        assert card.token.open() == TOKEN
    finally:
        call_command("migrate", "payme_charges", database=alias, verbosity=0)


def test_the_app_needs_no_sqlalchemy():
    script = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "import django; django.setup()\n"
        "from payme.charges.django import charges\n"
        "from payme.charges.django.management.commands import payme_charges\n"
        "charges()\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("sys.modules['django'] = None", "payme-uz[django-charges]"),
        ("import django; django.VERSION = (4, 2, 0)", "Django 5.2 or newer"),
    ],
)
def test_without_the_right_django_the_error_names_the_extra(broken, says):
    script = f"import sys; {broken}; import payme.charges.django"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert says in done.stderr
