"""Subscriptions on the ORM keep their contract, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/recurring/test_recurring.py`: what it asks of subscriptions over `SqlLedger`
is asked of these, too, by the same functions. What is Django's own follows.
"""

import copy
import logging
import threading
import warnings
from datetime import time

import pytest
import sqlalchemy as sa
from conftest_of_charges import KEY, shared, url_of
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from shopfront import routing
from shopfront.models import Event, Order

from payme import Payme
from payme.charges import Charges, ChargeState, SqlLedger
from payme.charges.django import charges, wallet
from payme.charges.django.configuration import forget
from payme.charges.django.driving import DjangoCharges
from payme.charges.django.ledger import DjangoLedger
from payme.charges.django.models import Charge, ChargeEvent, ReadOnlyError
from payme.errors import ConfigurationError, InvalidArgument
from payme.recurring import LedgerBehind, PeriodState, Recurring, SubscriptionState
from payme.recurring.django import models, recurring
from payme.recurring.django.driving import DjangoRecurring
from payme.recurring.django.rows import DjangoRows, one_of
from payme.recurring.sql import metadata
from payme.transport.memory import MemoryTransport
from payme.wallet import CardNotFound
from recurring import test_recurring as contract
from recurring.no_receipts import no_receipts

P, S = PeriodState, SubscriptionState
MIDNIGHT = time(0)  # so that a first period is due now, whatever the time of the day
SQL = ["charges_sqlite", "charges_postgresql"]


class Shop(contract.Shop):
    """The contract's, on the ORM."""

    def __init__(self, now=contract.START, hook=None, keys=(KEY,)):
        self.now = now
        self.ledger = DjangoLedger(keys=keys, changed=hook)
        self.ledger._engine = None  # the contract opens another ledger by it
        self.client = Payme(
            **contract.CLIENT, transport=MemoryTransport(no_receipts), environment="test"
        )
        self.charges = DjangoCharges(self.client, self.ledger)
        self.recurring = DjangoRecurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()

    def later(self, days):
        try:
            return super().later(days)
        finally:
            if threading.current_thread() is not threading.main_thread():
                connections.close_all()

    def spoil(self, statement):
        with connections[routing.chosen].cursor() as cursor:
            cursor.execute(statement)

    def close(self):
        self.client.close()


@pytest.fixture
def open_shop(alias, monkeypatch):
    made = []

    def opened(**options):
        made.append(Shop(**options))
        return made[-1]

    monkeypatch.setattr(contract, "SqlRows", DjangoRows)
    monkeypatch.setattr(contract, "SqlLedger", lambda engine, keys: DjangoLedger(keys=keys))
    yield opened
    for one in made:
        one.close()


@pytest.fixture
def club(open_shop):
    return open_shop()


@pytest.fixture
def shop(open_shop):
    """As the contract calls it."""
    return open_shop()


# They ask SQLAlchemy's connection; what stands for each of them is below.
OTHERS = {
    "test_it_is_stored_in_the_transaction_of_the_shop",
    "test_a_proven_payment_reaches_the_subscription_in_its_own_transaction",
    "test_what_the_shops_hook_raises_takes_the_period_back_too",
    "test_what_is_due_is_found_by_the_index",
    "test_secrets_stay_out_of_sight",
    "test_many_statements_are_few",
}
SHARED = shared(contract, {"shop", "open_shop", "monkeypatch", "caplog"}, OTHERS, blocking=True)
globals().update(SHARED)


def test_the_contract_is_found():
    """A suite that is empty passes, too."""
    assert len(SHARED) >= 15
    assert {*vars(contract)} >= OTHERS
    assert {
        "test_a_crash_at_any_write_leaves_nothing_or_all",
        "test_many_schedulers_open_each_period_once",
        "test_what_comes_late_is_not_stored",
        "test_cancelling_gives_the_charge_up_in_the_same_transaction",
    } <= {*SHARED}


# As the settings say.


@pytest.fixture
def member(shop_settings):
    return recurring().create(
        "club-17", contract.PRICE, {"member": 17}, shop_settings.token, missed="latest", at=MIDNIGHT
    )


@pytest.fixture
def shop_settings(alias, request):
    """The settings with a sandbox: what other files of this folder call `shop`."""
    box = request.getfixturevalue("box")
    setting = copy.copy(settings.PAYME_CHARGES)
    setting |= {"MERCHANT_ID": box.merchant_id, "KEY": box.key, "BASE_URL": box.url}
    with override_settings(PAYME_CHARGES=setting):
        box.token = box.add_card()
        yield box


def test_a_period_is_paid_and_the_shop_is_told_in_its_own_tables(member, shop_settings):
    assert recurring() is recurring()
    assert recurring().charges is charges()
    recurring().run(drain=True)
    assert [period.state for period in recurring().periods("club-17")] == [P.PAID]
    assert [entry.kind for entry in shop_settings.ledger()] == ["debit"]
    assert [*Event.objects.values_list("event", "name")] == [("paid", "club-17:0")]
    row = models.Subscription.objects.get()
    assert row.read() == recurring().get("club-17")
    assert models.Period.objects.get().read() == recurring().periods("club-17")[0]
    assert [row.read() for row in models.Notice.objects.all()] == recurring().outbox()
    assert str(models.Notice.objects.first()) == "club-17:0 charged"


def test_other_settings_make_other_subscriptions(shop_settings):
    before = recurring()
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "POLICY": {"lease": 7}}):
        assert recurring() is not before
        assert recurring().charges is charges()


@pytest.mark.parametrize("fails", [True, False])
def test_it_is_stored_beside_the_member_or_not_at_all(shop_settings, alias, fails):
    try:
        with transaction.atomic(using=alias):
            Order.objects.create(name="member-17")
            recurring().create(
                "club-17", 1000, {"member": 17}, shop_settings.token, missed="skip", at=MIDNIGHT
            )
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    there = 0 if fails else 1
    assert Order.objects.count() == there
    assert models.Subscription.objects.count() == there
    assert models.Period.objects.count() == there
    assert len([*charges().iterate()]) == there


def test_what_only_stores_is_taken_back_with_what_surrounds_it(member, alias):
    recurring().run(drain=True)
    before = recurring().get("club-17")
    for word in ("pause", "cancel"):
        with transaction.atomic(using=alias):
            getattr(recurring(), word)("club-17")
            transaction.set_rollback(True, using=alias)
        assert recurring().get("club-17") == before
    assert recurring().tick(before.due(1) + 1) == 1


def test_what_asks_payme_is_refused_inside_of_a_transaction(member, shop_settings, alias):
    refused = pytest.raises(ConfigurationError, match=r"outside of transaction\.atomic")
    with transaction.atomic(using=alias), refused:
        recurring().run(drain=True)
    assert shop_settings.receipts() == []


def test_a_known_id_leaves_the_transaction_whole(shop_settings, alias, member):
    given = ("club-17", contract.PRICE, {"member": 17}, shop_settings.token)
    with transaction.atomic(using=alias):
        assert recurring().create(*given, missed="latest", at=MIDNIGHT) == member
        with pytest.raises(contract.SubscriptionConflict):
            recurring().create(*given, missed="all")
        Order.objects.create(name="member-17")
    assert Order.objects.count() == 1


def test_a_connection_is_not_asked_for(shop_settings, alias):
    given = ("club-17", 1000, {"member": 17}, shop_settings.token)
    with pytest.raises(InvalidArgument, match=r"connection: .*transaction.atomic"):
        recurring().create(*given, missed="skip", connection=connections[alias])


# The hook.


def test_a_proven_payment_reaches_the_subscription_before_the_shops_hook(open_shop):
    seen = []

    def told(charge):
        seen.append((charge.id, charge.state, models.Period.objects.get(n=0).state))

    club = open_shop(hook=told)
    club.create()
    club.pay("club-17:0")
    assert seen == [("club-17:0", ChargeState.PAID, P.PAID)]
    assert (club.get().debt, club.states()) == (None, [P.PAID])


def test_what_the_shops_hook_raises_takes_the_period_back_too(open_shop):
    def fails(charge):
        raise ZeroDivisionError

    club = open_shop(hook=fails)
    club.create()
    with pytest.raises(ZeroDivisionError):
        club.pay("club-17:0")
    assert club.states() == [P.OPEN]
    assert club.ledger.load("club-17:0").charge.state == ChargeState.NEW


# Both kinds of ledger.


@pytest.fixture
def other(alias):
    """Subscriptions over SQLAlchemy's ledger, on the tables that migrations made."""
    engine = sa.create_engine(url_of(alias))
    ledger = SqlLedger(engine, keys=[KEY])
    client = Payme(**contract.CLIENT, transport=MemoryTransport(no_receipts), environment="test")
    made = Recurring(Charges(client, ledger), now=lambda: contract.START)
    made.ledger = ledger
    yield made
    client.close()
    engine.dispose()


@pytest.mark.parametrize("alias", SQL, indirect=True)
def test_what_one_kind_of_ledger_opens_the_other_goes_on_with(club, other):
    created = club.create(description="Club")
    assert other.get("club-17") == created
    assert other.periods("club-17") == club.recurring.periods("club-17")
    club.pay("club-17:0")
    assert other.outbox() == club.recurring.outbox() != []
    due = created.due(1)
    assert other.tick(due + 1) == 1
    assert club.states() == [P.PAID, P.OPEN]
    club.now = due + 2
    second = club.ledger.load("club-17:1")
    assert (second.charge.amount, second.means.token.open()) == (contract.PRICE, contract.TOKEN)
    club.refuse("club-17:1")
    assert other.get("club-17").state == S.RETRYING
    assert other.pause is not None
    other.sent(other.outbox()[0])
    assert len(club.recurring.outbox()) == len(other.outbox())
    again = other.create("club-18", 1000, {"member": 18}, contract.TOKEN, missed="all")
    assert club.recurring.get("club-18") == again
    assert club.recurring.cancel("club-18", at_period_end=False).state == S.ENDED
    assert other.get("club-18").state == S.ENDED


def shape(engine):
    found = {}
    inspector = sa.inspect(engine)
    for table in ("payme_subscription", "payme_period", "payme_notice", "payme_mark"):
        found[table] = (
            {one["name"]: one["nullable"] for one in inspector.get_columns(table)},
            inspector.get_pk_constraint(table)["constrained_columns"],
            {
                one["name"]: one["column_names"]
                for one in inspector.get_indexes(table)
                if not one["name"].endswith("_like")  # Django's, for LIKE on PostgreSQL
            },
        )
    return found


@pytest.mark.parametrize("alias", SQL, indirect=True)
def test_migrations_make_the_tables_of_the_other_ledger(alias, other):
    made = sa.create_engine("sqlite://")
    metadata.create_all(made)
    assert shape(other.ledger._engine) == shape(made)
    made.dispose()


@override_settings(DATABASE_ROUTERS=[])  # else every database that is known is asked
def test_migrations_are_complete():
    call_command("makemigrations", "payme_recurring", check=True, dry_run=True, verbosity=0)


# Many at once, order of locks, indexes.


@pytest.mark.slow
def test_a_page_of_many_is_opened_by_few_statements(open_shop, alias):
    club = open_shop()
    for number in range(120):
        club.create(f"club-{number:03}", trial_until=contract.date(2026, 2, 1))
    club.now += 2 * contract.DAY
    with CaptureQueriesContext(connections[alias]) as captured:
        assert club.recurring.tick() == 120
    assert len(captured) < 40
    assert len([*club.charges.iterate()]) == 120
    assert models.Period.objects.filter(state="open").count() == 120
    for number in range(120):
        club.pay(f"club-{number:03}:0")
    assert club.later(28) == 120, "their debts are read by their keys"
    assert models.Period.objects.filter(state="open").count() == 120


def test_a_command_and_a_proof_do_not_wait_for_each_other_for_ever(open_shop, alias):
    clubs = [open_shop() for _ in range(2)]
    for number in range(20):
        clubs[0].create(f"club-{number}")
        clubs[0].refuse(f"club-{number}:0")
    errors = []

    def run(act):
        try:
            for number in range(20):
                act(number)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    acts = [
        lambda number: clubs[0].recurring.cancel(f"club-{number}"),
        lambda number: clubs[1].pay(f"club-{number}:0"),
    ]
    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # One of both may come late, and says so; nobody is stuck.
    assert {type(error).__name__ for error in errors} <= {"Overtaken"}
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: models.Subscription.objects.filter(wakes__lte=1.0).order_by("wakes"),
         "payme_subscription_wakes"),
        (lambda: models.Subscription.objects.filter(customer="aziza").order_by(),
         "payme_subscription_customer"),
        (lambda: models.Notice.objects.filter(sent__isnull=True).order_by("at"),
         "payme_notice_unsent"),
        (lambda: models.Period.objects.filter(one_of([("club-17", 0), ("club-18", 3)])).order_by(),
         "INDEX"),
    ],
)  # fmt: skip
def test_what_is_looked_for_is_found_by_an_index(alias, rows, index):
    """PostgreSQL plans by the size of a table, and these are small."""
    plan = rows().explain()
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_ids_that_differ_in_a_letter_s_size_are_two_subscriptions(club):
    for name in ("club-a", "club-A"):
        assert club.create(name).id == name
    assert models.Subscription.objects.count() == 2
    assert club.recurring.get("club-A").id == "club-A"


# Read only, and secrets.


@pytest.mark.parametrize("model", [models.Subscription, models.Period, models.Notice])
def test_the_orm_only_reads(club, model):
    club.create()
    club.pay("club-17:0")
    before = list(model.objects.values())
    row = model.objects.first()
    for write in (
        row.save, row.delete, model.objects.all().delete, model.objects.create,
        lambda: model.objects.update(amount=1), lambda: model.objects.bulk_create([row]),
    ):  # fmt: skip
        with pytest.raises(ReadOnlyError, match="ledger alone"):
            write()
    assert list(model.objects.values()) == before != []


def contents(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT * FROM payme_subscription")
        parts = [part for row in cursor.fetchall() for part in row]
        cursor.execute("SELECT means FROM payme_charge")
        parts += [part for row in cursor.fetchall() for part in row]
    binary = (bytes, memoryview)
    return b"".join(bytes(one) if isinstance(one, binary) else str(one).encode() for one in parts)


def shown(data):
    text = data.decode(errors="replace")
    return any(
        token in text or token.encode().hex() in text.lower()
        for token in (contract.TOKEN, contract.OTHER)
    )


@pytest.mark.parametrize("keys", [(KEY,), ()])
def test_tokens_are_shown_by_no_log_and_encrypted_where_there_are_keys(
    open_shop, alias, keys, caplog
):
    caplog.set_level(logging.DEBUG, "django.db.backends")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        club = open_shop(keys=keys)
    with CaptureQueriesContext(connections[alias]) as captured:
        club.create()
        club.pay("club-17:0")
        club.later(29)
        club.refuse("club-17:1")
        club.recurring.use_card("club-17", contract.OTHER)
    text = "".join(str(query["sql"]) for query in captured.captured_queries) + caplog.text
    text += "".join(str(record.__dict__) for record in caplog.records)
    assert "<sealed>" in text
    assert not shown(text.encode())
    assert shown(contents(alias)) is not bool(keys)
    assert club.ledger.load("club-17:1").means.token.open() == contract.OTHER


# A customer's default card, and restored backups.


def test_a_customer_s_default_card_pays_and_another_one_when_it_is_chosen(shop_settings, alias):
    poor = shop_settings.add_card(number="8600318600000007")
    wallet().add("aziza", poor)
    recurring().create(
        "club-17", contract.PRICE, {"member": 17}, customer="aziza", missed="latest", at=MIDNIGHT
    )
    row = models.Subscription.objects.get()
    assert (row.customer, row.means) == ("aziza", None)
    recurring().run(drain=True)
    assert [period.state for period in recurring().periods("club-17")] == [P.REFUSED]
    wallet().add("aziza", shop_settings.token, default=True)
    with transaction.atomic(using=alias):
        (tried,) = recurring().card_changed("aziza")
    assert tried.id == "club-17"
    recurring().run(drain=True)
    assert [period.state for period in recurring().periods("club-17")] == [P.PAID]
    assert [entry.kind for entry in shop_settings.ledger()] == ["debit"]


def test_a_customer_without_a_card_subscribes_to_nothing(shop_settings):
    with pytest.raises(CardNotFound):
        recurring().create("club-17", 1000, {"member": 17}, customer="aziza", missed="skip")
    assert not models.Subscription.objects.exists()


def test_a_ledger_that_went_back_takes_nothing_twice(shop_settings, alias):
    given = (contract.PRICE, {"member": 17}, shop_settings.token)
    recurring().create("club-17", *given, missed="latest", at=MIDNIGHT, description="Club")
    tables = [models.Subscription, models.Period, models.Notice, models.Mark, Charge, ChargeEvent]
    backup = [(model, list(model.rows.using(alias).all())) for model in tables]
    recurring().run(drain=True)
    assert models.Mark.objects.count() == 1
    assert len(shop_settings.ledger()) == 1
    for model, rows in backup:
        model.rows.using(alias).all().delete()
        model.rows.using(alias).bulk_create(rows)
    forget()
    with pytest.raises(LedgerBehind) as behind:
        recurring().run(drain=True)
    (lost,) = behind.value.receipts
    assert lost.charge_id == "club-17:0"
    recurring().adopt(lost.receipt_id)
    recurring().run(drain=True)
    assert [period.state for period in recurring().periods("club-17")] == [P.PAID]
    assert len(shop_settings.ledger()) == 1
