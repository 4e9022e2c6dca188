"""`make shop`: a person buys in each example shop, and gets the money back."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest
from browser_tools import TIMEOUT_MS

from payme import Payme
from payme.checkout import parse_link
from payme.sandbox.web.i18n import TEXTS
from support.ports import free_port

ROOT = Path(__file__).parents[2]
KEY = "Rw712wMJspZBczFvrG09?bHkSNxnD4PY0n1C"
SHOPS = ["shop_fastapi", "shop_flask", "shop_django"]
PATIENCE_S = 30


def start(*options: str) -> subprocess.Popen[str]:
    """Start both in a process group of their own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples.together", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


class Together(NamedTuple):
    """Both programs, as they run."""

    process: subprocess.Popen[str]
    shop: str
    sandbox: str

    def ask(self, path: str, sent: Any = None) -> Any:
        body = None if sent is None else json.dumps(sent).encode()
        request = Request(self.shop + path, body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)

    def runs(self) -> bool:
        """Some process of the group is there."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            return True
        return False


@contextmanager
def together(name: str) -> Iterator[Together]:
    ports = free_port(), free_port()
    options = ["--shop", name, "--port", str(ports[0]), "--sandbox-port", str(ports[1])]
    with start(*options) as process:
        both = Together(process, *(f"http://127.0.0.1:{port}" for port in ports))
        try:
            heard = ""
            while "Ctrl-C stops both" not in heard:
                line = process.stdout.readline()
                assert line, heard
                heard += line
            yield both
        finally:
            if both.runs():
                os.killpg(process.pid, signal.SIGKILL)


def pay(chromium: Any, link: str) -> None:
    """Pay as a person does, with the test card and the code of the SMS."""
    said = TEXTS["ru"]
    page = chromium.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(link)
    page.get_by_text("Order").first.wait_for()
    page.get_by_label(said["number"]).fill("8600 0691 9540 6311")
    page.get_by_label(said["expire"]).fill("03/99")
    page.get_by_role("button", name=said["continue"]).click()
    page.get_by_label(said["code"]).fill("666666")
    page.get_by_role("button", name=said["pay"]).click()
    page.get_by_text(said["paid"]).wait_for()
    page.close()


def seen(both: Together, number: int) -> tuple[str, int, int]:
    order = both.ask(f"/orders/{number}")
    return order["state"], order["paid_events"], order["cancelled_events"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOPS)
def test_a_person_buys_and_gets_the_money_back(chromium: Any, name: str) -> None:
    with together(name) as both:
        number = both.ask("/orders", {"amount": 50_000})["id"]
        link = both.ask(f"/orders/{number}")["checkout"]
        pay(chromium, link)
        assert seen(both, number) == ("paid", 1, 0)
        with Payme(parse_link(link).merchant_id, KEY, base_url=both.sandbox) as payme:
            (receipt,) = payme.receipts.get_all(50, 0, 2 * time.time_ns() // 1_000_000)
            assert (receipt.amount, receipt.is_paid) == (50_000, True)
            payme.receipts.cancel(receipt.id)
        deadline = time.monotonic() + PATIENCE_S
        while seen(both, number)[2] == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert seen(both, number) == ("closed", 1, 1)
        # As a terminal sends it: to both.
        os.killpg(both.process.pid, signal.SIGINT)
        said, _ = both.process.communicate(timeout=PATIENCE_S)
        assert (both.process.returncode, both.runs()) == (0, False)
        assert "Traceback" not in said


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", ["shop_flask", "shop_django"])
def test_the_shop_does_not_outlive_its_sandbox(name: str, sent: signal.Signals) -> None:
    with together(name) as both:
        both.process.send_signal(sent)
        both.process.communicate(timeout=PATIENCE_S)
        assert (both.process.returncode, both.runs()) == (0, False)


@pytest.mark.parametrize("name", SHOPS)
def test_a_shop_that_cannot_start_is_told(name: str) -> None:
    options = ["--shop", name, "--port", str(free_port()), "--sandbox-port", "0"]
    said, status = run(*options, "--database", "oracle://nowhere")
    assert status == 1
    assert "examples.together: the shop did not start (status 1); what it said" in said
    assert "Ctrl-C stops both" not in said


@pytest.mark.parametrize("option", ["--port", "--sandbox-port"])
def test_a_port_that_is_taken_is_told(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": free_port(), "--sandbox-port": 0, option: port}
        said, status = run(*(str(part) for pair in ports.items() for part in pair))
    assert status == 1
    assert f"{port}: Address already in use" in said
    assert "Traceback" not in said
    assert "Ctrl-C stops both" not in said


def run(*options: str) -> tuple[str, int]:
    """Start both, and wait for the end."""
    with start(*options) as process:
        said, _ = process.communicate(timeout=PATIENCE_S)
        return said, process.returncode


@pytest.mark.parametrize(
    ("name", "child", "what"),
    [
        ("shop_flask", 0, "the shop"),
        ("shop_django", 0, "the shop"),
        ("shop_django", 1, "payme_charges run"),
    ],
)
def test_a_shop_that_ends_is_told(name: str, child: int, what: str) -> None:
    with together(name) as both:
        children = Path(f"/proc/{both.process.pid}/task/{both.process.pid}/children")
        os.kill(int(children.read_text().split()[child]), signal.SIGKILL)
        said, _ = both.process.communicate(timeout=PATIENCE_S)
        assert (both.process.returncode, both.runs()) == (1, False)
        assert f"examples.together: {what} ended with status -9" in said
