import contextlib
import gc
import json
import logging
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_tools import SLOW, Caller, check_answer, connect, post

from payme.sandbox import Sandbox, SandboxError

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox(slow_card_ms=400) as sandbox:
        yield sandbox


def call(method: str, **params: object) -> bytes:
    return json.dumps({"id": 1, "method": method, "params": params}).encode()


def raw_socket(sandbox: Sandbox) -> socket.socket:
    parts = urlsplit(sandbox.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def read_answer(connection: socket.socket) -> bytes:
    """Read until the other side closes."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def test_a_whole_payment(running: Sandbox) -> None:
    back = f"{running.merchant_id}:{running.key}"
    token = running.add_card(save=False)
    created = post(running, call("receipts.create", amount=1, account={}), back, "/api/")
    receipt = created["result"]["receipt"]["_id"]
    paid = post(running, call("receipts.pay", id=receipt, token=token), back)
    assert paid["result"]["receipt"]["state"] == 4
    assert running.debits(receipt) == 1


def test_no_header_is_no_access(running: Sandbox) -> None:
    answer = post(running, call("cards.check", token="x"))
    assert answer["error"]["data"] == "invalid_id"


@pytest.mark.parametrize("verb", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize("body", [b"", b"x" * 100_000])
def test_other_verbs(running: Sandbox, verb: str, body: bytes) -> None:
    connection = connect(running)
    connection.request(verb, "/api", body)
    response = connection.getresponse()
    assert response.status == 200
    assert check_answer(response.read())["error"]["code"] == -32300
    connection.close()


def test_other_paths(running: Sandbox) -> None:
    connection = connect(running)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert (response.status, b"sandbox" in response.read()) == (200, True)
    for verb in ("GET", "POST"):
        connection.request(verb, "/nowhere", b"")
        response = connection.getresponse()
        assert (response.status, "error" in json.loads(response.read())) == (404, True)
    connection.close()


def test_calls_share_a_connection_without_delay(running: Sandbox) -> None:
    connection = connect(running)
    body, took = call("cards.check", token="x"), []
    for _ in range(21):
        started = time.perf_counter()
        connection.request("POST", "/api", body, {"X-Auth": running.merchant_id})
        connection.getresponse().read()
        took.append(time.perf_counter() - started)
    connection.close()
    # With Nagle's algorithm each of them takes 40 ms.
    assert sorted(took)[10] < 0.03


@pytest.mark.parametrize("size", [MIB + 1, 5 * MIB])
def test_oversized(running: Sandbox, size: int) -> None:
    assert post(running, b" " * size)["error"]["code"] == -32600


def test_oversized_is_answered_before_it_was_sent(running: Sandbox) -> None:
    with raw_socket(running) as connection:
        connection.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n")
        received = connection.recv(65536)
        received += read_answer(connection)
    assert received.startswith(b"HTTP/1.1 200")
    assert b"-32600" in received


def test_endless_chunks(running: Sandbox) -> None:
    with raw_socket(running) as connection:
        connection.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(17):
            connection.sendall(chunk)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65536)
        assert b"-32600" in received
        with pytest.raises((ConnectionError, TimeoutError)):
            connection.sendall(chunk * 1000)


def test_a_full_mebibyte_is_served(running: Sandbox) -> None:
    body = call("cards.check", token="x").ljust(MIB)
    assert post(running, body, running.merchant_id)["error"]["code"] == -32500


def test_uvicorns_loggers_are_left_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    loggers = [logging.getLogger(f"uvicorn.{name}") for name in ("error", "access")]
    before = [(one.level, one.propagate, one.handlers, one.disabled) for one in loggers]
    with caplog.at_level(logging.DEBUG), Sandbox() as sandbox:
        post(sandbox, b"{}")
        with raw_socket(sandbox) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert b" 400 " in read_answer(connection)
        assert before == [(one.level, one.propagate, one.handlers, one.disabled) for one in loggers]
        loggers[0].warning("somebody else's uvicorn")
    assert [record.message for record in caplog.records if record.name != "asyncio"] == [
        "somebody else's uvicorn"
    ]


def test_deep_nesting(running: Sandbox) -> None:
    assert post(running, b"[" * 100_000)["error"]["code"] == -32700


def test_a_short_body_hangs_nobody_else() -> None:
    with Sandbox() as sandbox:
        stuck = [raw_socket(sandbox) for _ in range(20)]
        for connection in stuck:
            connection.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert "error" in post(sandbox, b"{}")
        started = time.monotonic()
    assert time.monotonic() - started < 3
    for connection in stuck:
        connection.close()


def test_the_slow_card_keeps_only_its_own_call(running: Sandbox) -> None:
    caller = Caller(running)
    receipt, token = caller.receipt(), caller.verified(SLOW)
    answers = []

    def pay() -> None:
        started = time.monotonic()
        answer = post(running, call("receipts.pay", id=receipt, token=token), caller.back)
        answers.append((answer["error"]["code"], time.monotonic() - started))

    thread = threading.Thread(target=pay)
    thread.start()
    started = time.monotonic()
    post(running, call("receipts.check", id=receipt), caller.back)
    assert time.monotonic() - started < 0.3
    thread.join()
    assert answers[0][0] == -31630
    assert answers[0][1] >= 0.4
    assert running.debits(receipt) == 0


def test_stop_waits_for_no_slow_card() -> None:
    with Sandbox() as sandbox:
        caller = Caller(sandbox)
        body = call("receipts.pay", id=caller.receipt(), token=caller.verified(SLOW))
        connection = connect(sandbox)
        connection.request("POST", "/api", body, {"X-Auth": caller.back})
        time.sleep(0.1)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    connection.close()


@pytest.mark.parametrize("kept", [False, True])
def test_racing_payments_debit_once(tmp_path: Path, kept: bool) -> None:
    with Sandbox(db=tmp_path / "state.db" if kept else None) as sandbox:
        caller = Caller(sandbox)
        token = sandbox.add_card()
        for _ in range(10):
            receipt = caller.receipt()
            outcomes = race(sandbox, call("receipts.pay", id=receipt, token=token), caller.back)
            assert sorted(outcomes) == [-31602] * 7 + [4]
            assert sandbox.debits(receipt) == 1
        assert len(sandbox.ledger()) == 10


def race(sandbox: Sandbox, body: bytes, auth: str, threads: int = 8) -> list[int]:
    barrier, outcomes = threading.Barrier(threads), []

    def run() -> None:
        barrier.wait()
        answer = post(sandbox, body, auth)
        error = answer.get("error")
        outcomes.append(error["code"] if error else answer["result"]["receipt"]["state"])

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return outcomes


def test_racing_cancel_and_pay_leave_one_truth(running: Sandbox) -> None:
    caller, token = Caller(running), running.add_card()
    for _ in range(10):
        receipt = caller.receipt()
        pay = call("receipts.pay", id=receipt, token=token)
        barrier = threading.Barrier(2)

        def run(body: bytes, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            post(running, body, caller.back)

        workers = [
            threading.Thread(target=run, args=(body,))
            for body in (pay, call("receipts.cancel", id=receipt))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert (caller.state(receipt), running.debits(receipt)) in {(50, 0), (21, 1)}


def test_sandboxes_share_nothing() -> None:
    with Sandbox() as one, Sandbox() as other:
        assert one.url != other.url
        assert one.merchant_id != other.merchant_id
        assert one.key != other.key
        receipt = Caller(one).receipt()
        back = f"{other.merchant_id}:{other.key}"
        assert "error" in post(other, call("receipts.get", id=receipt), back)
        assert post(other, b"{}", f"{one.merchant_id}:{one.key}")["error"]["code"] == -32600
        assert Caller(other).all() == []


def test_it_listens_on_loopback(running: Sandbox) -> None:
    assert urlsplit(running.url).hostname == "127.0.0.1"
    assert running.url.endswith("/api")


def test_ipv6() -> None:
    try:
        sandbox = Sandbox(host="::1").start()
    except SandboxError:
        pytest.skip("no IPv6 here")
    assert urlsplit(sandbox.url).hostname == "::1"
    post(sandbox, b"{}")
    sandbox.stop()


def test_a_taken_port_is_said(running: Sandbox) -> None:
    port = urlsplit(running.url).port
    assert port is not None
    with pytest.raises(SandboxError, match=str(port)), Sandbox(port=port):
        pass


def test_start_and_stop() -> None:
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match="start"):
        _ = sandbox.url
    assert sandbox.start() is sandbox
    url = sandbox.url
    assert sandbox.start().url == url
    sandbox.stop()
    sandbox.stop()
    with pytest.raises(SandboxError):
        sandbox.start()
    with pytest.raises(ConnectionError):
        open_socket(url)


def test_a_connection_that_comes_as_it_stops_is_closed() -> None:
    """Python 3.14 drops what a closed server has accepted, and says so on stderr."""
    for _ in range(10):
        with Sandbox() as sandbox, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            opened = [raw_socket(sandbox) for _ in range(3)]
            sandbox.stop()
            gc.collect()
            for one in opened:
                one.settimeout(1)
                assert closed(one)
                one.close()
        assert [str(one.message) for one in warned] == []


def closed(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


def open_socket(url: str) -> None:
    parts = urlsplit(url)
    socket.create_connection((parts.hostname, parts.port), timeout=2).close()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_over_http(body: bytes) -> None:
    answer = post(FUZZED, body, f"{FUZZED.merchant_id}:{FUZZED.key}")
    assert "error" in answer


FUZZED = Sandbox()


@pytest.fixture(scope="module", autouse=True)
def _fuzzed() -> Iterator[None]:
    with FUZZED:
        yield


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side has closed; only then is nothing read."""
    while connection.recv(1000):
        pass
    return True


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /api HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Auth: "],
    ids=["nothing", "the first line", "half a header"],
)
def test_a_request_whose_headers_do_not_end_is_ended(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("payme.sandbox.server._HEAD_TIMEOUT_S", 0.3)
    with Sandbox() as sandbox:
        address = urlsplit(sandbox.url)
        with socket.create_connection((address.hostname or "", address.port or 0), 20) as half:
            half.sendall(begun)
            assert is_closed(half)
        with socket.create_connection((address.hostname or "", address.port or 0), 20) as second:
            # After a request that was served, too.
            second.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n" + begun)
            assert second.recv(15) == b"HTTP/1.1 200 OK"
            assert is_closed(second)


@pytest.mark.slow
def test_requests_that_follow_one_another_are_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payme.sandbox.server._HEAD_TIMEOUT_S", 0.5)
    with Sandbox() as sandbox:
        connection = connect(sandbox)
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            connection.request("POST", "/api", b"{}")
            assert connection.getresponse().read()
            time.sleep(0.02)
        connection.close()


def test_threads_that_start_one_sandbox_start_one() -> None:
    sandbox = Sandbox()
    others = set(threading.enumerate())
    urls: list[str] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        urls.append(sandbox.start().url)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    new = set(threading.enumerate()) - others
    servers = [one for one in new if one.name == "payme-sandbox-http"]
    assert len(set(urls)) == len(servers) == 1
    sandbox.stop()
    assert not servers[0].is_alive()


@pytest.mark.parametrize("where", ["none", "in this process", "by http"])
def test_a_second_stop_does_nothing(where: str) -> None:
    def merchant(_body: bytes, _headers: dict[str, str]) -> tuple[int, bytes]:
        return 200, b'{"result":{"allow":true}}'

    with (
        Sandbox(merchant_url="http://127.0.0.1:9/", merchant_pauses=())
        if where == "by http"
        else Sandbox(
            merchant=merchant if where == "in this process" else None, merchant_pauses=()
        ) as sandbox
    ):
        params = {"amount": 500, "account": {"order_id": 1}}
        call = json.dumps({"method": "receipts.create", "params": params}).encode()
        post(sandbox, call, f"{sandbox.merchant_id}:{sandbox.key}")
    sandbox.stop()
    threads = [threading.Thread(target=sandbox.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
