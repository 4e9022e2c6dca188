"""`manage.py payme_charges audit` reads the merchant's transactions through the ORM."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connections
from django.test.utils import CaptureQueriesContext, override_settings
from shopfront import routing
from test_django_charges_command import PROJECT, environment, run, told

from payme.charges.audit.books import BATCH
from payme.charges.audit.differences import MerchantTransaction
from payme.charges.django import charges
from payme.charges.django.transactions import DjangoTransactions
from payme.errors import ConfigurationError
from payme.merchant.django.models import Transaction

TEA, BOOKS = "5e730e8e0b852a417aa49ceb", "587f72c72cac0d162c722ae2"
SINCE = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%d")


@pytest.fixture(autouse=True)
def _no_transactions(alias):
    Transaction.objects.all().delete()
    yield
    Transaction.objects.all().delete()


def stored(its_id, *, time=None, amount=50_000, state=2, box=""):
    now = int(datetime.now(UTC).timestamp() * 1000)
    return Transaction(
        payme_id=its_id,
        box=box,
        order_id=its_id,
        time=now if time is None else time,
        amount=amount,
        account={"order_id": 1},
        create_time=now,
        state=state,
    )


def paid(shop):
    """Charge an order; gives the receipt's id."""
    charges().submit("order-1", 50_000, {"order_id": 1}, shop.token)
    run("run", "--drain")
    return charges().get("order-1").receipt_id


def audit(*options, code):
    return told("audit", "--from", SINCE, *options, code=code)


def test_three_books_that_agree(shop):
    stored(paid(shop)).save()
    books = audit(code=0)
    assert (books["receipts"], books["charges"], books["transactions"]) == (1, 1, 1)
    assert books["differences"] == []


@pytest.mark.parametrize(
    ("state", "amount", "kind"),
    [
        (None, 0, "not performed"),
        (1, 50_000, "not performed"),
        (-1, 50_000, "not performed"),
        (-2, 50_000, "not returned"),
        (2, 50_001, "amount"),
    ],
)
def test_what_differs_from_the_transactions_is_told(shop, state, amount, kind):
    receipt_id = paid(shop)
    if state is not None:
        stored(receipt_id, state=state, amount=amount).save()
    (found,) = audit(code=1)["differences"]
    assert (found["kind"], found["receipt_id"], found["charge_id"]) == (kind, receipt_id, "order-1")


def test_goods_that_went_out_for_nothing_are_told(shop):
    client = charges().client
    unpaid = client.receipts.create(50_000, {"order_id": 2})
    stored(unpaid.id).save()
    stored("f" * 24).save()
    found = {one["receipt_id"]: one["kind"] for one in audit(code=1)["differences"]}
    assert found == {unpaid.id: "not paid", "f" * 24: "only merchant"}


def test_the_payments_of_other_cash_boxes_are_not_compared(shop):
    stored(paid(shop), box=TEA).save()
    assert audit(code=0)["transactions"] == 1
    stored("f" * 24, box=BOOKS).save()
    assert "box: the transactions are those of 2 cash-boxes" in run(
        "audit", "--from", SINCE, code=2
    )
    told = audit("--box", TEA, code=0)
    assert (told["transactions"], told["differences"]) == (1, [])
    found = {one["receipt_id"]: one["kind"] for one in audit("--box", BOOKS, code=1)["differences"]}
    assert found.pop("f" * 24) == "only merchant"
    assert [*found.values()] == ["not performed"]
    assert audit("--no-transactions", code=0)["transactions"] is None


def test_the_same_id_in_two_cash_boxes_is_two_transactions(alias):
    stored("a" * 24, box=TEA).save()
    stored("a" * 24, box=BOOKS, amount=7).save()
    for box, amount in ((TEA, 50_000), (BOOKS, 7)):
        (found,) = DjangoTransactions(box=box).find(["a" * 24])
        assert found.amount == amount
        assert [*DjangoTransactions(box=box).between(0, 2**53)] == [found]
    with pytest.raises(ConfigurationError, match="2 cash-boxes"):
        DjangoTransactions()


def test_a_cash_box_needs_transactions_and_a_name_that_can_be_right(shop):
    paid(shop)
    printed = run("audit", "--from", SINCE, "--no-transactions", "--box", TEA, code=2)
    assert "--box: no transactions are compared" in printed
    assert "box: got text of 9 characters" in run(
        "audit", "--from", SINCE, "--box", "two words", code=2
    )


def test_they_are_read_where_the_app_is_installed_and_unless_told_not_to(shop):
    paid(shop)
    assert audit("--transactions", code=1)["transactions"] == 0
    books = audit("--no-transactions", code=0)
    assert (books["transactions"], books["differences"]) == (None, [])


def test_without_the_app_there_are_none_to_read(shop):
    paid(shop)
    apps = [one for one in settings.INSTALLED_APPS if one != "payme.merchant.django"]
    with override_settings(INSTALLED_APPS=apps):
        assert audit(code=0)["transactions"] is None
        printed = run("audit", "--from", SINCE, "--transactions", code=2)
    assert "--transactions: INSTALLED_APPS has no payme.merchant.django" in printed


def test_the_help_says_what_the_option_is_here(alias):
    printed = " ".join(run("audit", "--help").split())
    assert "--transactions / --no-transactions" in printed
    assert "PAYME_TRANSACTIONS" not in printed


def test_a_period_is_read_page_by_page_in_order(alias):
    """More of one moment than a page holds: none is left out at its end, none is read twice."""
    first = {f"{number + 5000:024x}": 1000 for number in range(2 * BATCH)}
    at = {**first, **{f"{number:024x}": 1001 for number in range(BATCH + 7)}}
    rows = [stored(its_id, time=time) for its_id, time in at.items()]
    rows += [stored("before", time=999), stored("after", time=1002)]
    Transaction.objects.bulk_create(rows[::-1])
    stored_in = DjangoTransactions()
    with CaptureQueriesContext(connections[alias]) as asked:
        found = [*stored_in.between(1000, 1001)]
    assert found == [MerchantTransaction(its_id, time, 50_000, 2) for its_id, time in at.items()]
    reads = [one["sql"] for one in asked if "payme_transaction" in one["sql"]]
    assert len(reads) == 5
    assert all(f"LIMIT {BATCH}" in sql for sql in reads)


def test_a_page_is_held_at_a_time(alias):
    Transaction.objects.bulk_create(stored(f"{n:024x}", time=n) for n in range(3 * BATCH))
    rows = DjangoTransactions().between(0, 10**6)
    with CaptureQueriesContext(connections[alias]) as asked:
        next(rows)
        assert len([one for one in asked if "payme_transaction" in one["sql"]]) == 1


def test_some_are_looked_up_at_once(alias):
    ids = [f"{number:024x}" for number in range(BATCH)]
    Transaction.objects.bulk_create(stored(its_id) for its_id in [*ids, "another"])
    stored_in = DjangoTransactions()
    with CaptureQueriesContext(connections[alias]) as asked:
        found = stored_in.find([*ids[1:], "nobody"])
    assert {one.id for one in found} == {*ids[1:]}
    assert len([one for one in asked if "payme_transaction" in one["sql"]]) == 1
    assert DjangoTransactions().find([]) == []


@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
def test_both_are_found_by_index(alias):
    stored_in = DjangoTransactions(box="")
    with CaptureQueriesContext(connections[alias]) as asked:
        list(stored_in.between(1000, 2000))
        stored_in.find(["a", "b"])
    period, several = (one["sql"] for one in asked)
    assert "USING INDEX payme_transaction_statement (time>? AND time<?)" in plan(alias, period)
    assert "SCAN" not in plan(alias, several)
    assert "TEMP B-TREE" not in plan(alias, period)


def plan(alias, sql):
    with connections[alias].cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return "\n".join(row[-1] for row in cursor.fetchall())


def test_a_replica_that_lags_is_not_asked(alias, monkeypatch):
    """What it has not heard of yet would be told as goods that never went out."""
    stored("a" * 24).save()
    monkeypatch.setattr(routing.Chosen, "db_for_read", lambda *_, **__: "default")
    assert len(DjangoTransactions().find(["a" * 24])) == 1
    assert len([*DjangoTransactions().between(0, 2**53)]) == 1


@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
def test_it_needs_no_sqlalchemy(shop, alias):
    stored(paid(shop), state=1).save()
    blocked = "import sys; sys.modules['sqlalchemy'] = None\n"
    command = "from django.core.management import execute_from_command_line as run; run(sys.argv)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", blocked + command,
         "payme_charges", "audit", "--from", SINCE],
        cwd=PROJECT,
        env=environment(alias, shop),
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert "not performed" in done.stdout
    assert "1 receipts, 1 charges, 1 transactions" in done.stdout
