"""Subscriptions on the ORM keep their contract, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/recurring/test_recurring.py`: what it asks of subscriptions over `SqlLedger`
is asked of these, too, by the same functions. What is Django's own follows.
"""

import logging
import threading
import warnings

import pytest
import sqlalchemy as sa
from conftest_of_charges import KEY, shared, url_of
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext, override_settings
from shopfront.hooks import changed as hook
from shopfront.models import Event, Order

from payme import Payme
from payme.charges import Charges, ChargeState, SqlLedger
from payme.charges.django import charges
from payme.charges.django.driving import DjangoCharges
from payme.charges.django.ledger import DjangoLedger
from payme.errors import ConfigurationError, InvalidArgument
from payme.recurring import PeriodState, Recurring, SubscriptionState
from payme.recurring.django import models, recurring
from payme.recurring.django.driving import DjangoRecurring
from payme.recurring.django.rows import DjangoRows
from payme.transport.memory import MemoryTransport
from recurring import test_recurring as contract

P, S = PeriodState, SubscriptionState
SQL = ["charges_sqlite", "charges_postgresql"]


class Shop(contract.Shop):
    """The contract's, on the ORM."""

    def __init__(self, now=contract.START, hook=None, keys=(KEY,)):
        self.now = now
        self.ledger = DjangoLedger(keys=keys, changed=hook)
        self.ledger._engine = None  # the contract opens another ledger by it
        self.client = Payme(**contract.CLIENT, transport=MemoryTransport([]), environment="test")
        self.charges = DjangoCharges(self.client, self.ledger)
        self.recurring = DjangoRecurring(self.charges, now=lambda: self.now)
        self.recurring.create_all()

    def later(self, days):
        try:
            return super().later(days)
        finally:
            if threading.current_thread() is not threading.main_thread():
                connections.close_all()

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
