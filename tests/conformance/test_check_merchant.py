"""`payme check-merchant`, as a merchant's CI runs it."""

import json
import socket
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from merchant_server import KEY, serving

from payme.cli.commands import payme
from payme.conformance.exchange import basic
from payme.merchant.core import Order
from payme.merchant.service import Merchant
from payme.merchant.stores.memory import MemoryStore


@pytest.fixture
def url():
    state = ["waiting"]

    def find(account):
        known = account == {"order_id": "7"}
        return Order(id="7", amount=50_000, state=state[0]) if known else None

    def hook(event, transaction):
        if event != "released":
            state[0] = {"paid": "paid", "cancelled": "closed"}[event]

    with serving(Merchant(MemoryStore(find, hook), KEY).answer) as url:
        yield url


def run(url, *options, key=KEY):
    arguments = ["check-merchant", url, "--key", key, "--amount", "50000", *options]
    return CliRunner().invoke(payme, arguments)


def test_right_endpoint_passes_with_exit_code_zero(url):
    ended = run(url, "--account", "order_id=7", "--language", "uz")
    assert ended.exit_code == 0, ended.output
    assert "25 qoida bajarildi, 0 qoida buzildi" in ended.output


def test_wrong_key_breaks_rules_and_exits_with_one(url, tmp_path):
    report = tmp_path / "junit.xml"
    options = ["--account", "order_id=7", "--json", "--junit", str(report)]
    ended = run(url, *options, key="another-key-" * 3)
    assert ended.exit_code == 1
    assert json.loads(ended.output)["passed"] is False
    assert int(ET.parse(report).getroot().attrib["failures"]) > 0
    assert KEY not in ended.output


def test_endpoint_that_is_not_there_is_told_from_one_that_breaks_rules():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/payme"
    ended = run(url, "--account", "order_id=7")
    assert ended.exit_code == 1
    assert f"{url} does not answer: ConnectError" in ended.output
    assert "broken" not in ended.output


def test_endpoint_that_shows_the_headers_it_got_does_not_put_the_key_into_the_report():
    def careless(incoming):
        return f"<pre>{incoming.authorization} {KEY}</pre>".encode()

    with serving(careless, status=500) as url:
        ended = run(url, "--account", "order_id=7")
    assert ended.exit_code == 1
    assert "<key>" in ended.output
    assert KEY not in ended.output
    assert basic(KEY).partition(" ")[2] not in ended.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--account", "order_id"], "expected FIELD=VALUE"),
        ([], "Missing option '--account'"),
        (["--account", "order_id=7", "--amount", "0"], "amount: got 0"),
        (["--account", "order_id=7", "--key", ""], "key: got '<key>', expected the key"),
    ],
)
def test_bad_input_is_named_and_exits_with_two(url, options, said):
    ended = run(url, *options)
    assert ended.exit_code == 2
    assert said in ended.output
