"""`manage.py payme_charges` does what `payme charges` does, and survives being killed."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest_of_charges import ordered, without_table
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test.utils import override_settings
from shopfront import routing
from shopfront.models import Event, Order

from charges.ledgers import next_of
from payme.charges import ChargeState
from payme.charges.django import charges, models
from payme.charges.django.management.commands import payme_charges
from payme.cli import charges as cli
from payme.sandbox import Sandbox

PROJECT = Path(__file__).parents[2] / "merchant" / "django"
HEAD = "id,amount,account.order_id,token,description\n"


def run(*arguments, code=0):
    """Run a command from code; gives what it printed."""
    out, err = io.StringIO(), io.StringIO()
    ended = 0
    try:
        call_command("payme_charges", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        ended = error.returncode
    assert ended == code, err.getvalue()
    return out.getvalue() + err.getvalue()


def told(*arguments, code=0):
    return json.loads(run(*arguments, "--json", code=code))


def csv(folder, *lines):
    path = folder / "club.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_every_command_is_there_with_its_options_but_the_address_of_the_ledger():
    group = payme_charges.Command().group()
    assert {*group.commands} == {*cli.charges.commands}
    for name, command in group.commands.items():
        other = cli.charges.commands[name]
        options = {one.name for one in other.params}
        assert {one.name for one in command.params} == options - {"url"}
        assert command.help == other.help


@pytest.mark.slow
def test_import_run_list_show_and_refund(shop, tmp_path):
    file = csv(tmp_path, *(f"order-{n},{50_000 + n},{n},{shop.token},Non" for n in (1, 2, 3)))
    assert "3 stored, 0 known, 0 refused" in run("import", file)
    assert told("import", file)["known"] == 3
    done = told("run", "--drain", "--in-flight", "3")
    assert (done["driven"], done["ended"], done["stopped"]) == (3, {"paid": 3}, False)
    assert [(one["id"], one["state"]) for one in told("list")] == [
        (f"order-{n}", "paid") for n in (1, 2, 3)
    ]
    assert [event["after"] for event in told("show", "order-2")["events"]] == [
        "new", "open", "paying", "paid",
    ]  # fmt: skip
    assert told("refund", "order-2")["state"] == "refunded"
    assert told("list", "--state", "refunded")[0]["id"] == "order-2"
    assert sorted(Event.objects.values_list("event", "name")) == [
        ("paid", "order-1"), ("paid", "order-2"), ("paid", "order-3"), ("refunded", "order-2"),
    ]  # fmt: skip
    printed = run("list") + run("show", "order-1") + run("run", "--drain")
    assert shop.token not in printed
    assert shop.key not in printed


def test_an_import_is_stored_in_batches_or_not_at_all(shop, tmp_path):
    file = csv(tmp_path, f"order-1,50000,1,{shop.token},", "order-2,wrong,2,x,")
    printed = run("import", file, code=1)
    assert "club.csv:3: amount: got 'wrong'" in printed
    assert [one.id for one in charges().iterate()] == ["order-1"]
    other = csv(tmp_path, f"order-1,60000,1,{shop.token},")
    assert "another amount" in run("import", other, code=1)


def test_confirm_retry_and_cancel(shop):
    charges().submit("order-1", 50_000, {"order_id": 1}, shop.token, hold=True)
    poor = shop.add_card(number="8600318600000007")
    charges().submit("order-2", 50_000, {"order_id": 2}, poor)
    assert told("run", "--drain")["ended"] == {"held": 1, "refused": 1}
    assert told("confirm", "order-1")["state"] == "paid"
    assert told("retry", "order-2", code=1)["state"] == "refused"
    assert told("cancel", "order-2")["state"] == "failed"
    assert "can't cancel it" in run("cancel", "order-1", code=1)
    assert "no charge has the id 'nobody'" in run("show", "nobody", code=1)


def test_audit_agrees(shop):
    charges().submit("order-1", 50_000, {"order_id": 1}, shop.token)
    run("run", "--drain")
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    # This sandbox has no billing, so the shop has no transactions of what it pays.
    books = told("audit", "--from", since, "--no-transactions")
    assert (books["receipts"], books["charges"], books["differences"]) == (1, 1, [])
    assert "--from: got" in run("audit", "--from=2026-01-02", "--to=2026-01-01", code=2)


def test_attention_is_listed_and_named_by_run(shop):
    ledger = charges().ledger
    charge, means = ordered()
    ledger.submit(charge, means)
    ledger.save(next_of(charge, state=ChargeState.CANCELLING, receipt_id="r" * 24, due=None))
    assert [one["id"] for one in told("list", "--attention")] == ["order-1"]


def test_a_key_that_payme_refuses_fails_no_charge(shop):
    charges().submit("order-1", 50_000, {"order_id": 1}, shop.token)
    with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, "KEY": "x" * 36}):
        assert "nothing was charged" in run("run", "--drain", code=1)
    assert charges().get("order-1").version == 0


def test_without_keys_import_says_what_to_give(shop, tmp_path):
    file = csv(tmp_path, f"order-1,50000,1,{shop.token},")
    setting = {**settings.PAYME_CHARGES, "LEDGER_KEYS": []}
    with (
        override_settings(PAYME_CHARGES=setting),
        pytest.warns(UserWarning, match="unencrypted"),
    ):
        assert 'give PAYME_CHARGES["LEDGER_KEYS"]' in run("import", file)


def test_a_ledger_without_tables_is_said_in_a_line(shop, alias):
    with without_table(alias, "payme_charge"):
        printed = run("list", code=1)
    assert printed.splitlines()[-1].startswith("Error: the ledger can't be used: ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["run", "--in-flight", "0"]])
def test_misuse_exits_with_two(alias, arguments):
    assert "Error" in run(*arguments, code=2)


# In a process of its own.


def environment(alias, box, **more):
    place = {alias: dict(settings.DATABASES[alias])}
    if "mariadb" in alias:
        place["mariadb"] = place[alias]
    setting = {"MERCHANT_ID": box.merchant_id, "KEY": box.key, "BASE_URL": box.url, **more}
    return {
        **os.environ,
        "SHOPFRONT_DATABASES": json.dumps(place),
        "SHOPFRONT_DATABASE": alias,
        "SHOPFRONT_CHARGES": json.dumps(setting),
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(PROJECT.parent), *sys.path]),
    }


def start(alias, box, *arguments, **setting):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "django", "payme_charges", *arguments],
        cwd=PROJECT,
        env=environment(alias, box, **setting),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("language", "of_the_group", "of_an_option"),
    [
        ("uz", "PAYME_CHARGES sozlamasidan", "tranzaksiyalari bilan ham solishtirish"),
        ("ru", "берутся из настройки PAYME_CHARGES", "Сверять и с транзакциями"),
    ],
)
def test_the_help_is_in_the_language_of_payme(
    shop, alias, monkeypatch, language, of_the_group, of_an_option
):
    monkeypatch.setenv("PAYME_LANG", language)
    for arguments, said in (((), of_the_group), (("audit",), of_an_option)):
        code, out, _ = ended(start(alias, shop, *arguments, "--help"))
        assert code == 0
        assert said in " ".join(out.split())


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
def test_from_a_shell_help_and_codes_are_those_of_the_command(shop, alias):
    code, out, _ = ended(start(alias, shop, "--help"))
    assert code == 0
    assert "import" in out
    assert "PAYME_CHARGES" in out
    code, out, err = ended(start(alias, shop, "show", "nobody"))
    assert (code, out) == (1, "")
    assert err == "Error: no charge has the id 'nobody'\n"
    assert ended(start(alias, shop, "list", "--state", "lost"))[0] == 2
    assert ended(start(alias, shop, "--skip-checks", "list", "--json"))[:2] == (0, "[]\n")
    code, _, err = ended(start(alias, shop, "list", KEY=""))
    assert code == 1
    assert "payme_charges.E002" in err


@pytest.mark.slow
@pytest.mark.parametrize("alias", ["charges_sqlite"], indirect=True)
def test_sigterm_ends_it_after_what_is_under_way(shop, alias):
    shop.faults.add("receipts.pay", when="before", action="delay", delay_ms=800)
    for number in range(4):
        charges().submit(f"order-{number}", 50_000, {"order_id": number}, shop.token)
    process = start(alias, shop, "run", "--in-flight", "2", "--json")
    until = time.monotonic() + 30
    while not charges().ledger.load("order-0").charge.attempts and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    done = json.loads(out)
    assert done["stopped"]
    states = Counter(str(charge.state) for charge in charges().iterate())
    assert done["ended"] == {"paid": states["paid"]}
    assert states["paid"] >= 1
    assert states["paying"] == 0


LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, CHARGES = (40, 400) if LONG else (4, 24)
FAULTS = [
    ("receipts.pay", "before", "drop", 0.05),
    ("receipts.pay", "after", "drop", 0.1),
    ("receipts.pay", "after", "duplicate", 0.05),
    ("receipts.create", "after", "drop", 0.05),
    ("receipts.get", "before", "drop", 0.1),
    ("receipts.cancel", "after", "drop", 0.1),
]
POLICY = {
    "ask_for": 0.5, "look_for": 0.2, "max_receipts": 20, "first_pause": 0.05,
    "longest_pause": 0.5, "lease": 1.5,
}  # fmt: skip


@pytest.mark.slow
def test_whoever_is_killed_every_order_ends_in_the_truth(alias):
    with Sandbox(seed=7, account_fields={"order_id": "order"}) as box:
        for method, when, action, probability in FAULTS:
            box.faults.add(method, when=when, action=action, probability=probability)
        # A pause for each other call, so that it is killed in the middle of some.
        box.faults.add("receipts.*", when="before", action="delay", delay_ms=50)
        setting = {
            "POLICY": POLICY,
            "CLIENT": {"timeout": 0.5, "max_attempts": 2, "proxy": ""},
        }
        more = {"MERCHANT_ID": box.merchant_id, "KEY": box.key, "BASE_URL": box.url, **setting}
        with override_settings(PAYME_CHARGES={**settings.PAYME_CHARGES, **more}):
            kill_and_recover(alias, box, setting)


def kill_and_recover(alias, box, setting):
    token = box.add_card()
    each = CHARGES // KILLS + 1
    met = 0
    for kill in range(KILLS):
        for number in range(kill * each, (kill + 1) * each):
            Order.objects.create(name=f"order-{number}")
            charges().submit(f"order-{number}", 50_000 + number, {"order_id": number}, token)
        process = start(alias, box, "run", "--in-flight", "5", **setting)
        wait_until_driven(process)
        process.kill()
        process.communicate()
        met += any(not charge.rests for charge in charges().iterate())
    assert met, "it was killed while it had nothing to do"
    code, _, err = ended(start(alias, box, "run", "--drain", "--json", **setting))
    assert code == 0, err
    found = list(charges().iterate())
    assert len(found) == KILLS * each
    assert {charge.state for charge in found} == {ChargeState.PAID}
    standing, debits = Counter(), Counter()
    order_of = {one.id: int(one.account["order_id"]) for one in box.receipts(10**6)}
    for entry in box.ledger():
        sign = {"debit": 1, "refund": -1}[entry.kind]
        standing[order_of[entry.receipt_id]] += sign * abs(entry.amount)
        debits[order_of[entry.receipt_id]] += sign
    assert {*debits.values()} == {1}
    for charge in found:
        assert standing[int(charge.id.removeprefix("order-"))] == charge.amount
        versions = [event.version for event in charges().history(charge.id)]
        assert versions == list(range(charge.version + 1))
    assert {*Order.objects.values_list("state", flat=True)} == {"paid"}
    assert sorted(Event.objects.values_list("event", "name")) == sorted(
        ("paid", charge.id) for charge in found
    )
    assert routing.chosen == alias


def wait_until_driven(process):
    """Let it come to the middle of a charge."""
    until = time.monotonic() + 30
    busy = ("open", "paying", "cancelling")
    while time.monotonic() < until and process.poll() is None:
        fresh = models.Charge.objects.filter(state__in=busy, leased_until__gt=time.time())
        if fresh.exists():
            time.sleep(0.05)
            return
        time.sleep(0.02)
    raise AssertionError(f"it drives nothing: {process.communicate()}")
