"""Faults, clock and scenarios from the command line."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sandbox_tools import GOOD, Caller, Process

from payme.cli import remote
from payme.cli.commands import payme
from payme.cli.remote import described
from payme.sandbox import Sandbox, SandboxClock
from payme.sandbox.engine import fault_rules
from payme.sandbox.engine.faults import Fault
from payme.sandbox.scenarios import SCENARIOS


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(clock=SandboxClock(start="2026-03-01T04:00:00Z", frozen=True)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(payme, arguments, env=environment)


def say(sandbox: Sandbox, *arguments: str) -> str:
    result = run(*arguments, "--url", sandbox.url)
    assert result.exit_code == 0, result.output
    return result.output


class TestStart:
    def test_everything_at_once(self) -> None:
        with Process(
            *("--port", "0", "--seed", "5", "--clock-start", "2026-03-01T09:00:00+05:00"),
            *("--freeze", "--scenario", "declined", "--receipt-ttl", "24h"),
            *("--fault", "receipts.check after rpc_error code=-31001 message='Busy'"),
            *("--fault", "cards.check before http_status status=503 times=1"),
        ) as process:
            auth = f"{process.field('Merchant ID')}:{process.field('Key')}"

            def call(method: str, **params: Any) -> dict[str, Any]:
                body = json.dumps({"id": 1, "method": method, "params": params}).encode()
                return process.post(body, auth)

            created = call("receipts.create", amount=1, account={})["result"]["receipt"]
            assert created["create_time"] == 1772337600000
            assert call("receipts.pay", id="0" * 24, token="x")["error"]["code"] == -31630
            busy = call("receipts.check", id="0" * 24)["error"]
            assert (busy["code"], busy["message"]) == (-31001, "Busy")
            say_clock = run("clock", "advance", "1h", "--url", process.field("URL"))
            assert say_clock.output == "2026-03-01T05:00:00.000+00:00, frozen\n"
            returncode, out, err = process.stop()
        assert (returncode, err) == (0, "")
        assert "[fault 1: receipts.pay before rpc_error]" in out
        assert "-31630  [fault 1" in out

    def test_the_same_seed_is_the_same_cash_box(self) -> None:
        banners = set()
        for _ in range(2):
            with Process("--port", "0", "--seed", "5") as process:
                banners.add((process.field("Merchant ID"), process.field("Key")))
                process.stop()
        assert len(banners) == 1

    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--fault", "receipts.pay after lose", "action is 'lose': expected one of delay"),
            ("--fault", "receipt.pay after drop", "method is 'receipt.pay': expected a method"),
            ("--fault", "receipts.pay after drop times=0", "times is 0: expected a whole number"),
            ("--fault", f"* after drop card={GOOD}0000000", "card is '860006"),
            ("--clock-start", "tomorrow", "moment is 'tomorrow': expected a moment"),
            ("--receipt-ttl", "soon", "duration is 'soon': expected a span of time"),
            ("--scenario", "sad", "otp_expired"),
            ("--progression", "never", "progression is 'never': expected"),
            ("--merchant-url", "shop.uz", "merchant_url"),
            ("--seed", "x", "not a valid integer"),
        ],
    )
    def test_a_bad_option_is_refused_by_name(self, option: str, value: str, said: str) -> None:
        result = run("sandbox", option, value)
        assert result.exit_code == 2
        words = " ".join(result.output.replace("│", " ").split())
        assert said in words
        assert option in words or option == "--merchant-url"
        assert GOOD not in words

    @pytest.mark.parametrize("language", ["uz", "ru", "en"])
    def test_scenarios(self, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PAYME_LANG", language)
        result = run("sandbox", "--scenarios")
        assert result.exit_code == 0
        for scenario in SCENARIOS.values():
            for text in (scenario.name, getattr(scenario, language), scenario.card):
                assert text in result.output

    def test_the_grammar_is_in_the_help(self) -> None:
        text = run("sandbox", "--help").output
        for word in ("METHOD WHEN ACTION", "mid_body", "account.FIELD=VALUE", "times=N"):
            assert word in text


class TestFaults:
    def test_add_list_and_clear(self, sandbox: Sandbox) -> None:
        assert say(sandbox, "faults", "list") == "no faults\n"
        assert say(sandbox, "faults", "add", "receipts.pay after drop times=1") == (
            "fault 1 is set\n"
        )
        words = ("receipts.*", "before", "rpc_error", "message=Is down", "amount=5..", "code=-1")
        assert say(sandbox, "faults", "add", *words) == "fault 2 is set\n"
        assert sandbox.faults.list()[1].rule.message == "Is down"
        assert say(sandbox, "faults", "list").splitlines() == [
            "   1  receipts.pay after drop times=1  (0 fired, 1 left)",
            "   2  'receipts.*' before rpc_error amount=5.. code=-1 'message=Is down'  (0 fired)",
        ]
        assert say(sandbox, "faults", "clear", "2") == "1 removed\n"
        assert say(sandbox, "faults", "clear") == "1 removed\n"
        assert sandbox.faults.list() == []

    def test_in_the_language(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        said: dict[str, list[str]] = {}
        for language in ("uz", "ru"):
            monkeypatch.setenv("PAYME_LANG", language)
            said[language] = [
                say(sandbox, "faults", "add", "receipts.pay after drop times=1"),
                say(sandbox, "faults", "list").partition("(")[2],
                say(sandbox, "faults", "clear"),
                say(sandbox, "clock", "freeze").partition(", ")[2],
                say(sandbox, "clock", "resume").partition(", ")[2],
            ]
        assert said["uz"] == [
            "1-nosozlik qoʻyildi\n",
            "0 marta ishladi, 1 marta qoldi)\n",
            "1 ta olib tashlandi\n",
            "toʻxtatilgan\n",
            "yurmoqda\n",
        ]
        assert said["ru"] == [
            "сбой 2 задан\n",
            "сработал: 0, осталось: 1)\n",
            "снято: 1\n",
            "остановлены\n",
            "идут\n",
        ]

    @pytest.mark.parametrize(
        "line",
        [
            "receipts.pay after drop",
            "'*' mid_body delay delay=1h advance=30d probability=0.25 times=3 priority=-2",
            "'*' before rpc_error code=-31001 'message=\"down\"' 'data={\"a\": [1, null]}'",
            "receipts.pay before http_status status=418 amount=7 card='860006******6311'",
            "receipts.pay before drop amount=..7 account.order_id=7 'account.shop=Bozor 1'",
            "'*' before wrong_id amount=5..7 data=text",
        ],
    )
    def test_a_listed_fault_is_the_line_that_sets_it(self, line: str) -> None:
        rule = fault_rules.from_text(line)
        fault = Fault(id=1, rule=rule, left=rule.times)
        assert fault_rules.from_text(described(fault.as_json())) == rule

    def test_a_bad_rule(self, sandbox: Sandbox) -> None:
        result = run("faults", "add", "receipts.pay after lose", "--url", sandbox.url)
        assert result.exit_code == 2
        assert "action is 'lose': expected one of delay, drop" in result.output

    def test_one_that_is_not_there(self, sandbox: Sandbox) -> None:
        result = run("faults", "clear", "77", "--url", sandbox.url)
        assert (result.exit_code, "no fault" in result.output) == (1, True)


class TestClock:
    def test_every_move(self, sandbox: Sandbox) -> None:
        assert say(sandbox, "clock", "show") == "2026-03-01T04:00:00.000+00:00, frozen\n"
        assert say(sandbox, "clock", "advance", "12h").startswith("2026-03-01T16:00:00.000")
        assert say(sandbox, "clock", "resume").endswith("running\n")
        at = "2026-04-01T00:00:00+05:00"
        assert say(sandbox, "clock", "freeze", at) == "2026-03-31T19:00:00.000+00:00, frozen\n"
        say(sandbox, "clock", "resume")
        assert say(sandbox, "clock", "freeze").endswith("frozen\n")
        assert say(sandbox, "clock", "reset") == "2026-03-01T04:00:00.000+00:00, frozen\n"

    def test_it_moves_what_is_timed(self, sandbox: Sandbox) -> None:
        caller = Caller(sandbox)
        receipt = caller.held()
        say(sandbox, "clock", "advance", "30d")
        assert caller.state(receipt) == 50

    def test_a_bad_span(self, sandbox: Sandbox) -> None:
        result = run("clock", "advance", "soon", "--url", sandbox.url)
        assert (result.exit_code, "12h" in result.output) == (2, True)


class TestWhere:
    def test_the_environment_names_the_sandbox(self, sandbox: Sandbox) -> None:
        result = run("clock", "show", PAYME_SANDBOX_URL=sandbox.url.removesuffix("/api"))
        assert result.exit_code == 0

    def test_the_proxy_of_the_environment_is_not_asked(self, sandbox: Sandbox) -> None:
        code = "from payme.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, "clock", "show", "--url", sandbox.url],
            env={"http_proxy": "http://127.0.0.1:9", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_nobody_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        result = run("clock", "show", "--url", f"http://127.0.0.1:{port}")
        assert result.exit_code == 1
        assert "no sandbox answers" in result.output
        assert "Traceback" not in result.output

    def test_one_that_is_busy_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "_TIMEOUT_S", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as busy:
            url = f"http://127.0.0.1:{busy.getsockname()[1]}"
            result = run("clock", "advance", "40d", "--url", url)
        assert result.exit_code == 1
        assert "still busy" in result.output

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:3000", "http://", "http://["])
    def test_what_is_no_address(self, url: str) -> None:
        result = run("clock", "show", "--url", url)
        assert (result.exit_code, "--url must be" in result.output) == (2, True)

    @pytest.mark.parametrize("reply", [b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 404 No\r\n\r\n"])
    def test_something_else_there(self, reply: bytes, one_reply: Any) -> None:
        result = run("clock", "show", "--url", one_reply(reply))
        assert result.exit_code == 1
        assert "sandbox" in result.output


@pytest.fixture
def one_reply() -> Iterator[Any]:
    """Make a server that answers one request with the bytes given."""
    threads = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def start(reply: bytes) -> str:
            def serve() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(reply)

            threads.append(threading.Thread(target=serve))
            threads[-1].start()
            return f"http://127.0.0.1:{server.getsockname()[1]}"

        yield start
        for thread in threads:
            thread.join()
