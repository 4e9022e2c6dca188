"""The sweep and the outbox on Django: jobs stored with a payment, and the commands of manage.py."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from scenarios import Failure, code
from shopfront.orders import Orders

from payme.errors import InvalidArgument
from payme.merchant import Expired
from payme.merchant.core import EXPIRY_MS
from payme.merchant.django.configuration import configured
from payme.merchant.django.management.commands import payme_relay
from payme.merchant.django.outbox.jobs import DjangoOutbox
from payme.merchant.django.outbox.models import OutboxJob
from payme.merchant.outbox import Relayed

outbox = DjangoOutbox()
ran = []


@outbox.job("send")
def send(order):
    if order == "fails":
        raise Failure("secret")
    ran.append(order)


@pytest.fixture(autouse=True)
def _empty(alias):
    ran.clear()
    OutboxJob.objects.all().delete()


def run(*arguments, **options):
    out = StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue().strip()


def test_job_is_stored_with_the_payment_and_run_by_the_command(shop, monkeypatch):
    Orders.then = lambda: outbox.add("send", order="a")
    shop.create(1)
    shop.fails = Failure()
    assert code(shop.perform(1)) == -32400
    assert not OutboxJob.objects.exists()
    shop.fails = None
    shop.perform(1)
    assert (ran, OutboxJob.objects.count()) == ([], 1)
    monkeypatch.setenv("PAYME_LANG", "ru")
    assert run("payme_relay", f"{__name__}.outbox") == "выполнено 1, не удалось 0"
    assert (ran, OutboxJob.objects.count()) == (["a"], 0)


def test_job_that_fails_stays_and_the_command_says_so(shop):
    outbox.add("send", order="fails")
    with pytest.raises(CommandError, match="not all were run"):
        run("payme_relay", f"{__name__}.outbox")
    assert OutboxJob.objects.get().attempts == 1
    assert outbox.relay() == Relayed(0, 0)


@pytest.mark.parametrize(
    ("place", "told"), [("no.such", "can't be imported"), (f"{__name__}.ran", "is list, expected")]
)
def test_place_of_the_outbox_is_checked(alias, place, told):
    with pytest.raises(CommandError, match=told):
        run("payme_relay", place)


@pytest.mark.parametrize(("every", "told"), [("5", 'say "5s"'), ("0s", "a span"), ("x", "a span")])
def test_every_is_written_as_on_the_command_line(alias, every, told):
    with pytest.raises(CommandError, match=f"--every: .*{told}"):
        run("payme_relay", f"{__name__}.outbox", "--every", every)


def test_the_command_goes_on_until_it_is_stopped(shop, monkeypatch):
    pauses = []

    def stopped(seconds):
        pauses.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(payme_relay.time, "sleep", stopped)
    with pytest.raises(KeyboardInterrupt):
        run("payme_relay", f"{__name__}.outbox", every="1m30s")
    assert pauses == [90]


def test_arguments_are_checked(alias):
    with pytest.raises(InvalidArgument, match="expected JSON values"):
        outbox.add("send", order=object())


def test_sweep_by_the_command(shop):
    shop.create(1, "a")
    shop.create(2, "b")
    shop.perform(2)
    shop.now += EXPIRY_MS + 1
    assert run("payme_expire") == "found 1, expired 1, failed 0"
    assert shop.events() == [("paid", "b"), ("released", "a")]
    assert shop.check(1)["result"]["state"] == -1


def test_sweep_goes_on_after_a_hook_that_fails(shop):
    for one in range(3):
        shop.create(one, f"phone {one}", time=shop.now - one)
    shop.now += EXPIRY_MS + 1
    shop.fails = Failure()
    with pytest.raises(CommandError, match="not all were cancelled"):
        run("payme_expire")
    shop.fails = None
    assert configured().expire(batch=1) == Expired(3, 3, 0)
