"""`payme recurring`: run, due, show and simulate, against the sandbox over HTTP."""

import json
from datetime import UTC, datetime, time, timedelta

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.cli.commands import payme as command
from payme.recurring import Recurring
from payme.sandbox import Sandbox

KEY = Fernet.generate_key().decode()
PRICE = 5_000_000


@pytest.fixture
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture
def club(box, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/ledger.db"
    environment = {
        "PAYME_MERCHANT_ID": box.merchant_id,
        "PAYME_KEY": box.key,
        "PAYME_BASE_URL": box.url,
        "PAYME_LEDGER": url,
        "PAYME_LEDGER_KEYS": KEY,
    }
    monkeypatch.delenv("PAYME_ENVIRONMENT", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with Payme() as client:
        ledger = SqlLedger(url, keys=[KEY])
        recurring = Recurring(Charges(client, ledger))
        recurring.create_all()
        # The first period is due now, whatever the time of the day.
        options = {"missed": "skip", "at": time(0)}
        recurring.create("club-17", PRICE, {"member": 17}, box.add_card(), **options)
        ledger.close()


def run(*arguments, code=0):
    result = CliRunner().invoke(command, ["recurring", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_run_takes_what_is_due_and_show_tells(club, box):
    assert "open" in run("show", "club-17")
    run("run", "--drain")
    shown = json.loads(run("show", "club-17", "--json"))
    assert [period["state"] for period in shown["periods"]] == ["paid"]
    assert shown["state"] == "active"
    assert len(box.receipts()) == 1
    assert "50 000" in run("show", "club-17")


def test_due_by_a_moment(club):
    later = (datetime.now(UTC) + timedelta(days=60)).isoformat()
    assert [one["id"] for one in json.loads(run("due", "--at", later, "--json"))] == ["club-17"]
    assert "club-17" in run("due", "--at", later)
    assert json.loads(run("due", "--json")) == []
    assert "--at: expected a moment" in run("due", "--at", "tomorrow", code=2)
    assert "--at: expected a moment" in run("due", "--at", "2026-12-01T00:00:00", code=2)


def test_simulate_stores_nothing(club):
    before = run("show", "club-17", "--json")
    lines = json.loads(run("simulate", "club-17", "--months", "12", "--json"))
    assert len(lines) == 12
    assert [line["n"] for line in lines] == list(range(1, 13))
    assert {line["amount"] for line in lines} == {PRICE}
    assert len(run("simulate", "club-17", "--months", "3").splitlines()) == 3
    assert run("show", "club-17", "--json") == before


def test_what_is_not_there_is_said(club):
    assert "no subscription has the id 'club-1'" in run("show", "club-1", code=1)


def test_a_ledger_that_is_not_there_is_not_made(tmp_path):
    url = f"sqlite:///{tmp_path}/none.db"
    assert "there is no ledger" in run("show", "club-1", "--ledger", url, code=2)


def test_a_wrong_key_is_said_at_once(club, monkeypatch):
    monkeypatch.setenv("PAYME_KEY", "k" * 36)
    assert "Payme refuses" in run("run", "--drain", code=1)


@pytest.fixture
def lost(club, box):
    """A receipt of the first period that the ledger knows nothing of."""
    with Payme() as client:
        receipt = client.receipts.create(PRICE, {"member": 17}, description="club-17:0")
        client.receipts.pay(receipt.id, box.add_card())
    return receipt.id


def test_a_ledger_that_is_behind_is_refused_shown_and_mended(lost, box):
    assert "the ledger is behind" in run("run", "--drain", code=1)
    assert json.loads(run("show", "club-17", "--json"))["periods"][0]["state"] == "open"
    assert len(box.receipts()) == 1, "nothing was driven"
    (found,) = json.loads(run("check", "--json", code=1))
    assert (found["receipt_id"], found["charge_id"]) == (lost, "club-17:0")
    assert (found["amount"], found["state"]) == (PRICE, "PAID")
    shown = run("check", code=1)
    assert lost in shown
    assert "50 000" in shown
    assert run("adopt", "--all") == f"{lost} is in club-17\n"
    assert run("check") == ""
    run("run", "--drain")
    assert len(box.receipts()) == 1, "it was taken once"
    shown = json.loads(run("show", "club-17", "--json"))
    assert [period["state"] for period in shown["periods"]] == ["paid"]


def test_one_that_cant_be_taken_in_is_said(lost, box):
    with Payme() as client:
        other = client.receipts.create(PRICE, {"member": 17}, description="club-9:0")
        client.receipts.pay(other.id, box.add_card())
    assert "no subscription has the id 'club-9'" in run("adopt", other.id, code=1)
    assert run("adopt", lost) == f"{lost} is in club-17\n"
    for arguments in ((), (lost, "--all")):
        assert "give ids of receipts, or --all" in run("adopt", *arguments, code=2)


def test_receipts_of_another_ledger_are_dismissed(lost):
    assert run("check", "--dismiss") == ""
    assert run("check") == ""


def test_what_payme_did_not_answer_is_not_known(club, box, monkeypatch):
    monkeypatch.setenv("PAYME_BASE_URL", "http://127.0.0.1:9")
    run("check", code=3)
