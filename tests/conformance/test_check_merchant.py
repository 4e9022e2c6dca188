"""`payme check-merchant`, as a merchant's CI runs it."""

import json
import socket
import sys
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from flawed_shop import AMOUNT, KEY, Shop, serving_shop

from payme.cli.accounts import accounts, printed_account
from payme.cli.commands import payme
from payme.testing.merchant import check_merchant

TWO = ["--account", "order_id=1", "--account", "order_id=2"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr("payme.conformance.endpoint.PAUSE_S", 0.01)


@pytest.fixture
def url():
    with serving_shop(Shop()) as url:
        yield url


def run(url, *options, key=KEY):
    arguments = ["check-merchant", url, "--amount", str(AMOUNT), *options]
    return CliRunner().invoke(payme, arguments, env={"PAYME_KEY": key})


@pytest.mark.slow
def test_right_endpoint_passes_with_exit_code_zero(url):
    ended = run(url, *TWO, "--language", "uz", "--strict")
    assert ended.exit_code == 0, ended.output
    assert "62 qoida bajarildi, 0 qoida buzildi, 1 qoida tekshirilmadi" in ended.output


@pytest.mark.slow
def test_with_one_order_it_passes_unless_every_rule_must_be_seen():
    for options, code in (([], 0), (["--strict"], 1)):
        with serving_shop(Shop(orders=1)) as url:
            ended = run(url, "--account", "order_id=1", *options)
        assert ended.exit_code == code, ended.output
        assert "? race-cancel" in ended.output


@pytest.mark.slow
def test_broken_rule_exits_with_one(tmp_path):
    report = tmp_path / "junit.xml"
    with serving_shop(Shop("paid_again")) as url:
        ended = run(url, *TWO, "--json", "--junit", str(report))
    assert ended.exit_code == 1
    assert json.loads(ended.output)["passed"] is False
    assert int(ET.parse(report).getroot().attrib["failures"]) > 0
    assert KEY not in ended.output


@pytest.mark.slow
def test_broken_style_exits_with_zero():
    with serving_shop(Shop("application_json_only")) as url:
        ended = run(url, *TWO)
    assert ended.exit_code == 0, ended.output
    assert "✗ text-json: " in ended.output


@pytest.mark.parametrize("language", ["uz", "ru", "en"])
def test_wrong_key_is_one_line_in_the_language_of_the_report(url, language):
    ended = run(url, *TWO, "--language", language, key="another-key-" * 3)
    assert ended.exit_code == 1
    assert ended.output.count("\n") == 1
    said = {"uz": "server kalitni rad etdi", "ru": "сервер отклонил ключ", "en": "refuses the key"}
    assert said[language] in ended.output


def test_endpoint_that_is_not_there_is_told_from_one_that_breaks_rules():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/payme"
    ended = run(url, *TWO)
    assert ended.exit_code == 1
    assert f"{url} does not answer: ConnectError" in ended.output
    assert "broken" not in ended.output


@pytest.mark.slow
def test_new_orders_come_from_a_command(tmp_path):
    shop = Shop(orders=20)
    count = tmp_path / "count"
    script = tmp_path / "make.py"
    script.write_text(
        f"import pathlib\np = pathlib.Path({str(count)!r})\n"
        "n = int(p.read_text()) + 1 if p.exists() else 1\n"
        "p.write_text(str(n))\nprint(f'order_id={n}')\n"
    )
    with serving_shop(shop) as url:
        ended = run(url, "--new-order", f'"{sys.executable}" "{script}"', "--strict")
    assert ended.exit_code == 0, ended.output
    assert int(count.read_text()) >= 5


@pytest.mark.parametrize(
    ("command", "said"),
    [("exit 3", "exit status 3"), ("echo", "printed 0 accounts"), ("echo '{'", "--new-order")],
)
def test_command_that_makes_no_order_is_named(url, command, said):
    ended = run(url, "--new-order", command)
    assert ended.exit_code == 1
    assert said in ended.output


def test_accounts_begin_where_a_field_comes_again():
    assert accounts(["a=1", "b=2", "a=3", "b=4"]) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert accounts(["order_id=1", "order_id=2"]) == [{"order_id": "1"}, {"order_id": "2"}]
    assert printed_account('{"order_id": 7}\n') == {"order_id": 7}
    assert printed_account("user=5\norder=AC-532\n") == {"user": "5", "order": "AC-532"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "order_id"], "expected FIELD=VALUE"),
        ([], "give --account or --new-order"),
        ([*TWO, "--new-order", "x"], "give --account or --new-order, not both"),
        ([*TWO, "--amount", "0"], "amount: got 0"),
        ([*TWO, "--key", KEY], "no such option: --key"),
        ([*TWO, "--timeout", "10"], '"10" has no unit: say "10s"'),
        ([*TWO, "--timeout", "0s"], "expected a span of time such as 10s"),
    ],
)
def test_bad_input_is_named_and_exits_with_two(url, options, said):
    ended = run(url, *options)
    assert ended.exit_code == 2
    assert said in ended.output
    assert KEY not in ended.output


def test_a_key_is_in_the_environment_or_nowhere(url):
    ended = run(url, *TWO, key="")
    assert ended.exit_code == 2
    assert "set PAYME_KEY" in ended.output


# The same as an assertion


@pytest.mark.slow
def test_assertion_lists_what_is_broken_and_not_what_is_kept():
    with (
        serving_shop(Shop("paid_again")) as url,
        pytest.raises(AssertionError, match="✗ paid-order") as failed,
    ):
        check_merchant(url, KEY, account=[{"order_id": 1}, {"order_id": 2}], amount=AMOUNT)
    assert "✓" not in str(failed.value)
    assert KEY not in str(failed.value)


@pytest.mark.slow
def test_assertion_may_demand_that_every_rule_is_seen():
    with serving_shop(Shop(orders=1)) as url:
        assert check_merchant(url, KEY, account={"order_id": 1}, amount=AMOUNT).passed
    with (
        serving_shop(Shop(orders=1)) as url,
        pytest.raises(AssertionError, match=r"\? race-cancel"),
    ):
        check_merchant(url, KEY, account={"order_id": 1}, amount=AMOUNT, strict=True)
