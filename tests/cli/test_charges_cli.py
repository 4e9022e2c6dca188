"""`payme charges`: import, run, list, show, orders and audit, against the sandbox over HTTP."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import Charges, ChargeState, SqlLedger
from payme.charges.audit import Audit
from payme.cli import charges as cli
from payme.cli.commands import payme as command
from payme.merchant.core import Order
from payme.merchant.service import Incoming, Merchant
from payme.merchant.stores.sqlalchemy import Orders, SqlAlchemyStore
from payme.sandbox import Sandbox
from support.postgres import postgres_database

KEY = Fernet.generate_key().decode()
HEAD = "id,amount,account.order_id,token,description\n"


@pytest.fixture(params=[{}, {"order_id": "order"}], ids=["account hidden", "account shown"])
def box(request):
    with Sandbox(account_fields=request.param) as box:
        box.shows_account = bool(request.param)
        yield box


@pytest.fixture
def shop(box, tmp_path, monkeypatch):
    """An environment with a sandbox and a ledger of its own."""
    environment = {
        "PAYME_MERCHANT_ID": box.merchant_id,
        "PAYME_KEY": box.key,
        "PAYME_BASE_URL": box.url,
        "PAYME_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        "PAYME_LEDGER_KEYS": KEY,
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PAYME_ENVIRONMENT", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Shop(box, tmp_path)


class Shop:
    def __init__(self, box, folder):
        self.box = box
        self.folder = folder
        self.token = box.add_card()
        self.ledger = folder / "ledger.db"
        self.printed = ""

    def csv(self, *lines, head=HEAD, name="charges.csv"):
        path = self.folder / name
        path.write_text(head + "".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    def good(self, number=1, count=1):
        return self.csv(
            *(f"order-{n},{50_000 + n},{n},{self.token},Non" for n in range(number, number + count))
        )

    def run(self, *arguments, code=0):
        done = CliRunner().invoke(command, ["charges", *arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        self.printed += done.output
        assert self.token not in self.printed
        assert self.box.key not in self.printed
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def audit(self, *options, code=0):
        today = datetime.now(UTC)
        day = timedelta(days=1)
        dates = [f"--from={(today - day).date()}", f"--to={(today + day).date()}"]
        return self.json("audit", *dates, *options, code=code)

    def execute(self, statement, *values):
        with closing(sqlite3.connect(self.ledger)) as connection, connection:
            return connection.execute(statement, values).fetchall()


def kinds(audited):
    return sorted(difference["kind"] for difference in audited["differences"])


def test_the_states_of_the_command_line_are_those_of_charges():
    assert set(cli.STATES) == {state.value for state in ChargeState}


def test_import_run_list_show_and_audit(shop):
    file = shop.good(count=3)
    assert "3 stored, 0 known, 0 refused" in shop.run("import", file).output
    told = shop.json("run", "--drain")
    assert (told["driven"], told["ended"], told["stopped"]) == (3, {"paid": 3}, False)
    listed = shop.json("list")
    assert [(one["id"], one["state"], one["amount"]) for one in listed] == [
        (f"order-{n}", "paid", 50_000 + n) for n in (1, 2, 3)
    ]
    assert all(shop.box.debits(one["receipt_id"]) == 1 for one in listed)
    shown = shop.json("show", "order-2")
    assert [event["after"] for event in shown["events"]] == ["new", "open", "paying", "paid"]
    assert "receipts.pay: PAID" in shop.run("show", "order-2").output
    assert "order-2" in shop.run("list", "--state", "paid").output
    assert shop.json("list", "--state", "failed") == []
    books = shop.audit()
    assert (books["receipts"], books["charges"], books["differences"]) == (3, 3, [])


def test_import_is_idempotent_and_charges_nobody_twice(shop):
    file = shop.good(count=2)
    shop.run("import", file)
    shop.run("run", "--drain")
    told = shop.json("import", file)
    assert (told["stored"], told["known"], told["refused"]) == (0, 2, 0)
    assert shop.json("run", "--drain")["driven"] == 0
    assert len(shop.box.receipts()) == 2


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        (",50000,1,TOKEN,", "id", "id: got ''"),
        ("a b,50000,1,TOKEN,", "id", "id: got 'a b'"),
        ("TOKEN,50000,1,order-1,", "id", "are the columns swapped"),
        ("order-1,500.00,1,TOKEN,", "amount", "amount: got '500.00'"),
        ("order-1,-5,1,TOKEN,", "amount", "whole number of tiyin"),
        ("order-1,0,1,TOKEN,", "amount", "amount: got 0"),
        ("order-1,٥٠,1,TOKEN,", "amount", "whole number of tiyin"),
        ("order-1,TOKEN,1,TOKEN,", "amount", "amount: got '<token>'"),
        ("order-1,50000,,TOKEN,", "account.order_id", "account.order_id: got ''"),
        ("order-1,50000,1,,", "token", "token: got"),
        ("order-1,50000,1,two words,", "token", "token: got '<token>'"),
        ("order-1,50000,1,TOKEN", None, "has 4 columns, expected 5"),
        ('order-1,50000,1,TOKEN,"a"b', None, "is no CSV"),
        ("order-1,50000,1,TOKEN,a\udcff", "description", "description: got"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_of_it_is_stored(shop, line, column, reason):
    path = shop.folder / "wrong.csv"
    written = HEAD + f"order-0,50000,0,{shop.token},\n\n{line}\norder-9,50000,9,{shop.token},\n"
    path.write_bytes(written.replace("TOKEN", shop.token).encode("utf-8", "surrogateescape"))
    done = shop.run("import", str(path), code=1)
    assert f"wrong.csv:4: {reason}" in done.stderr or reason in done.stderr
    assert f"{path}:4: " in done.stderr
    assert "2 stored, 0 known, 1 refused" in done.stdout
    assert [one["id"] for one in shop.json("list")] == ["order-0", "order-9"]
    told = shop.json("import", str(path), code=1)
    assert (told["known"], told["errors"][0]["line"]) == (2, 4)
    assert told["errors"][0]["column"] == column


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "uz",
            [
                "ta ustun bor, 5 ta kutilgan",
                "CSV emas",
                "id: 'a b' berilgan",
                "ustunlar almashib qolmaganmi",
                "amount: '5,0' berilgan, tiyinlarning butun soni",
                "amount: 0 berilgan",
                "account.order_id: '' berilgan",
                "token: '<token>' berilgan, cards.create qaytargan token kutilgan",
                "description: 'a\\x07' berilgan",
                "'order-0' nomli charge boshqa amount bilan bor",
            ],
        ),
        (
            "ru",
            [
                "столбцов 1, ожидалось 5",
                "это не CSV",
                "id: указано 'a b', ожидалось: от 1 до 128 знаков",
                "столбцы не перепутаны?",
                "amount: указано '5,0', ожидалось: целое число тийинов",
                "amount: указано 0, ожидалось",
                "account.order_id: указано '', ожидалось",
                "token: указано '<token>', ожидалось: токен",
                "description: указано 'a\\x07', ожидалось",
                "списание 'order-0' уже есть, но отличается: amount",
            ],
        ),
    ],
)
def test_why_a_line_was_refused_is_said_in_the_language_of_the_command(
    shop, monkeypatch, language, said
):
    monkeypatch.setenv("PAYME_LANG", language)
    token = shop.token
    lines = [
        "alone",
        f'order-1,50000,1,{token},"a"b',
        f"a b,50000,1,{token},",
        f"{token},50000,1,order-1,",
        f'order-1,"5,0",1,{token},',
        f"order-1,0,1,{token},",
        f"order-1,50000,,{token},",
        "order-1,50000,1,two words,",
        f"order-1,50000,1,{token},a\x07",
        f"order-0,60000,0,{token},",
    ]
    done = shop.run("import", shop.csv(f"order-0,50000,0,{token},", *lines), code=1)
    told = done.stderr.splitlines()
    assert len(told) == len(said)
    for text, line in zip(said, told, strict=True):
        assert text in line
    assert ", expected " not in done.stderr


def test_the_same_id_with_other_money_is_refused_in_one_file_and_in_the_next(shop):
    line = f"order-1,50000,1,{shop.token},"
    told = shop.json("import", shop.csv(line, line, line.replace("50000", "60000")), code=1)
    assert (told["stored"], told["known"], told["refused"]) == (1, 1, 1)
    assert (told["errors"][0]["line"], told["errors"][0]["column"]) == (4, "amount")
    told = shop.json("import", shop.csv(f"order-1,50000,2,{shop.token},"), code=1)
    assert told["errors"][0]["column"] == "account"
    assert shop.json("show", "order-1")["account"] == {"order_id": "1"}


def test_import_knows_a_charge_of_a_request_whose_account_is_a_number(shop):
    with closing(SqlLedger(os.environ["PAYME_LEDGER"], keys=[KEY])) as ledger, Payme() as payme:
        Charges(payme, ledger).charge("order-106", 50_000, {"order_id": 106}, shop.token)
    told = shop.json("import", shop.csv(f"order-106,50000,106,{shop.token},"))
    assert (told["stored"], told["known"]) == (0, 1)
    told = shop.json("import", shop.csv(f"order-106,50000,0106,{shop.token},"), code=1)
    assert told["errors"][0]["column"] == "account"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("", "missing: 'id', 'amount', 'token'"),
        ("id,amount,token\n", "missing: 'account.<field>'"),
        ("id;amount;account.order_id;token\n", "separated by commas"),
        ("id,amount,account.order_id,token,phone\n", "unknown: 'phone'"),
        ("id,amount,account.,token\n", "unknown: 'account.'"),
        ("id,id,amount,account.order_id,token\n", "twice: 'id'"),
    ],
)
def test_columns_that_are_not_those_of_charges_are_a_misuse(shop, head, reason):
    assert reason in shop.run("import", shop.csv(head=head), code=2).stderr


def test_columns_come_in_any_order_with_a_byte_order_mark_and_lines_in_quotes(shop):
    head = "\ufefftoken,description,account.order_id,account.shop,amount,id\n"
    shop.run("import", shop.csv(f'{shop.token},"Non,\n3 dona",007,bozor,70000,a-1', head=head))
    shown = shop.json("show", "a-1")
    assert (shown["amount"], shown["description"]) == (70_000, "Non,\n3 dona")
    assert shown["account"] == {"order_id": "007", "shop": "bozor"}


@pytest.mark.slow
def test_import_takes_constant_memory(shop):
    def peak(count):
        file = shop.good(number=count * 10, count=count)
        tracemalloc.start()
        shop.run("import", file)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)
    assert peak(6000) < peak(600) + 2_000_000


def test_tokens_are_encrypted_and_without_keys_that_is_said(shop, monkeypatch):
    done = shop.run("import", shop.good())
    assert "unencrypted" not in done.stderr
    assert shop.token.encode() not in shop.ledger.read_bytes()
    monkeypatch.setenv("PAYME_LEDGER_KEYS", "")
    assert "set PAYME_LEDGER_KEYS" in shop.run("import", shop.good(number=2)).stderr
    assert "give its keys" in shop.run("run", "--drain", code=2).stderr
    monkeypatch.setenv("PAYME_LEDGER_KEYS", f" {Fernet.generate_key().decode()} , {KEY} ")
    assert shop.json("run", "--drain")["ended"] == {"paid": 2}
    monkeypatch.setenv("PAYME_LEDGER_KEYS", "no key")
    assert "expected Fernet keys" in shop.run("list", code=2).stderr


def test_what_can_not_be_opened_is_said_in_a_line(shop, monkeypatch):
    for arguments in (["list"], ["show", "a"], ["refund", "a"], ["audit", "--from=2026-11-01"]):
        assert "there is no ledger" in shop.run(*arguments, code=2).stderr
    assert not shop.ledger.exists()
    assert "expected a URL" in shop.run("list", "--ledger", "payme.db", code=2).stderr
    assert "got mssql, expected" in shop.run("list", "--ledger=mssql://h/x", code=2).stderr
    shop.ledger.write_text("no database, but text that is long enough to look at " * 40)
    assert "the ledger can't be used" in shop.run("list", code=1).stderr


def test_a_key_that_payme_refuses_fails_no_charge(shop, monkeypatch):
    shop.run("import", shop.good())
    monkeypatch.setenv("PAYME_KEY", "another-key")
    assert "nothing was charged" in shop.run("run", "--drain", code=1).stderr
    monkeypatch.delenv("PAYME_KEY")
    shop.run("run", "--drain", code=2)
    monkeypatch.delenv("PAYME_MERCHANT_ID")
    assert "PAYME_MERCHANT_ID" in shop.run("run", "--drain", code=2).stderr
    assert [one["state"] for one in shop.json("list")] == ["new"]


def test_run_goes_on_after_a_lost_answer(shop):
    shop.box.faults.add("receipts.pay", when="after", action="drop", times=1)
    shop.run("import", shop.good())
    told = shop.json("run", "--drain", "--in-flight", "3", "--per-second", "50")
    assert told["ended"] == {"paid": 1}
    (charge,) = shop.json("list")
    assert shop.box.debits(charge["receipt_id"]) == 1


def poor(shop):
    token = shop.box.add_card(number="8600318600000007")  # no money
    shop.run("import", shop.csv(f"poor-1,50000,1,{token},"))
    shop.run("run", "--drain")


def test_retry_and_cancel_of_a_refused_charge(shop):
    poor(shop)
    told = shop.json("retry", "poor-1", code=1)
    assert (told["state"], told["attempts"]) == ("refused", 2)
    assert told["code"] < 0
    assert "poor-1 is failed" in shop.run("cancel", "poor-1").output
    assert shop.audit()["differences"] == []


def test_a_refund_is_done_when_the_money_is_back(shop):
    shop.run("import", shop.good())
    shop.run("run", "--drain")
    assert "is paid: can't cancel it" in shop.run("cancel", "order-1", code=1).stderr
    assert shop.json("refund", "order-1", "--wait", "100ms", code=3)["state"] == "refunding"
    assert shop.audit()["under_way"] == 1
    shop.box.clock.advance("12h")
    assert shop.json("refund", "order-1")["state"] == "refunded"
    assert shop.audit()["differences"] == []


def test_an_id_that_is_not_there(shop):
    shop.run("import", shop.good())
    for word in ("show", "refund", "retry", "cancel", "confirm", "vouch"):
        assert "no charge has the id 'order-77'" in shop.run(word, "order-77", code=1).stderr


def test_who_needs_a_person_is_listed(shop):
    shop.run("import", shop.good(count=2))
    shop.execute("UPDATE payme_charge SET state = 'cancelling', due = NULL WHERE id = 'order-2'")
    (found,) = shop.json("list", "--attention")
    assert (found["id"], found["needs_attention"]) == ("order-2", True)
    assert "a person must look at it" in shop.run("list", "--attention").output


def test_a_person_vouches_for_a_charge(shop):
    paid(shop)
    attention = "state = 'refunding', cancels = 1, due = NULL"
    assert "can't vouch" in shop.run("vouch", "order-1", code=1).stderr
    shop.execute(f"UPDATE payme_charge SET {attention} WHERE id = 'order-1'")
    assert shop.json("vouch", "order-1")["state"] == "paid"
    assert shop.audit()["differences"] == []


def paid(shop, count=1):
    shop.run("import", shop.good(count=count))
    shop.run("run", "--drain")
    return shop.json("list")


def test_audit_sees_another_amount(shop):
    paid(shop, 2)
    shop.execute("UPDATE payme_charge SET amount = amount + 1 WHERE id = 'order-2'")
    (found,) = shop.audit(code=1)["differences"]
    assert (found["kind"], found["charge_id"]) == ("amount", "order-2")
    assert (found["payme"]["amount"], found["ledger"]["amount"]) == (50_002, 50_003)
    today = datetime.now(UTC).date()
    text = shop.run("audit", f"--from={today - timedelta(days=1)}", code=1).output
    assert "amount " in text
    assert "1 differences" in text


def test_audit_sees_a_refund_that_was_made_by_other_means(shop):
    (charge,) = paid(shop)
    with Payme() as payme:
        payme.receipts.cancel(charge["receipt_id"])
    assert kinds(shop.audit(code=1)) == ["state"]


def test_audit_sees_a_charge_that_was_called_failed_while_its_receipt_is_paid(shop):
    paid(shop)
    shop.execute("UPDATE payme_charge SET state = 'failed'")
    assert kinds(shop.audit(code=1)) == ["state"]


def test_audit_sees_receipts_that_one_side_alone_knows(shop):
    paid(shop, 2)
    shop.execute("UPDATE payme_charge SET receipt_id = ? WHERE id = 'order-1'", "f" * 24)
    found = shop.audit(code=1)
    assert kinds(found) == ["only ledger", "only payme"]
    assert found["receipts"] == found["charges"] == 2


def test_receipts_made_by_hand_are_only_paymes_until_they_are_cancelled(shop):
    paid(shop)
    with Payme() as payme:
        receipt = payme.receipts.create(77_000, {"order_id": 700})
        assert kinds(shop.audit("--cancel-orphans", code=1)) == ["only payme"]
        payme.receipts.cancel(receipt.id)
    told = shop.audit()
    assert (told["differences"], told["cancelled_receipts"]) == ([], 1)


def orphan(shop):
    shop.box.faults.add("receipts.create", when="after", action="drop", times=1)
    (charge,) = paid(shop)
    (lost,) = (one.id for one in shop.box.receipts() if one.id != charge["receipt_id"])
    return charge, lost


def test_an_orphan_is_found_and_cancelled_on_request(shop):
    charge, lost = orphan(shop)
    (found,) = shop.audit(code=1)["differences"]
    assert (found["kind"], found["receipt_id"], found["charge_id"]) == ("orphan", lost, "order-1")
    told = shop.audit("--cancel-orphans")
    assert (told["orphans_cancelled"], told["differ"]) == (1, 0)
    assert shop.box.receipt(lost).state == 50
    assert shop.box.receipt(charge["receipt_id"]).state == 4
    assert shop.audit()["differences"] == []


def test_an_orphan_that_may_be_adopted_yet_is_under_way_and_not_cancelled(shop):
    _, lost = orphan(shop)
    shop.execute("UPDATE payme_charge SET state = 'new', receipt_id = NULL, due = 0")
    told = shop.audit("--cancel-orphans", code=1)
    assert kinds(told) == ["only payme"]  # the paid one, of which the ledger says nothing now
    assert shop.box.receipt(lost).state == 0
    assert told["under_way"] == 2


def by_hand(amount=50_001, order_id=1, description="Non"):
    with Payme() as payme:
        return payme.receipts.create(amount, {"order_id": order_id}, description=description).id


@pytest.mark.parametrize(
    "other", [{"amount": 50_003}, {"order_id": 2}, {"description": "Choy"}], ids=str
)
def test_what_no_charge_asked_for_is_never_cancelled(shop, other):
    paid(shop)
    receipt_id = by_hand(**other)
    assert kinds(shop.audit("--cancel-orphans", code=1)) == ["only payme"]
    assert shop.box.receipt(receipt_id).state == 0


def test_a_receipt_of_an_earlier_time_is_no_orphan(shop):
    receipt_id = by_hand()
    paid(shop)
    shop.execute("UPDATE payme_charge SET created = created + 3600, changed = changed + 3600")
    assert kinds(shop.audit("--cancel-orphans", code=1)) == ["only payme"]
    assert shop.box.receipt(receipt_id).state == 0


def test_an_orphan_of_a_crash_is_told_by_its_account_where_it_is_shown(shop):
    paid(shop)
    receipt_id = by_hand()
    assert kinds(shop.audit(code=1)) == ["orphan" if shop.box.shows_account else "only payme"]
    shop.audit("--cancel-orphans", code=0 if shop.box.shows_account else 1)
    assert shop.box.receipt(receipt_id).state == (50 if shop.box.shows_account else 0)


def test_a_paid_receipt_is_never_cancelled(shop):
    _, lost = orphan(shop)
    with Payme() as payme:
        payme.receipts.pay(lost, shop.token)
    assert kinds(shop.audit("--cancel-orphans", code=1)) == ["only payme"]
    assert shop.box.receipt(lost).state == 4


def test_an_orphan_that_is_paid_in_the_moment_before_it_is_cancelled_stays(shop, monkeypatch):
    _, lost = orphan(shop)
    find = Audit._find_orphans

    def then_somebody_pays(self):
        find(self)
        with Payme() as payme:
            payme.receipts.pay(lost, shop.token)

    monkeypatch.setattr(Audit, "_find_orphans", then_somebody_pays)
    assert kinds(shop.audit("--cancel-orphans", code=1)) == ["orphan"]
    assert shop.box.receipt(lost).state == 4


def test_audit_sees_money_that_was_taken_for_a_refused_charge(shop):
    poor(shop)
    (charge,) = shop.json("list")
    assert shop.audit()["differences"] == []
    with Payme() as payme:
        payme.receipts.pay(charge["receipt_id"], shop.token)
    assert kinds(shop.audit(code=1)) == ["state"]


def test_audit_of_many_pages(shop):
    shop.run("import", shop.good(count=120))
    shop.run("run", "--drain", "--in-flight", "20")
    told = shop.audit()
    assert (told["receipts"], told["charges"], told["differ"]) == (120, 120, 0)


@pytest.mark.parametrize(
    ("language", "said"), [("uz", "0 ta chek, 0 ta charge"), ("ru", "учёт сходится")]
)
def test_an_audit_and_a_list_are_in_the_language(shop, monkeypatch, language, said):
    monkeypatch.setenv("PAYME_LANG", language)
    shop.run("import", shop.csv())
    assert "known from" not in shop.run("list").stdout
    assert said in shop.run("audit", "--from", "2020-01-01", "--to", "2020-01-02").stdout


def test_an_audit_that_payme_does_not_answer_is_undecided(shop):
    paid(shop)
    shop.box.faults.add("receipts.get_all", when="before", action="http_status", status=503)
    done = shop.run("audit", f"--from={datetime.now(UTC).date()}", "--json", code=3)
    told = json.loads(done.stdout)["error"]
    assert (told["kind"], told["method"], told["exit_code"]) == ("unknown", "receipts.get_all", 3)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (["--from=yesterday"], "expected a date such as"),
        (["--from=2026-11-02", "--to=2026-11-01"], "a time before --to"),
        (["--from=2026-11-02", "--to=2026-11-31"], "expected a date such as"),
    ],
)
def test_a_period_that_is_none_is_a_misuse(shop, dates, reason):
    shop.run("import", shop.good())
    assert reason in shop.run("audit", *dates, code=2).stderr


PROGRAM = [sys.executable, "-c", "from payme.cli import main; main()", "charges"]


def process(*arguments, code=0):
    done = subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done


def test_an_audit_shows_on_a_terminal_how_far_it_is(shop):
    """On the error stream: what is piped has none of it."""
    pty = pytest.importorskip("pty", reason="there are no terminals here")
    shop.run("import", shop.good(count=4))
    shop.run("run", "--drain")
    ours, theirs = pty.openpty()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    done = subprocess.run(
        [*PROGRAM, "audit", f"--from={yesterday}", "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        timeout=60,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"\d receipts, \d charges", shown), shown
    assert json.loads(done.stdout)["receipts"] == 4


@pytest.mark.slow
def test_the_commands_as_processes(shop):
    assert "4 stored" in process("import", shop.good(count=4)).stdout
    done = process("run", "--drain", "--in-flight", "4")
    assert (done.stdout, done.stderr) == ("4 paid\n", "")
    listed = json.loads(process("list", "--json").stdout)
    assert {(one["state"], shop.box.debits(one["receipt_id"])) for one in listed} == {("paid", 1)}
    today = datetime.now(UTC).date()
    period = (f"--from={today - timedelta(days=1)}", f"--to={today + timedelta(days=1)}")
    assert "the books agree" in process("audit", *period).stdout
    shop.execute("UPDATE payme_charge SET amount = 1 WHERE id = 'order-1'")
    assert json.loads(process("audit", "--json", *period, code=1).stdout)["differ"] == 1


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that can be heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_runner_after_what_is_under_way(shop, number):
    shop.box.faults.add("receipts.pay", when="after", action="delay", delay_ms=1000)
    shop.run("import", shop.good(count=6))
    with subprocess.Popen(
        [*PROGRAM, "run", "--in-flight", "2", "--json"], stdout=subprocess.PIPE, text=True
    ) as running:
        wait_for(lambda: any(shop.box.debits(one.id) for one in shop.box.receipts()))
        running.send_signal(number)
        out, _ = running.communicate(timeout=20)
    assert running.returncode == 0
    told = json.loads(out)
    states = [one["state"] for one in shop.json("list")]
    assert told["stopped"]
    assert set(states) == {"paid", "new"}
    assert told["ended"] == {"paid": states.count("paid")}
    shop.box.faults.clear()
    shop.json("run", "--drain")
    assert [one["state"] for one in shop.json("list")] == ["paid"] * 6
    assert len(shop.box.receipts()) == 6


def test_the_command_line_needs_no_database_for_other_commands():
    code = "import sys, payme.cli.commands; print('sqlalchemy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


@pytest.mark.slow
def test_several_runners_on_one_postgresql_take_each_charge_once(shop, monkeypatch):
    with postgres_database() as url:
        monkeypatch.setenv("PAYME_LEDGER", url)
        shop.run("import", shop.good(count=60))
        runners = [
            subprocess.Popen([*PROGRAM, "run", "--drain", "--json"], stdout=subprocess.PIPE)
            for _ in range(3)
        ]
        told = [json.loads(one.communicate(timeout=60)[0]) for one in runners]
        assert [one.returncode for one in runners] == [0, 0, 0]
        assert sum(one["driven"] for one in told) >= 60
        listed = shop.json("list", "--state", "paid")
        assert [shop.box.debits(one["receipt_id"]) for one in listed] == [1] * 60
        assert len(shop.box.receipts(100)) == 60
        assert shop.audit()["differ"] == 0


# The third book: the transactions that the shop's Merchant API keeps.


@pytest.fixture
def billed(tmp_path, monkeypatch):
    """A shop with the Merchant API, which the sandbox asks; its database has all three tables."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/ledger.db")

    class Everything(Orders):
        def find(self, connection, account):
            amount = 50_000 + int(account["order_id"])
            return Order(id=str(account["order_id"]), amount=amount)

        def paid(self, connection, transaction):
            pass

        def cancelled(self, connection, transaction):
            pass

    store = SqlAlchemyStore(engine, Everything())
    store.create_all()
    merchant = Merchant(store, keys="key-of-the-shop")

    def answer(body, headers):
        reply = merchant.answer(Incoming("POST", body, headers["Authorization"]))
        return 200, reply

    with Sandbox(
        account_fields={"order_id": "order"}, merchant=answer, merchant_key="key-of-the-shop"
    ) as box:
        environment = {
            "PAYME_MERCHANT_ID": box.merchant_id,
            "PAYME_KEY": box.key,
            "PAYME_BASE_URL": box.url,
            "PAYME_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
            "PAYME_LEDGER_KEYS": KEY,
            "PAYME_TRANSACTIONS": f"sqlite:///{tmp_path}/ledger.db",
        }
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("PAYME_ENVIRONMENT", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield Shop(box, tmp_path)
    engine.dispose()


def test_audit_of_three_books(billed):
    assert len(paid(billed, 3)) == 3
    told = billed.audit()
    assert (told["receipts"], told["charges"], told["transactions"], told["differ"]) == (3, 3, 3, 0)
    billed.execute("UPDATE payme_transaction SET state = 1 WHERE order_id = '2'")
    told = billed.audit(code=1)
    (found,) = told["differences"]
    assert (found["kind"], found["charge_id"]) == ("not performed", "order-2")
    assert found["merchant"] == {"state": "CREATED", "amount": 50_002}
    assert found["payme"] == {"state": "PAID", "amount": 50_002}
    assert found["ledger"] == {"state": "paid", "amount": 50_002}
    today = datetime.now(UTC).date()
    text = billed.run("audit", f"--from={today - timedelta(days=1)}", code=1).output
    assert "merchant: CREATED 50002" in text
    assert "3 transactions" in text


def test_audit_compares_the_transactions_of_one_cash_box(billed):
    """Two cash-boxes keep theirs in one table; the receipts are those of one."""
    assert len(paid(billed, 2)) == 2
    billed.execute("UPDATE payme_transaction SET box = 'tea'")
    assert billed.audit()["transactions"] == 2
    columns = "order_id, time, amount, account, create_time, perform_time, cancel_time, state"
    billed.execute(
        f"INSERT INTO payme_transaction (id, box, {columns}, receivers, fiscal)"
        f" SELECT 'f' || substr(id, 2), 'books', {columns}, receivers, fiscal"
        " FROM payme_transaction"
    )
    told = billed.audit("--box", "tea")
    assert (told["transactions"], told["differences"]) == (2, [])
    told = billed.audit("--box", "books", code=1)
    assert kinds(told) == ["not performed", "not performed", "only merchant", "only merchant"]
    stderr = billed.run("audit", f"--from={datetime.now(UTC).date()}", code=2).stderr
    assert "those of 2 cash-boxes ('books', 'tea')" in stderr


def test_a_cash_box_without_transactions_is_a_misuse(shop):
    shop.run("import", shop.good())
    done = shop.run("audit", "--from=2026-11-01", "--box=tea", code=2)
    assert "--box: no transactions are compared; expected --transactions, too" in done.stderr


def test_audit_sees_goods_that_went_out_though_the_money_went_back(billed):
    (charge,) = paid(billed)
    with Payme() as payme:
        payme.receipts.cancel(charge["receipt_id"])
    billed.box.clock.advance("12h")
    assert kinds(billed.audit(code=1)) == ["state"]
    billed.execute("UPDATE payme_transaction SET state = 2")
    assert kinds(billed.audit(code=1)) == ["not paid", "state"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///nowhere.db", "there is no file nowhere.db"),
        ("shop.db", "expected a URL"),
        ("sqlite:///other.db", "no table payme_transaction"),
    ],
)
def test_transactions_that_are_not_there_are_a_misuse(shop, url, reason):
    shop.run("import", shop.good())
    with closing(sqlite3.connect("other.db")):
        done = shop.run("audit", "--from=2026-11-01", "--transactions", url, code=2)
    assert reason in done.stderr
    assert not (shop.folder / "nowhere.db").exists()


def at_a_terminal(monkeypatch, language, *arguments, said=None):
    """Call a command where a person sits."""
    monkeypatch.setattr("payme.cli.asking._is_terminal", lambda: True)
    monkeypatch.setenv("PAYME_LANG", language)
    answer = None if said is None else f"{said}\n"
    return CliRunner().invoke(command, ["charges", *arguments], input=answer)


ASKED = [
    ("uz", "puli toʻlovchiga qaytarilsinmi?", "ha"),
    ("ru", "Вернуть плательщику деньги", "да"),
    ("en", "Give the money of", "y"),
]


@pytest.mark.parametrize(("language", "asked", "yes"), ASKED, ids=["uz", "ru", "en"])
def test_a_person_is_asked_before_money_goes_back(shop, monkeypatch, language, asked, yes):
    paid(shop)
    (state,) = shop.execute("SELECT state FROM payme_charge")
    calls = shop.box.traffic.entries
    for no in ("", "no", "what"):
        before = len(calls())
        done = at_a_terminal(monkeypatch, language, "refund", "order-1", said=no)
        assert done.exit_code == 1
        assert len(calls()) == before
        assert asked in done.stderr
        assert f"order-1 (500,01 {'сум' if language == 'ru' else 'soʻm'}, paid, " in done.stderr
        assert shop.box.url in done.stderr
        assert shop.execute("SELECT state FROM payme_charge") == [state]
    done = at_a_terminal(monkeypatch, language, "refund", "order-1", "--wait=100ms", said=yes)
    assert done.exit_code == 3
    assert "payme charges run" in done.stderr
    assert shop.execute("SELECT state FROM payme_charge") == [("refunding",)]


@pytest.mark.parametrize("word", ["retry", "cancel"])
def test_a_person_is_asked_before_a_charge_is_tried_again_or_given_up(shop, monkeypatch, word):
    poor(shop)
    done = at_a_terminal(monkeypatch, "en", word, "poor-1", said="n")
    assert (done.exit_code, "[y/N]" in done.stderr) == (1, True)
    assert shop.execute("SELECT state FROM payme_charge") == [("refused",)]


def test_nobody_is_asked_in_vain(shop, monkeypatch):
    paid(shop)
    conflict = at_a_terminal(monkeypatch, "en", "cancel", "order-1")
    assert "is paid: can't cancel it" in conflict.stderr
    agreed = at_a_terminal(monkeypatch, "en", "refund", "order-1", "--yes", "--wait=100ms")
    there = at_a_terminal(monkeypatch, "en", "refund", "order-1", "--wait=100ms")
    assert (conflict.exit_code, agreed.exit_code, there.exit_code) == (1, 3, 3)
    assert not any("[y/N]" in done.stderr for done in (conflict, there, agreed))


@pytest.mark.parametrize(
    ("language", "missing", "conflict", "nowhere"),
    [
        ("uz", "'order-77' nomli charge yoʻq", "holati paid: bu holatda", "daftari yoʻq"),
        ("ru", "списания с ID 'order-77' нет", "в состоянии paid: так с ним", "журнала "),
    ],
)
def test_what_goes_wrong_is_said_in_the_language(
    shop, monkeypatch, language, missing, conflict, nowhere
):
    monkeypatch.setenv("PAYME_LANG", language)
    assert nowhere in shop.run("list", code=2).stderr
    paid(shop)
    for word in ("show", "refund"):
        assert missing in shop.run(word, "order-77", code=1).stderr
    assert conflict in shop.run("cancel", "order-1", code=1).stderr
    monkeypatch.setenv("PAYME_KEY", "wrong-key-wrong-key")
    refused = shop.run("run", "--drain", code=1).stderr
    assert ("Payme" in refused, "nothing was charged" in refused) == (True, False)
    shop.ledger.write_text("no database, but text that is long enough to look at " * 40)
    broken = shop.run("list", code=1).stderr
    assert ("can't be used" in broken, "file is not a database" in broken) == (False, True)
