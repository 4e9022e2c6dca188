"""`payme cards` and `payme receipts` against the sandbox over HTTP."""

import csv
import io
import json
import os
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from program_tools import CARD, CODE, EXPIRE, PROGRAM, Terminal, environment, process, run, run_json

from payme import Payme, Receipt
from payme.cli.commands import payme as command
from payme.cli.receipt_commands import _proven
from payme.cli.receipt_output import _STATES
from payme.protocol.calls import METHODS
from payme.protocol.states import ReceiptState
from payme.sandbox import Sandbox

FULL = Path("/dev/full")
DAY = ("--from", "2020-01-01")


@pytest.fixture
def box():
    with Sandbox(account_fields={"order_id": "Order"}) as box:
        yield box


@pytest.fixture
def env(box):
    return environment(box)


@pytest.fixture
def api(box):
    with Payme(box.merchant_id, box.key, base_url=box.url) as api:
        yield api


@pytest.fixture
def token(box):
    return box.add_card()


def receipt_of(api, amount=5_000_000, **more):
    return api.receipts.create(amount, {"order_id": "7"}, **more).id


def test_every_method_has_its_command():
    for method in METHODS:
        group, _, name = method.partition(".")
        commands = command.get_command(None, group).commands
        assert name.replace("_", "-") in commands, method


def test_every_state_is_told_in_words():
    assert set(_STATES) == {int(state) for state in ReceiptState}


@pytest.mark.slow
def test_the_whole_journey_as_processes(env):
    made = process("cards", "create", "--show-token", "--json", env=env, given=f"{CARD}\n{EXPIRE}")
    token = json.loads(made.stdout)["token"]
    sent = run("cards", "get-verify-code", env=env, given=token)
    assert "a code was sent to 99890*****" in sent.stdout
    verified = run("cards", "verify", "--json", env=env, given=f"{token}\n{CODE}\n")
    assert json.loads(verified.stdout)["verify"] is True
    create = ("receipts", "create", "--amount", "5000000", "--account", "order_id=7", "--json")
    receipt = run_json(*create[:-1], env=env)
    assert (receipt["state_name"], receipt["amount"]) == ("created", 5_000_000)
    done = process("receipts", "pay", receipt["id"], "--yes", env=env, given=token)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{receipt['id']} is paid: 50 000 soʻm, card 860006******6311.\n"
    assert "paid (4)" in run("receipts", "check", receipt["id"], env=env).stdout
    fiscal = ("--number", "1", "--url", "https://ofd.soliq.uz/check?t=1")
    run("receipts", "set-fiscal-data", receipt["id"], *fiscal, env=env)
    phone = "998901304527"
    unpaid = run_json(*create[:-1], env=env)["id"]
    assert run("receipts", "send", unpaid, env=env, given=phone).stdout == "sent\n"
    gone = process("receipts", "cancel", receipt["id"], "--yes", "--json", env=env)
    told = json.loads(gone.stdout)
    # A refund goes through a queue, which the billing may refuse.
    assert (gone.returncode, told["state"], told["proven"], told["sent"]) == (3, 21, None, True)
    assert told["next"] == f"payme receipts resolve {receipt['id']} --after cancel"
    proven = process(*told["next"].split()[1:], env=env)
    assert (proven.returncode, "went back" in proven.stdout) == (0, True)
    assert run("cards", "remove", env=env, given=token).stdout == "removed\n"
    refused = run("cards", "check", "--json", env=env, given=token, code=1)
    assert json.loads(refused.stdout)["error"]["class"] == "NotFound"
    for one in (made, sent, verified, done, gone):
        assert CARD not in one.stdout + one.stderr
        assert CODE not in one.stdout + one.stderr
    for one in (sent, verified, done, gone, refused):
        assert token not in one.stdout + one.stderr


@pytest.mark.parametrize("given", [CARD, CODE, "5e730e8e0b852a417aa49ceb_x" + "y" * 60])
@pytest.mark.parametrize("name", ["create", "get-verify-code", "verify", "check", "remove"])
def test_a_secret_among_the_arguments_is_refused_and_not_repeated(env, name, given):
    done = run("cards", name, given, env=env, code=2)
    assert "the shell keeps them in its history" in done.stderr
    assert given not in done.output


def test_a_token_beside_the_receipt_is_refused_and_not_repeated(box, env, api, token):
    receipt = receipt_of(api)
    done = run("receipts", "pay", receipt, token, "--yes", env=env, code=2)
    assert token not in done.output
    assert box.ledger() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("receipts", "get", "5e730e8e0b852a417aa49ceb", CARD),
        ("receipts", "check", CARD, CARD),
        ("receipts", "list", f"--{CARD}"),
        (CARD,),
        ("receipts", "create", "--amount", "8600 0691 9540 6311", "--account", "order_id=1"),
    ],
)
def test_a_card_number_anywhere_else_is_masked(env, arguments):
    for more in ((), ("--json",)):
        output = run(*arguments, *more, env=env, code=2).output
        assert "6311" not in output.replace("860006******6311", "")


def test_a_token_is_shown_only_when_asked(env, token):
    plain = run("cards", "check", env=env, given=token)
    assert "token: <token>" in plain.stdout
    assert run_json("cards", "check", env=env, given=token)["token"] == "<token>"
    assert run("cards", "check", "--show-token", env=env, given=token).stdout.count(token) == 1


def test_a_secret_that_does_not_come_is_a_misuse(env):
    done = run("cards", "check", env=env, code=2)
    assert "a line is missing on standard input: Card token" in done.stderr


@pytest.mark.parametrize("name", ["pay", "cancel", "confirm-hold", "confirm"])
def test_without_a_terminal_and_without_yes_nothing_moves(box, env, api, token, name):
    receipt = receipt_of(api, hold=True)
    if name != "pay":
        api.receipts.pay(receipt, token, hold=True)
    before = api.receipts.get(receipt).state
    done = run("receipts", name, receipt, env=env, given=f"{token}\ny\n", code=2)
    assert "add --yes if you agree" in done.stderr
    assert "50 000 soʻm" in done.stderr
    assert api.receipts.get(receipt).state == before


@pytest.mark.parametrize(("answer", "state"), [("", 0), ("n", 0), ("y", 4), ("да", 4)])
def test_a_terminal_is_asked(env, api, token, answer, state):
    receipt = receipt_of(api)
    terminal = Terminal("receipts", "pay", receipt, env=env)
    terminal.until("[y/N]")
    assert f"Pay {receipt} (50 000 soʻm, created, http://127.0.0.1" in terminal.seen
    terminal.type(answer)
    if state:
        terminal.until("Card token")
        terminal.type(token)
    code, _ = terminal.end()
    assert code == (0 if state else 1)
    assert api.receipts.get(receipt).state == state
    assert ("Not agreed; nothing was sent" in terminal.seen) is not state
    assert token not in terminal.seen


@pytest.mark.slow
def test_what_is_paid_already_is_not_paid_again(box, env, api, token):
    receipt = receipt_of(api)
    api.receipts.pay(receipt, token)
    for name, code, proven in (("pay", 0, True), ("confirm", 0, True)):
        told = run_json("receipts", name, receipt, env=env, code=code)
        assert (told["proven"], told["sent"]) == (proven, False)
    api.receipts.wait(api.receipts.cancel(receipt))
    for name, code in (("pay", 1), ("confirm", 1), ("cancel", 0)):
        done = run("receipts", name, receipt, env=env, code=code)
        assert "is cancelled: it can take no money" in done.stdout
        assert "nothing was sent" in done.stderr


def test_a_hold_is_told_as_a_hold_and_confirmed(env, api, token):
    receipt = receipt_of(api, hold=True)
    held = run("receipts", "pay", receipt, "--hold", "--yes", env=env, given=token)
    assert "holds 50 000 soʻm" in held.stdout
    assert "is paid" not in held.stdout
    taken = run("receipts", "confirm-hold", receipt, "--yes", env=env)
    assert "is paid: 50 000 soʻm" in taken.stdout


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
def test_a_payment_whose_answer_can_not_be_written_is_not_called_a_failure(env, api, token):
    receipt = receipt_of(api)
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "receipts", "pay", receipt, "--yes"],
            input=token.encode(), env=env, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert api.receipts.get(receipt).is_paid
    assert done.returncode == 3
    assert done.stderr.decode().count("\n") == 1
    assert "may have been executed" in done.stderr.decode()


def test_whoever_stops_reading_hears_no_more_and_no_failure(env):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*PROGRAM, "errors"], env=env, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (3, b"")


def test_a_file_that_can_not_be_made_is_named(env, tmp_path):
    file = str(tmp_path / "nowhere" / "code.svg")
    wanted = ("link", "--amount", "1", "--account", "order_id=7", "--qr", file)
    assert file in run(*wanted, env=env, code=1).stderr
    assert file in run_json(*wanted, env=env, code=1)["error"]["message"]


def test_a_lost_answer_names_the_command_that_finds_out(box, env, api, token):
    receipt = receipt_of(api)
    box.faults.add("receipts.pay", when="after", action="drop")
    done = run("receipts", "pay", receipt, "--yes", env=env, given=token, code=3)
    assert "What became of it is not known: money may have moved." in done.stderr
    assert "is paid" not in done.output
    told = run_json("receipts", "pay", receipt_of(api), "--yes", env=env, given=token, code=3)
    assert told["error"]["kind"] == "outcome_unknown"
    assert told["error"]["method"] == "receipts.pay"
    assert told["error"]["receipt_id"] in told["error"]["next"]
    found = run(*told["error"]["next"].split()[1:], env=env)
    assert "is paid: 50 000 soʻm" in found.stdout


def test_an_unpaid_receipt_proves_nothing_until_it_is_cancelled(box, env, api, token):
    receipt = receipt_of(api)
    box.faults.add("receipts.pay", when="before", action="drop")
    run("receipts", "pay", receipt, "--yes", env=env, given=token, code=3)
    resolve = ("receipts", "resolve", receipt, "--after", "pay", "--wait", "300ms")
    done = run(*resolve, env=env, code=3)
    assert "CREATED (0)" in done.stderr
    assert f"payme receipts resolve {receipt} --after pay" in done.stderr
    refused = run(*resolve, "--cancel", env=env, code=2)
    assert "add --yes" in refused.stderr
    assert api.receipts.get(receipt).state == 0
    gone = run(*resolve, "--cancel", "--yes", env=env, code=1)
    assert "is cancelled: it can take no money" in gone.stdout


def test_paid_is_not_said_beside_a_cancellation_that_may_be_on_its_way(box, env, api, token):
    receipt = receipt_of(api)
    api.receipts.pay(receipt, token)
    box.faults.add("receipts.cancel", when="before", action="drop")
    told = run_json("receipts", "cancel", receipt, "--yes", env=env, code=3)
    follow = told["error"]["next"].split()[1:]
    assert follow[-2:] == ["--after", "cancel"]
    done = run(*follow, "--wait", "300ms", env=env, code=3)
    assert "is paid" not in done.output
    assert "PAID (4) and a cancellation may be on its way" in done.stderr


def test_a_payment_on_its_way_is_not_called_paid(env, api, token, box):
    with (
        Sandbox(progression="clock:1h") as slow,
        Payme(slow.merchant_id, slow.key, base_url=slow.url) as api,
    ):
        env = environment(slow)
        receipt = api.receipts.create(5_000_000, {"order_id": "7"}).id
        given = slow.add_card()
        told = run_json("receipts", "pay", receipt, "--yes", env=env, given=given, code=3)
        assert (told["proven"], told["state"]) == (None, 1)
        done = run("receipts", "wait", receipt, "--wait", "300ms", env=env, code=3)
        assert f"payme receipts resolve {receipt} --after pay" in done.stderr
        slow.clock.advance("4h")
        assert "is paid" in run(*told["next"].split()[1:], env=env).stdout
        assert run_json("receipts", "wait", receipt, env=env)["proven"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_of_a_payment_ends_as_unknown(box, env, api, token, number):
    receipt = receipt_of(api)
    box.faults.add_text("receipts.pay after delay delay=5s")
    terminal = Terminal("receipts", "pay", receipt, "--yes", "--json", env=env, piped=True)
    terminal.until("Card token")
    terminal.type(token)
    while not box.debits(receipt):
        time.sleep(0.05)
    terminal.signal(number)
    code, out = terminal.end()
    assert code == 3, terminal.seen
    assert f"resolve {receipt} --after pay" in json.loads(out)["error"]["next"]


def test_an_interruption_before_anything_was_sent_is_told_as_such(env, api, token):
    terminal = Terminal("receipts", "pay", receipt_of(api), env=env)
    terminal.until("[y/N]")
    terminal.interrupt()
    assert terminal.end()[0] == 130
    assert "Interrupted." in terminal.seen


def test_what_was_never_sent_is_told_as_such(env):
    with Sandbox() as gone:
        pass
    dead = {**env, "PAYME_BASE_URL": "http://127.0.0.1:9"}
    told = run_json("receipts", "check", "5e730e8e0b852a417aa49ceb", env=dead, code=1)
    assert told["error"]["kind"] == "not_sent"
    assert "trying again is safe" in told["error"]["message"]
    del gone


@pytest.mark.parametrize(
    ("arguments", "method", "said"),
    [
        (("create", "--amount", "5", "--account", "order_id=1"), "create", "Nobody was charged"),
        (("check", "5e730e8e0b852a417aa49ceb"), "check", "It is safe to repeat"),
        (("send", "5e730e8e0b852a417aa49ceb"), "send", "at most a second SMS"),
    ],
)
def test_what_a_lost_answer_of_the_others_means(box, env, arguments, method, said):
    box.faults.add(f"receipts.{method}", when="before", action="http_status", status=502)
    given = "998901304527"
    told = run_json("receipts", *arguments, "--timeout", "1s", env=env, given=given, code=3)
    assert said in told["error"]["message"]
    assert "next" not in told["error"]


def test_a_refusal_has_code_meaning_and_remedy(env, api, box):
    receipt = receipt_of(api)
    poor = box.add_card(number="8600318600000007")
    told = run_json("receipts", "pay", receipt, "--yes", env=env, given=poor, code=1)["error"]
    assert (told["kind"], told["code"], told["class"]) == ("rejected", -31630, "InsufficientFunds")
    assert told["meaning"] == "Not enough money on the card."
    uzbek = {**env, "PAYME_LANG": "uz"}
    done = run("receipts", "pay", receipt, "--yes", env=uzbek, given=poor, code=1)
    assert done.stderr.startswith("Xato: receipts.pay: -31630")
    assert "Kartada mablagʻ yetarli emas. Toʻlovchidan boshqa karta soʻrang." in done.stderr


DETAIL = {
    "items": [
        {
            "title": "Non",
            "price": 500_000,
            "count": 2,
            "code": "00702001001000001",
            "vat_percent": 12,
            "package_code": "123456",
        }
    ]
}


def test_lines_of_a_fiscal_receipt_come_from_a_file_and_are_shown(env, tmp_path):
    file = tmp_path / "detail.json"
    file.write_text(json.dumps(DETAIL))
    create = ("receipts", "create", "--amount", "1000000", "--account", "order_id=1")
    made = run_json(*create, "--detail", str(file), env=env)
    assert made["detail"]["items"][0]["code"] == "00702001001000001"
    shown = run("receipts", "get", made["id"], env=env).stdout
    assert "Non: 2 x 5 000 soʻm, IKPU 00702001001000001" in shown
    wrong = ("receipts", "create", "--amount", "1000001", "--account", "order_id=1")
    assert "add up to" in run(*wrong, "--detail", str(file), env=env, code=2).stderr
    file.write_text('{"items": [{"title": 1}]}')
    done = run(*create, "--detail", str(file), env=env, code=2)
    assert "detail.json" in done.stderr


def test_the_payer_comes_from_a_file(env, api, token, tmp_path):
    file = tmp_path / "payer.json"
    file.write_text('{"phone": "998901304527"}')
    pay = ("receipts", "pay", receipt_of(api), "--payer", str(file), "--yes")
    done = run(*pay, env=env, given=token)
    assert "is paid" in done.stdout
    file.write_text('{"phone": 998901304527}')
    done = run("receipts", "pay", receipt_of(api), "--payer", str(file), env=env, code=2)
    assert "998901304527" not in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--amount", "0", "--account", "a=1"), "--amount"),
        (("--amount", "1.5", "--account", "a=1"), "--amount"),
        (("--account", "a=1"), "missing: --amount"),
        (("--amount", "5", "--account", "a"), "expected FIELD=VALUE"),
        (("--amount", "5", "--account", "a=1", "--account", "a=2"), "each field once"),
        (("--amount", "5", "--account", "a=1", "--timeout", "10"), 'say "10s"'),
        (("--amount", "5", "--acount", "a=1"), "did you mean: --account"),
        (("--amount", "5"), "account"),
    ],
)
def test_bad_input_is_named_and_nothing_is_sent(box, env, arguments, said):
    assert said in run("receipts", "create", *arguments, env=env, code=2).stderr
    assert box.receipts() == []


@pytest.fixture
def many(box, api, token):
    """Receipts over three pages, of which two are paid."""
    ids = [receipt_of(api, amount=100 * n, description=f"=n{n}") for n in range(1, 121)]
    for one in ids[:2]:
        api.receipts.pay(one, token)
    return ids


def test_a_list_has_all_pages_in_three_formats(env, many):
    told = run_json("receipts", "list", *DAY, env=env)
    assert told["count"] == 120
    assert {one["id"] for one in told["receipts"]} == set(many)
    assert {str(one["account"]["order_id"]) for one in told["receipts"]} == {"7"}
    same = run("receipts", "list", *DAY, "--format", "json", env=env)
    assert json.loads(same.stdout) == told
    table = run("receipts", "list", *DAY, env=env)
    assert table.stderr == ""
    assert len(table.stdout.splitlines()) == 122
    assert table.stdout.endswith("120 receipts; 3 soʻm paid\n")
    rows = list(csv.DictReader(io.StringIO(
        run("receipts", "list", *DAY, "--format", "csv", env=env).stdout
    )))  # fmt: skip
    assert {row["id"] for row in rows} == set(many)
    assert sum(int(row["amount"]) for row in rows) == 100 * sum(range(1, 121))
    assert all(row["description"].startswith("'=n") for row in rows)
    paid = run_json("receipts", "list", *DAY, "--state", "paid", env=env)
    assert {one["id"] for one in paid["receipts"]} == set(many[:2])
    page = run_json("receipts", "get-all", *DAY, "--count", "2", "--offset", "119", env=env)
    assert page["count"] == 1


def test_an_empty_list_is_valid_in_each_format(env):
    assert run_json("receipts", "list", *DAY, env=env) == {"receipts": [], "count": 0}
    assert run("receipts", "list", *DAY, env=env).stdout.endswith("0 receipts; 0 soʻm paid\n")
    assert run("receipts", "list", *DAY, "--format", "csv", env=env).stdout.count("\n") == 1


def test_a_list_that_can_not_begin_is_an_error(box, env, many):
    box.faults.add("receipts.get_all", when="before", action="http_status", status=503)
    done = run("receipts", "list", *DAY, "--json", "--timeout", "1s", env=env, code=3)
    assert json.loads(done.stdout)["error"]["kind"] == "outcome_unknown"


def test_progress_is_on_a_terminal_and_on_the_error_stream_alone(env, many):
    terminal = Terminal("receipts", "list", *DAY, "--json", env=env, piped=True)
    code, out = terminal.end()
    assert code == 0
    assert json.loads(out)["count"] == 120
    assert "receipts read" in terminal.seen
    done = process("receipts", "list", *DAY, "--json", env=env)
    assert done.stderr == ""


def test_a_list_takes_constant_memory(box, env):
    def peak():
        tracemalloc.start()
        run("receipts", "list", *DAY, "--format", "csv", env=env)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    for _ in range(100):
        box.add_receipt(amount=100)
    peak()
    few = peak()
    for _ in range(1900):
        box.add_receipt(amount=100)
    assert peak() < few + 1_500_000


def test_accounts_that_may_be_phones_are_masked_unless_asked(env, api):
    receipt = api.receipts.create(500, {"order_id": "998901304527"}).id
    assert run_json("receipts", "get", receipt, env=env)["account"] == {"order_id": "99890*****27"}
    shown = run_json("receipts", "get", receipt, "--show-account", env=env)
    assert shown["account"] == {"order_id": "998901304527"}


def test_what_a_payer_wrote_does_not_reach_the_terminal_as_control(env, api):
    receipt = api.receipts.create(500, {"order_id": "7"}, description="a\nb").id
    assert "a b" in run("receipts", "list", *DAY, env=env).stdout
    assert "description  a b\n" in run("receipts", "get", receipt, env=env).stdout


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (("--from", "yesterday"), "expected a date such as"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "a time before --to"),
        (("--from", "2026-11-02", "--json", "--format", "csv"), "contradicts"),
        (("--from", "2026-11-02", "--state", "payed"), "--state"),
    ],
)
def test_a_period_that_is_none_is_a_misuse(env, dates, said):
    assert said in run("receipts", "list", *dates, env=env, code=2).output


@pytest.mark.parametrize("asked", ["pay", "confirm", "cancel"])
@pytest.mark.parametrize("state", [*ReceiptState, 77])
def test_what_each_state_proves(asked, state):
    receipt = Receipt(id="5" * 24, state=ReceiptState(state), amount=100, create_time=1)
    expected = {
        ("pay", 4): True,
        ("pay", 5): True,
        ("confirm", 4): True,
        ("cancel", 50): True,
        ("pay", 50): False,
        ("confirm", 50): False,
    }
    done, text = _proven(receipt, asked)
    assert done is expected.get((asked, int(state)))
    assert ("Nothing is proven yet" in text) is (done is None)
