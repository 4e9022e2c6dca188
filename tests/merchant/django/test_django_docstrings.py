"""The docstring examples of `payme.merchant.django` run, and do what they are there for."""

import importlib
import json
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.dispatch import receiver
from django.test import RequestFactory
from django.urls import path
from scenarios import AUTH, KEY, code
from shopfront.orders import Orders

from payme import merchant as api
from payme.merchant.django import signals
from payme.merchant.django.models import Transaction
from payme.merchant.django.outbox.models import OutboxJob
from payme.merchant.django.store import DjangoStore
from payme.merchant.outbox import Relayed
from payme.merchant.service import now_ms
from support.docstrings import examples_of, run_example

FOUND = {example.name: example for example in examples_of("payme.merchant.django")}


def outbox(run, shop):
    OutboxJob.objects.all().delete()
    scope = run()
    with transaction.atomic(using=OutboxJob.objects.db):
        scope["Orders"]().paid(SimpleNamespace(order_id="a"))
    (job,) = OutboxJob.objects.all()
    assert (job.name, json.loads(job.arguments)) == ("send receipt", {"order_id": "a"})
    assert scope["outbox"].relay() == Relayed(1, 0)


def signal(run, shop):
    # Signals hold their receivers weakly: a module would keep it.
    scope = run(receiver=receiver, signals=signals, cache=cache)
    assert callable(scope["forget_totals"])
    cache.set_many({"total:a": 1, "total:b": 1})
    shop.create(1)
    assert cache.get("total:a") == 1
    shop.perform(1)
    assert (cache.get("total:a"), cache.get("total:b")) == (None, 1)


def store(run, shop):
    served = run(Orders=Orders, settings=settings, Merchant=api.Merchant)["merchant"]
    shop.answer = served.answer
    assert shop.create(1, time=now_ms())["result"]["state"] == 1
    assert Transaction.objects.get().order_id == "a"


def transactions_of(run, shop):
    shop.create(1, "b")
    shop.perform(1)
    asked = DjangoStore(Orders())
    assert run(store=asked)["paid"] == []
    Transaction.objects.update(order_id="7")
    assert [one.order_id for one in run(store=asked)["paid"]] == ["7"]


def view(run, shop):
    second = api.Merchant(DjangoStore(Orders()), keys=KEY)
    (pattern,) = run(path=path, second=second)["urlpatterns"]
    found = pattern.resolve("payme/second")
    body = json.dumps({"id": 1, "method": "CheckTransaction", "params": {"id": "f" * 24}})
    request = RequestFactory().post(
        "/payme/second", body, "application/json", HTTP_AUTHORIZATION=AUTH
    )
    assert code(json.loads(found.func(request).content)) == -31003


EXAMPLES = {
    "payme.merchant.django.outbox.jobs.DjangoOutbox": outbox,
    "payme.merchant.django.signals": signal,
    "payme.merchant.django.store.DjangoStore": store,
    "payme.merchant.django.store.DjangoStore.transactions_of": transactions_of,
    "payme.merchant.django.views.merchant_view": view,
}


def test_every_example_is_run_here():
    assert set(FOUND) == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("alias", ["sqlite"], indirect=True)
def test_the_example_does_what_it_says(name, shop):
    def run(**names):
        scope = {**vars(importlib.import_module(FOUND[name].module)), **names}
        run_example(FOUND[name], scope, {})
        return scope

    EXAMPLES[name](run, shop)
