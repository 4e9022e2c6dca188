"""Signals: after the commit, once for each event, and never for what was taken back."""

import logging
from contextlib import contextmanager
from threading import Thread

import pytest
from django.db import connections, transaction
from scenarios import KEY, Failure, code, number
from shopfront.models import Order
from shopfront.orders import Orders

from payme.merchant import Merchant, Refuse
from payme.merchant.core import EXPIRY_MS
from payme.merchant.django import signals
from payme.merchant.django.models import Transaction
from payme.merchant.django.store import DjangoStore


@contextmanager
def listening(receive, *chosen):
    for name, signal in signals.SIGNALS.items():
        if not chosen or name in chosen:
            signal.connect(receive)
    try:
        yield
    finally:
        for signal in signals.SIGNALS.values():
            signal.disconnect(receive)


@pytest.fixture
def heard():
    """What a receiver was told: the signal, the transaction and the order."""
    told = []
    names = {id(signal): name for name, signal in signals.SIGNALS.items()}

    def receive(sender, signal, transaction, using, **more):
        assert sender is Transaction
        told.append((names[id(signal)], transaction.id, transaction.order_id, using))

    with listening(receive):
        yield told


def events(heard):
    return [name for name, *_ in heard]


def test_each_event_is_sent_once(shop, heard, alias):
    shop.create(1)
    shop.create(1)
    assert heard == [("created", number(1), "a", alias)]
    shop.perform(1)
    shop.perform(1)
    shop.cancel(1, reason=5)
    shop.cancel(1, reason=5)
    assert events(heard) == ["created", "paid", "cancelled"]
    assert code(shop.create(2, "gone")) == -31053
    assert len(heard) == 3


def test_attempt_that_failed_or_expired_is_released(shop, alias):
    reasons = []

    def receive(sender, transaction, **more):
        reasons.append((transaction.id, transaction.reason))

    with listening(receive, "released"):
        shop.create(1)
        shop.cancel(1, reason=3)
        shop.create(2)
        shop.now += EXPIRY_MS + 1
        shop.create(3)
    assert reasons == [(number(1), 3), (number(2), 4)]


def test_receivers_see_what_is_committed(shop, alias):
    seen = []

    def look():
        stored = Transaction.objects.using(alias).filter(payme_id=number(1)).first()
        seen.append((stored and stored.state, Order.objects.using(alias).get(pk="a").state))
        connections[alias].close()

    def receive(**more):
        assert not transaction.get_connection(alias).in_atomic_block
        other = Thread(target=look)  # With a connection of its own.
        other.start()
        other.join()

    with listening(receive):
        shop.create(1)
        shop.perform(1)
        shop.cancel(1, reason=5)
    assert seen == [(1, "waiting"), (2, "paid"), (-2, "closed")]


class Reserving(Orders):
    def created(self, transaction):
        self._note("created", transaction)


@pytest.mark.parametrize("failure", [Refuse(), Failure("no goods")])
def test_what_is_taken_back_is_not_sent(shop, heard, failure):
    shop.answer = Merchant(DjangoStore(Reserving()), KEY, clock=lambda: shop.now).answer
    shop.fails = failure
    assert "error" in shop.create(1)
    assert heard == []
    shop.fails = None
    shop.create(1)
    shop.fails = failure
    assert "error" in shop.perform(1)
    assert events(heard) == ["created"]


def test_receiver_that_fails_changes_nothing_and_is_logged(shop, heard, caplog):
    def fail(**more):
        raise Failure("the cache is gone")

    with listening(fail), caplog.at_level(logging.ERROR):
        assert shop.create(1)["result"]["state"] == 1
        assert shop.perform(1)["result"]["state"] == 2
    assert events(heard) == ["created", "paid"]
    assert caplog.text.count("the cache is gone") >= 2
    assert (shop.state("a"), shop.events()) == ("paid", [("paid", "a")])


def test_sweep_of_what_expired_sends_the_same_signal(shop, alias):
    reasons = []

    def receive(sender, transaction, **more):
        reasons.append((transaction.id, transaction.reason))

    merchant = Merchant(DjangoStore(Reserving()), KEY, clock=lambda: shop.now)
    shop.answer = merchant.answer
    shop.create(1)
    shop.now += EXPIRY_MS + 1
    with listening(receive, "released"):
        assert merchant.expire().expired == 1
        assert merchant.expire().expired == 0
    assert reasons == [(number(1), 4)]
    assert shop.events() == [("created", "a"), ("released", "a")]
