"""A process that is killed between any two steps leaves order and transaction in agreement."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from scenarios import START, number
from shopfront.models import Event, Order

from payme.merchant.django.models import Transaction

AGREEING = {
    None: ("waiting", []),
    1: ("waiting", []),
    2: ("paid", ["paid"]),
    -2: ("closed", ["paid", "cancelled"]),
}

# More than the steps of the longest of them, so that the last ones die after the commit.
ATTEMPTS = 10


def crash(method, alias):
    here = str(Path(__file__).parent)
    databases = {name: settings.DATABASES[name] for name in ("sqlite", "postgresql")}
    environment = {
        **os.environ,
        "SHOPFRONT_DATABASES": json.dumps(databases),
        "SHOPFRONT_DATABASE": alias,
        "PYTHONPATH": os.pathsep.join([here, str(Path(here).parent), *sys.path]),
    }
    command = [sys.executable, "-m", "shopfront.crash", method, str(ATTEMPTS), str(START)]
    subprocess.run(command, env=environment, cwd=here, check=True, timeout=120)


def assert_agreement(one):
    name = str(one)
    row = Transaction.objects.filter(payme_id=number(one)).first()
    events = list(Event.objects.filter(name=name).order_by("pk").values_list("event", flat=True))
    assert (Order.objects.get(pk=name).state, events) == AGREEING[row and row.state]
    return row and row.state


@pytest.fixture
def crowd(shop):
    Order.objects.bulk_create(Order(name=str(one)) for one in range(ATTEMPTS))
    return shop


def serve(shop, method, one):
    if method == "create":
        return shop.create(one, str(one))
    return shop.perform(one) if method == "perform" else shop.cancel(one, reason=5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "before", "after"), [("create", None, 1), ("perform", 1, 2), ("cancel", 2, -2)]
)
def test_kill_between_two_steps_leaves_agreement(crowd, alias, method, before, after):
    earlier = {"create": [], "perform": ["create"], "cancel": ["create", "perform"]}[method]
    for one in range(ATTEMPTS):
        for one_step in earlier:
            serve(crowd, one_step, one)
    crash(method, alias)
    states = [assert_agreement(one) for one in range(ATTEMPTS)]
    assert states[0] == before
    assert states[-1] == after
    assert states == sorted(states, key=lambda state: state == after)
    for one in range(ATTEMPTS):
        assert serve(crowd, method, one)["result"]["state"] == after
        assert assert_agreement(one) == after
