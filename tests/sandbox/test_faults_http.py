"""Faults on a real socket: what a client hears, and what had happened by then."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sandbox_tools import Caller, connect, post

from payme import OutcomeUnknown, Payme
from payme.errors import PaymeError
from payme.sandbox import Sandbox
from payme.sandbox.engine import Answer
from payme.sandbox.engine.faults import ACTIONS, WHENS


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.faults.clear()


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Payme]:
    with Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url, timeout=5) as payme:
        yield payme


def speak(sandbox: Sandbox, call: bytes, *headers: str) -> bytes:
    """Send one request and read until the other side closes."""
    parts = urlsplit(sandbox.url)
    head = "\r\n".join(
        (
            "POST /api HTTP/1.1",
            "Host: x",
            f"X-Auth: {sandbox.merchant_id}:{sandbox.key}",
            f"Content-Length: {len(call)}",
            *headers,
            "\r\n",
        )
    )
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head.encode() + call)
        while chunk := connection.recv(65536):
            received += chunk
    return received


def pay(receipt: str, token: str) -> bytes:
    params = {"id": receipt, "token": token}
    return json.dumps({"id": 1, "method": "receipts.pay", "params": params}).encode()


NO_EFFECT = {(action, "before") for action in ACTIONS} - {("delay", "before")}
# To the duplicate Payme says "paid or not found"; the client looks at the receipt then.
HEARS_PAID = {
    *(("delay", when) for when in WHENS),
    ("duplicate", "before"),
    ("duplicate", "after"),
}


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_the_client_reports_and_what_is_true(
    sandbox: Sandbox, client: Payme, when: Any, action: Any
) -> None:
    receipt, token = sandbox.add_receipt(), sandbox.add_card()
    fault = sandbox.faults.add("receipts.pay", when=when, action=action, times=1, delay_ms=1)
    error: PaymeError | None = None
    try:
        assert client.receipts.pay(receipt, token).is_paid
    except PaymeError as caught:
        error = caught
    if (action, when) in HEARS_PAID:
        assert error is None
    else:
        # Nothing that a client hears on the wire tells a lost request from a lost answer.
        assert isinstance(error, OutcomeUnknown)
        assert error.receipt_id == receipt
    moved = (action, when) not in NO_EFFECT or action == "duplicate"
    assert (sandbox.debits(receipt), fault.left) == (int(moved), 0)


def test_a_lost_answer_is_resolved_without_a_second_debit(sandbox: Sandbox, client: Payme) -> None:
    receipt, token = sandbox.add_receipt(), sandbox.add_card()
    sandbox.faults.add("receipts.pay", when="after", action="drop", times=1)
    with pytest.raises(OutcomeUnknown) as lost:
        client.receipts.pay(receipt, token)
    assert lost.value.resolve().is_paid
    assert sandbox.debits(receipt) == 1


@pytest.mark.parametrize("forwarded", [(), ("X-Forwarded-For: 10.0.0.1",)])
@pytest.mark.parametrize("when", ["before", "after"])
def test_drop_sends_not_one_byte(sandbox: Sandbox, when: Any, forwarded: tuple[str, ...]) -> None:
    sandbox.faults.add("receipts.pay", when=when, action="drop")
    call = pay(sandbox.add_receipt(), sandbox.add_card())
    assert speak(sandbox, call, *forwarded) == b""


def test_mid_body_sends_headers_and_half_of_the_body(sandbox: Sandbox) -> None:
    receipt = sandbox.add_receipt()
    sandbox.faults.add("receipts.pay", when="mid_body", action="drop")
    head, _, body = speak(sandbox, pay(receipt, sandbox.add_card())).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    assert len(body) == length // 2
    assert body.startswith(b'{"jsonrpc":"2.0","id":1,"result"')
    assert sandbox.debits(receipt) == 1


def test_malformed_after_the_effect_is_whole_by_its_length(sandbox: Sandbox) -> None:
    sandbox.faults.add("receipts.pay", when="after", action="malformed")
    connection = connect(sandbox)
    connection.request(
        "POST",
        "/api",
        pay(sandbox.add_receipt(), sandbox.add_card()),
        {"X-Auth": f"{sandbox.merchant_id}:{sandbox.key}"},
    )
    response = connection.getresponse()
    body = response.read()
    assert len(body) == int(response.headers["Content-Length"])
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(body)
    connection.close()


@pytest.mark.parametrize("status", [201, 302, 404, 429, 500, 502, 504, 599])
def test_any_status(sandbox: Sandbox, status: int) -> None:
    sandbox.faults.add("*", action="http_status", status=status)
    connection = connect(sandbox)
    for _ in range(2):  # the connection lives on
        connection.request("POST", "/api", b"{}")
        response = connection.getresponse()
        assert response.status == status
        assert response.headers["Content-Type"].startswith("text/html")
        assert b"fault of the sandbox" in response.read()
    connection.close()


def test_a_dropped_call_leaves_the_other_connections_alone(sandbox: Sandbox) -> None:
    other, dropped = connect(sandbox), connect(sandbox)
    other.request("POST", "/api", b"{}")
    other.getresponse().read()
    sandbox.faults.add("*", action="drop", times=1)
    dropped.request("POST", "/api", b"{}")
    with pytest.raises(http.client.RemoteDisconnected):
        dropped.getresponse()
    other.request("POST", "/api", b"{}")
    assert other.getresponse().status == 200
    for connection in (other, dropped):
        connection.close()


def test_a_call_that_waits_is_served_after_the_caller_has_gone() -> None:
    served = threading.Event()

    def listen(answer: Answer) -> None:
        if answer.method == "receipts.pay":
            served.set()

    with Sandbox(on_answer=listen) as sandbox:
        receipt, token = sandbox.add_receipt(), sandbox.add_card()
        sandbox.faults.add("receipts.pay", when="before", action="delay", delay_ms=400)
        with (
            Payme(sandbox.merchant_id, sandbox.key, base_url=sandbox.url, timeout=0.1) as client,
            pytest.raises(OutcomeUnknown),
        ):
            client.receipts.pay(receipt, token)
        # "Check says 0" proves nothing: the payment is still on its way.
        assert sandbox.debits(receipt) == 0
        assert served.wait(10)
        assert sandbox.debits(receipt) == 1


def test_stop_waits_for_no_fault() -> None:
    with Sandbox() as sandbox:
        connections = []
        for when in WHENS:
            fault = sandbox.faults.add("cards.*", when=when, action="delay", delay_ms="1h", times=1)
            connections.append(connect(sandbox))
            connections[-1].request("POST", "/api", b'{"method": "cards.check"}')
            while not fault.fired:
                post(sandbox, b"{}")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("when", ["after", "mid_body"])
def test_what_is_lost_on_the_wire_is_kept_on_disk(tmp_path: Path, when: Any) -> None:
    db = tmp_path / "state.db"
    with Sandbox(db=db) as sandbox:
        receipt, token = sandbox.add_receipt(), sandbox.add_card()
        sandbox.faults.add("receipts.pay", when=when, action="drop")
        speak(sandbox, pay(receipt, token))
    with Sandbox(db=db) as again:
        assert (again.debits(receipt), Caller(again).state(receipt)) == (1, 4)
        assert again.faults.list() == []


def test_faults_are_counted_once_by_racing_calls(sandbox: Sandbox) -> None:
    fault = sandbox.faults.add("*", action="http_status", times=20)
    statuses: list[int] = []

    def run() -> None:
        connection = connect(sandbox)
        for _ in range(10):
            connection.request("POST", "/api", b"{}")
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(503), statuses.count(200)) == (20, 60)
    assert (fault.fired, fault.left) == (20, 0)
