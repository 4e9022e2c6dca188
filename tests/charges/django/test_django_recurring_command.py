"""`manage.py payme_recurring` does what `payme recurring` does."""

import io
import json
from datetime import UTC, datetime, time

import pytest
from conftest_of_charges import without_table
from django.core.management import CommandError, call_command
from shopfront.models import Event

from payme.charges.django import charges
from payme.cli import recurring as cli
from payme.recurring.django import recurring
from payme.recurring.django.management.commands import payme_recurring

PRICE = 5_000_000


def run(*arguments, code=0):
    """Run a command from code; gives what it printed."""
    out, err = io.StringIO(), io.StringIO()
    ended = 0
    try:
        call_command("payme_recurring", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        ended = error.returncode
    assert ended == code, err.getvalue()
    return out.getvalue() + err.getvalue()


@pytest.fixture
def club(shop):
    # The first period is due now, whatever the time of the day.
    options = {"missed": "skip", "at": time(0)}
    recurring().create("club-17", PRICE, {"member": 17}, shop.token, **options)


def test_every_command_is_there_with_its_options_but_the_address_of_the_ledger():
    group = payme_recurring.Command().group()
    assert {*group.commands} == {*cli.recurring.commands} >= {"run", "due", "show", "simulate"}
    for name, command in group.commands.items():
        other = cli.recurring.commands[name]
        options = {one.name for one in other.params}
        assert {one.name for one in command.params} == options - {"url"}
        assert command.help == other.help


def test_run_takes_what_is_due_and_show_tells(club, shop):
    assert "open" in run("show", "club-17")
    assert "had something due" in run("run", "--drain")
    shown = json.loads(run("show", "club-17", "--json"))
    assert [period["state"] for period in shown["periods"]] == ["paid"]
    assert shown["state"] == "active"
    assert [entry.kind for entry in shop.ledger()] == ["debit"]
    assert [*Event.objects.values_list("event", "name")] == [("paid", "club-17:0")]


def test_whoever_drives_a_charge_tells_its_subscription(club, shop):
    """Another process, that never asked for subscriptions: its ledger is made of the settings."""
    call_command("payme_charges", "run", "--drain", stdout=io.StringIO(), stderr=io.StringIO())
    assert [period.state for period in recurring().periods("club-17")] == ["paid"]
    assert recurring().get("club-17").debt is None


def test_due_and_simulate_ask_nothing_of_payme(club, shop):
    charges().run(drain=True)
    later = datetime(2100, 1, 1, tzinfo=UTC).isoformat()
    assert "club-17" in run("due", "--at", later)
    assert "club-17" not in run("due", "--at", "2001-01-01T00:00:00+05:00")
    planned = json.loads(run("simulate", "club-17", "--months", "3", "--json"))
    assert [line["n"] for line in planned][:3] == [1, 2, 3]
    assert {line["amount"] for line in planned} == {PRICE}


def test_check_and_adopt_ask_payme(club, shop):
    run("run", "--drain")
    assert json.loads(run("check", "--json")) == []
    (receipt,) = shop.receipts()
    assert "club-17" in run("adopt", receipt.id)
    assert "give ids" in run("adopt", code=2)


def test_what_is_wrong_is_said_in_a_line(shop, alias):
    assert "no subscription has the id 'club-1'" in run("show", "club-1", code=1)
    assert "--at: expected" in run("due", "--at", "now", code=2)
    with without_table(alias, "payme_subscription"):
        said = run("show", "club-17", code=1)
    assert "the ledger can't be used" in said
    assert "payme_subscription" in said
