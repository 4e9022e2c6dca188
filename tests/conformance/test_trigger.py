"""`payme trigger`: one request as Payme would send it."""

import json
import time

import pytest
from click.testing import CliRunner
from flawed_shop import AMOUNT, KEY, Shop, serving_shop

from payme.cli.commands import payme
from payme.conformance.exchange import basic

PAY = ["--account", "order_id=1", "--amount", str(AMOUNT)]


def run(method, url, *options, key=KEY, **more):
    environment = {} if key is None else {"PAYME_KEY": key}
    arguments = ["trigger", method, url, *options]
    return CliRunner().invoke(payme, arguments, env={"PAYME_KEY": None} | environment, **more)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def url(shop):
    with serving_shop(shop) as url:
        yield url


def test_a_payment_by_hand(shop, url):
    assert '"allow":true' in run("CheckPerformTransaction", url, *PAY).output
    made = json.loads(run("CreateTransaction", url, *PAY, "--json").output)
    sent = json.loads(made["request"])
    transaction = sent["params"]["id"]
    assert len(transaction) == 24
    assert abs(sent["params"]["time"] - time.time() * 1000) < 60_000
    for method, options, state in (
        ("PerformTransaction", [], 2),
        ("CheckTransaction", [], 2),
        ("CancelTransaction", ["--reason", "5"], -2),
    ):
        ended = run(method, url, "--id", transaction, *options)
        assert ended.exit_code == 0, ended.output
        assert f'"state":{state}' in ended.output
        assert "✗" not in ended.output
    assert transaction in run("GetStatement", url).output
    assert shop.seen[0][1]["Authorization"] == basic(KEY)
    assert shop.seen[0][1]["Test-Operation"] == "Paycom"


def test_a_refusal_is_an_answer_and_is_explained(url):
    ended = run("PerformTransaction", url, "--id", "0" * 24, "--language", "ru")
    assert ended.exit_code == 0
    assert "← HTTP 200 application/json (" in ended.output
    assert "-31003: транзакция не найдена" in ended.output


def test_params_come_on_top_and_any_method_is_sent(shop, url):
    ended = run("SetFiscalData", url, "--params", '{"id": "x", "type": "PERFORM"}')
    assert ended.exit_code == 0
    assert "-32601: there is no such method" in ended.output
    assert json.loads(shop.seen[-1][2])["params"] == {"id": "x", "type": "PERFORM"}
    run("CreateTransaction", url, *PAY, "--params", '{"amount": 1}')
    assert json.loads(shop.seen[-1][2])["params"]["amount"] == 1


@pytest.mark.parametrize(
    ("method", "options", "flaw", "rule"),
    [
        ("CheckPerformTransaction", PAY, "allow_text", "check-perform"),
        ("CheckPerformTransaction", PAY, "other_id", "id-echo"),
        ("CreateTransaction", PAY, "create_time_seconds", "create-time"),
        ("CreateTransaction", PAY, "create_state_text", "create"),
        ("CreateTransaction", PAY, "create_int_transaction", "transaction-text"),
        ("GetStatement", [], "statement_singular", "statement"),
        ("GetStatement", [], "answers_500_to_statements", "http-200"),
        (
            "CheckPerformTransaction",
            ["--account", "order_id=x", "--amount", "1"],
            "account_plain_message",
            "account-message",
        ),
    ],
)
def test_broken_answer_is_remarked_and_exits_with_one(method, options, flaw, rule):
    with serving_shop(Shop(flaw)) as url:
        ended = run(method, url, *options)
    with serving_shop(Shop(flaw)) as url:
        told = json.loads(run(method, url, *options, "--json").output)
    assert ended.exit_code == 1, ended.output
    assert f"✗ {rule}: " in ended.output
    assert "    expected: " in ended.output
    assert "https://developer.help.paycom.uz/" in ended.output
    assert rule in told["remarks"]


def test_times_of_a_transaction_that_waits_are_remarked():
    with serving_shop(Shop("unset_null")) as url:
        made = json.loads(run("CreateTransaction", url, *PAY, "--json").output)
        transaction = json.loads(made["request"])["params"]["id"]
        ended = run("CheckTransaction", url, "--id", transaction)
    assert ended.exit_code == 1
    assert "got: null" in ended.output


def test_nobody_there_exits_with_one():
    ended = run("CheckTransaction", "http://127.0.0.1:9/payme", "--id", "x")
    assert ended.exit_code == 1
    assert "✗ http-200" in ended.output
    assert "ConnectError" in ended.output


def test_the_key_is_never_an_argument_and_never_printed(url):
    assert "--key" not in run("--help", "x").output
    ended = run("CheckTransaction", url, "--id", "x", "--key", KEY)
    assert ended.exit_code == 2
    ended = run("CheckTransaction", url, "--id", "x")
    assert KEY not in ended.output
    assert basic(KEY) not in ended.output


def test_without_a_key_it_is_asked_for_or_named(shop, url, monkeypatch):
    ended = run("CheckTransaction", url, "--id", "x", key=None)
    assert ended.exit_code == 2
    assert "set PAYME_KEY" in ended.output
    monkeypatch.setattr("payme.cli.accounts._may_ask", lambda: True)
    ended = run("CheckTransaction", url, "--id", "x", key=None, input=f"{KEY}\n")
    assert ended.exit_code == 0, ended.output
    assert KEY not in ended.output
    assert shop.seen[-1][1]["Authorization"] == basic(KEY)


@pytest.mark.parametrize(
    ("method", "options", "said"),
    [
        ("CheckPerformTransaction", ["--amount", "1"], "account: got None, expected a value"),
        ("PerformTransaction", [], "id: got None"),
        ("CancelTransaction", ["--id", "x"], "reason: got None"),
        ("GetStatement", ["--params", "{"], "no JSON"),
        ("GetStatement", ["--params", "[]"], "expected a JSON object"),
        ("CreateTransaction", ["--account", "a=1", "--account", "a=2"], "a field came twice"),
        ("CreateTransaction", ["--account", "a"], "expected FIELD=VALUE"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(shop, url, method, options, said):
    ended = run(method, url, *options)
    assert ended.exit_code == 2
    assert said in ended.output
    assert shop.seen == []
