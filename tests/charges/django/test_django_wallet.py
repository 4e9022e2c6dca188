"""The wallet of a Django project: the contract of wallets, and what is Django's own.

The contract is `tests/wallet/test_wallet.py`: what it asks of any wallet is asked of one on the
ORM, too, by the same functions.
"""

import logging
import threading
import traceback
import warnings

import pytest
from conftest_of_charges import KEY, InThread, shared, without_table
from django.conf import settings
from django.db import DatabaseError, connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings

from charges.ledgers import new_charge, next_of
from payme import Payme
from payme.charges import Charges, ChargeState
from payme.charges.core import Means, Save
from payme.charges.django import charges, models, wallet
from payme.charges.django.ledger import DjangoLedger
from payme.charges.saved import CardState
from payme.errors import ConfigurationError, InvalidArgument
from payme.sandbox import Sandbox
from payme.wallet import Wallet
from support.clients import BLOCKING, Awaited, NoPause
from wallet import test_wallet as contract
from wallet.test_card_ledger import CANARY, OTHER_NUMBER, new, shows_the_token, token

SQL = ["charges_sqlite", "charges_postgresql"]


class World(contract.World):
    """The contract's, on the ORM; threads keep a connection of their own, and close it."""

    def __init__(self, sandbox):
        self.opened = []
        self.style = BLOCKING
        self.sandbox = sandbox
        self.client = Awaited(client_of(sandbox))
        self.ledger = self.awaited(DjangoLedger(keys=[KEY]))
        self.wallet = self.wallet_of(self.client)
        inner = Charges(self.client._inner, self.ledger._inner, policy=contract.POLICY)
        self.charges = self.awaited(inner)
        self.token = sandbox.add_card(number=contract.NUMBER)

    def awaited(self, blocking):
        self.opened.append(InThread(blocking, threads=6))
        return self.opened[-1]

    def wallet_of(self, client):
        return self.awaited(Wallet(client._inner, self.ledger._inner))

    @property
    def cards(self):
        return self.awaited(self.ledger._inner.cards)

    def close(self):
        for one in self.opened:
            one.close()
        self.client._inner.close()


def client_of(sandbox, **options):
    credentials = {"key": contract.KEY, "base_url": sandbox.url, **options}
    return Payme(sandbox.merchant_id, **credentials, timeout=3.0, proxy="", random=NoPause())


@pytest.fixture
def world(alias):
    with Sandbox(key=contract.KEY) as sandbox:
        world = World(sandbox)
        yield world
        world.close()


# Its connection is SQLAlchemy's. What `atomic` does instead is below.
OTHERS = {"test_a_charge_with_a_saved_card_is_stored_in_the_merchants_own_transaction"}
SHARED = shared(contract, {"world", "monkeypatch", "caplog"}, OTHERS)
globals().update(SHARED)


def test_the_contract_is_found():
    """A suite that is empty passes, too."""
    assert len(SHARED) >= 30
    assert {
        "test_a_card_is_saved_as_payme_shows_it_and_charged_by_its_customer",
        "test_recover_finishes_the_removals_that_were_begun",
        "test_a_token_that_payme_no_longer_knows_marks_the_card_and_never_the_money",
        "test_no_frame_of_an_error_holds_a_secret",
    } <= {*SHARED}


# As the settings say.


def test_a_customer_pays_with_the_card_that_was_saved(shop, alias):
    card = wallet().add("aziza", shop.token)
    assert wallet().default("aziza") == card
    assert wallet() is wallet()
    assert wallet()._client is charges().client
    with transaction.atomic(using=alias):
        charges().submit("order-1", 50_000, {"order_id": 1}, customer="aziza")
    charges().run(drain=True)
    charge = charges().get("order-1")
    assert charge.is_paid
    assert shop.debits(charge.receipt_id) == 1
    assert models.Card.objects.get().read(is_default=True) == card


def test_a_customer_without_a_card_pays_nothing(shop):
    with pytest.raises(LookupError, match="no default card"):
        charges().submit("order-1", 50_000, {"order_id": 1}, customer="aziza")
    assert models.Charge.objects.count() == 0


def test_other_settings_make_another_wallet(shop):
    before = wallet()
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "POLICY": {"lease": 7}}):
        assert wallet() is not before
        assert wallet()._client is charges().client


# Transactions.


@pytest.mark.parametrize("fails", [True, False])
def test_a_card_is_saved_with_what_surrounds_it_or_not_at_all(shop, alias, fails):
    try:
        with transaction.atomic(using=alias):
            wallet().add("aziza", shop.token)
            assert charges().submit("order-1", 50_000, {"order_id": 1}, customer="aziza")
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    there = 0 if fails else 1
    assert len(wallet().list("aziza")) == there
    assert models.Charge.objects.count() == there


def test_a_known_card_leaves_the_transaction_whole(shop, alias):
    card = wallet().add("aziza", shop.token)
    with transaction.atomic(using=alias):
        assert wallet().add("aziza", shop.token).id == card.id
        with pytest.raises(Exception, match="another customer"):
            wallet().add("bek", shop.token)
        assert wallet().make_default(card.id).is_default
        assert wallet().refresh(card.id).can_be_charged
    assert [one.id for one in wallet().list("aziza")] == [card.id]


def test_a_removal_is_stored_before_payme_is_asked_for_it(shop, alias):
    card = wallet().add("aziza", shop.token)
    refused = pytest.raises(ConfigurationError, match=r"outside of transaction\.atomic")
    with transaction.atomic(using=alias), refused:
        wallet().remove(card.id)
    assert wallet().get(card.id).can_be_charged
    assert [one for one in shop.cards() if one.removed] == []
    wallet().remove(card.id)
    assert wallet().list("aziza") == []
    assert [one.token for one in shop.cards() if one.removed] == [shop.token]


def test_a_connection_is_not_asked_for(shop, alias):
    with pytest.raises(InvalidArgument, match=r"connection: .*transaction.atomic"):
        charges().ledger.cards.default("aziza", connections[alias])


@pytest.mark.parametrize("alias", ["charges_postgresql", "charges_mariadb"], indirect=True)
def test_a_removal_waits_for_a_payment_that_is_just_beginning(alias):
    """Without the lock both would be stored, and the payment would leave last."""
    ledger = DjangoLedger(keys=[KEY])
    card = ledger.cards.add(new())
    charge = new_charge("order-1")
    change = Save(*next_of(charge, state=ChargeState.PAYING)[:2], card.id)
    removed = threading.Event()

    def remove():
        try:
            ledger.cards.begin_removal(card.id, 1005.0)
        finally:
            removed.set()
            connections.close_all()

    thread = threading.Thread(target=remove)
    with transaction.atomic(using=alias):
        ledger.cards.guard(change)
        thread.start()
        assert not removed.wait(0.3)
    assert removed.wait(20)
    thread.join(20)
    assert ledger.cards.load(card.id).card.state is CardState.REMOVING


# Secrets, keys and indexes.


def plain():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DjangoLedger(keys=[])


def contents(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT * FROM payme_card")
        parts = [part for row in cursor.fetchall() for part in row]
    binary = (bytes, memoryview)
    return b"".join(bytes(one) if isinstance(one, binary) else str(one).encode() for one in parts)


def test_tokens_are_encrypted_at_rest_and_rotated(alias):
    card = plain().cards.add(new())
    plain().cards.add(new(n=2, number=OTHER_NUMBER))
    assert shows_the_token(contents(alias))
    ledger = DjangoLedger(keys=[KEY])
    ledger.rotate()
    assert b"aziza" in contents(alias)
    assert not shows_the_token(contents(alias))
    assert ledger.cards.load(card.id).token == token()


def test_every_page_of_cards_is_rotated(alias, monkeypatch):
    monkeypatch.setattr("payme.charges.ledger.rows.PAGE", 2)
    ledger = DjangoLedger(keys=["B" * 43 + "="])
    added = [ledger.cards.add(new(n=n, expire=f"0{n + 1}/99")) for n in range(5)]
    DjangoLedger(keys=[KEY, "B" * 43 + "="]).rotate()
    anew = DjangoLedger(keys=[KEY])
    assert [anew.cards.load(card.id).token for card in added] == [token(n) for n in range(5)]


WRITES = {
    "add": lambda ledger, card: ledger.cards.add(new(n=2, number=OTHER_NUMBER)),
    "bind again": lambda ledger, card: ledger.cards.add(new(n=2)),
    "submit": lambda ledger, card: ledger.submit(new_charge("order-1"), Means(token())),
    "save": lambda ledger, card: ledger.save(
        next_of(ledger.submit(new_charge("order-1"), Means(token()))), Means(token(2))
    ),
    "rotate": lambda ledger, card: ledger.rotate(),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_log_of_statements_shows_a_token(alias, write, caplog):
    """Not even without keys, and with what Django remembers of statements for its error pages."""
    ledger = plain()
    card = ledger.cards.add(new())
    caplog.set_level(logging.DEBUG, "django.db.backends")
    with CaptureQueriesContext(connections[alias]) as captured:
        WRITES[write](ledger, card)
        # The database got it, not what was shown.
        stored = ledger.cards.default("aziza").token.open()
    assert CANARY in stored
    text = "".join(str(query["sql"]) for query in captured.captured_queries) + caplog.text
    text += "".join(str(record.__dict__) for record in caplog.records)
    assert "<sealed>" in text
    assert "payme_ch" in text or "payme_card" in text
    assert not shows_the_token(text.encode())


def test_a_statement_that_is_not_the_ledgers_is_logged_as_ever(alias):
    ledger = plain()
    ledger.cards.add(new())
    with CaptureQueriesContext(connections[alias]) as captured:
        models.Card.rows.using(alias).update(means=b"{}")
    assert "<sealed>" not in captured.captured_queries[0]["sql"]
    assert bytes(models.Card.rows.using(alias).get().means) == b"{}"
    assert not connections[alias].execute_wrappers


@pytest.mark.parametrize("write", ["add", "bind again"])
def test_an_error_of_the_database_shows_no_token(alias, write):
    ledger = plain()
    with without_table(alias, "payme_card"), pytest.raises(DatabaseError) as raised:
        WRITES[write](ledger, None)
    found = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert not shows_the_token((str(raised.value) + "".join(found.format())).encode())


@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (lambda: models.Card.objects.filter(state="removing", pk__gt=""), "payme_card_removing"),
        (lambda: models.Card.objects.filter(customer="aziza"), "INDEX"),
        (lambda: models.Card.objects.filter(fingerprint="f"), "INDEX"),
        (lambda: models.Charge.objects.filter(models.ATTENTION), "payme_charge_attention"),
    ],
)
def test_what_is_looked_for_is_found_by_an_index(alias, rows, index):
    """PostgreSQL plans by the size of a table, and these are small."""
    assert index in rows().explain()
