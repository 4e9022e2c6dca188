"""The same over real HTTP, with a sandbox that listens."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from merchant_tools import HALF_DAY, Shop, basic, reply, served, shop_server
from sandbox_tools import Caller, Clock, post

from payme.sandbox import Sandbox

ALLOWED = b'{"result":{"allow":true}}'


@pytest.fixture
def shop(clock: Clock) -> Shop:
    return Shop(clock)


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    with shop_server(shop) as url:
        yield url


@pytest.fixture
def running(url: str, clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock, merchant_url=url, merchant_pauses=(0,)) as sandbox:
        yield sandbox


def over_http(sandbox: Sandbox, method: str, **params: Any) -> dict[str, Any]:
    body = json.dumps({"id": 1, "method": method, "params": params}).encode()
    return post(sandbox, body, f"{sandbox.merchant_id}:{sandbox.key}")


def create(sandbox: Sandbox, amount: int = 5) -> dict[str, Any]:
    return over_http(sandbox, "receipts.create", amount=amount, account={"order_id": 1})


def outcome(sandbox: Sandbox) -> str:
    return sandbox.merchant.last_exchanges(1)[0].outcome


def eventually(sandbox: Sandbox, receipt: str, state: int) -> None:
    """Wait for the sandbox's own thread, which looks ten times a second."""
    deadline = time.monotonic() + 10
    while over_http(sandbox, "receipts.check", id=receipt)["result"]["state"] != state:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_a_whole_payment_and_its_refund(running: Sandbox, shop: Shop, clock: Clock) -> None:
    receipt = create(running)["result"]["receipt"]["_id"]
    paid = over_http(running, "receipts.pay", id=receipt, token=running.add_card())
    assert paid["result"]["receipt"]["state"] == 4
    over_http(running, "receipts.cancel", id=receipt)
    clock.advance(1000)
    eventually(running, receipt, 50)
    running.merchant.run_due()
    assert [name for name in shop.methods() if name != "SetFiscalData"] == [
        "CheckPerformTransaction",
        "CreateTransaction",
        "PerformTransaction",
        "CancelTransaction",
    ]
    assert [one["type"] for one in shop.of("SetFiscalData")] == ["PERFORM", "CANCEL"]
    assert shop.headers[0]["Authorization"] == basic(running.key)
    assert shop.headers[0]["Content-Type"] == "application/json; charset=UTF-8"
    assert running.merchant.difference() == []


def test_a_moved_clock_waits_for_the_merchant_but_not_in_an_event_loop(
    running: Sandbox, shop: Shop
) -> None:
    def unperformed(order: int) -> str:
        shop.fail("PerformTransaction", *["lost"] * 100)
        account = {"order_id": order}
        made = over_http(running, "receipts.create", amount=5, account=account)
        receipt: str = made["result"]["receipt"]["_id"]
        over_http(running, "receipts.pay", id=receipt, token=running.add_card())
        return receipt

    first = unperformed(1)
    running.clock.advance("12h")
    assert shop.of("CancelTransaction") == [{"id": first, "reason": 4}]

    second = unperformed(2)
    went_on = threading.Event()
    seen: list[bool] = []

    async def moved() -> None:
        shop.fail("CancelTransaction", lambda: seen.append(went_on.wait(5)))
        running.clock.advance("12h")
        went_on.set()

    asyncio.run(moved())
    eventually(running, second, 50)
    assert seen == [True]


def test_a_lost_answer_is_asked_for_again(running: Sandbox, shop: Shop) -> None:
    shop.fail("CreateTransaction", "lost")
    shop.fail("PerformTransaction", "lost")
    receipt = create(running)["result"]["receipt"]["_id"]
    paid = over_http(running, "receipts.pay", id=receipt, token=running.add_card())
    assert paid["result"]["receipt"]["state"] == 4
    assert (running.debits(receipt), running.merchant.difference()) == (1, [])
    assert [one.outcome for one in running.merchant.exchanges(receipt)] == [
        "lost",
        "result",
        "lost",
        "result",
        "result",
    ]


def test_it_takes_up_by_itself_what_is_due(running: Sandbox, shop: Shop, clock: Clock) -> None:
    shop.fail("PerformTransaction", "lost", "lost")
    receipt = create(running)["result"]["receipt"]["_id"]
    paid = over_http(running, "receipts.pay", id=receipt, token=running.add_card())
    assert paid["result"]["receipt"]["state"] == 30
    clock.advance(HALF_DAY)
    deadline = time.monotonic() + 10
    while "CancelTransaction" not in shop.methods():  # nobody asks about the receipt
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    eventually(running, receipt, 50)
    assert [entry.kind for entry in running.ledger()] == ["debit", "refund"]


def test_the_merchant_may_call_back_while_it_is_asked(running: Sandbox, shop: Shop) -> None:
    seen: list[int] = []

    def call_back() -> None:
        seen.append(over_http(running, "receipts.check", id=receipt)["result"]["state"])
        assert "result" in over_http(
            running, "receipts.get_all", count=1, **{"from": 0, "to": 0}, offset=0
        )

    shop.fail("CreateTransaction", call_back)
    shop.fail("PerformTransaction", call_back)
    receipt = create(running)["result"]["receipt"]["_id"]
    over_http(running, "receipts.pay", id=receipt, token=running.add_card())
    assert seen == [1, 3]


def test_others_are_served_while_the_merchant_thinks(running: Sandbox, shop: Shop) -> None:
    go = threading.Event()
    shop.fail("CheckPerformTransaction", lambda: (go.wait(10), None)[1])
    waiting = threading.Thread(target=create, args=(running,))
    waiting.start()
    try:
        for _ in range(20):
            assert over_http(running, "receipts.check", id="0" * 24)["error"]["code"] == -31602
        assert waiting.is_alive()
    finally:
        go.set()
        waiting.join()


def test_nobody_listens(clock: Clock) -> None:
    with served(lambda *_: None) as url:
        pass
    sandbox = Sandbox(clock=clock, merchant_url=url)
    caller = Caller(sandbox)
    assert caller.no("receipts.create", amount=5, account={})[0] == -31622
    assert outcome(sandbox) == "unreachable"
    sandbox.stop()


def answer_with(status: int, body: bytes, **headers: str) -> Any:
    return lambda request, _: reply(request, status, body, **headers)


def drip(request: BaseHTTPRequestHandler, _: bytes) -> None:
    """Say something every 50 ms, and never come to an end."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    try:
        for number in range(200):
            request.wfile.write(b"X-%d: 1\r\n" % number)
            request.wfile.flush()
            threading.Event().wait(0.05)
    except OSError:
        return


def flood(request: BaseHTTPRequestHandler, _: bytes) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(1024):
        request.wfile.write(b" " * 65536)


@pytest.mark.parametrize(
    ("handle", "code", "seen"),
    [
        (answer_with(302, b"", Location="/elsewhere"), -31623, "status"),
        (answer_with(404, b"not found"), -31623, "status"),
        (answer_with(200, b"<html>"), -31623, "malformed"),
        (lambda request, _: request.wfile.write(b"hello\r\n\r\n"), -31622, "lost"),
        (
            lambda request, _: request.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"
            ),
            -31622,
            "lost",
        ),
        (lambda request, _: request.close_connection, -31622, "lost"),
        (flood, -31623, "malformed"),
        (drip, -31622, "timeout"),
    ],
)
def test_a_server_that_misbehaves(clock: Clock, handle: Any, code: int, seen: str) -> None:
    calls, finished = [], []

    def counted(request: BaseHTTPRequestHandler, body: bytes) -> None:
        calls.append(request.path)
        handle(request, body)
        finished.append(handle)

    with served(counted) as url:
        sandbox = Sandbox(clock=clock, merchant_url=url, merchant_timeout=1)
        began = time.monotonic()
        assert Caller(sandbox).no("receipts.create", amount=5, account={})[0] == code
        assert time.monotonic() - began < 5
        assert (outcome(sandbox), calls) == (seen, ["/payme"])
        sandbox.stop()
    # Of 64 MiB only the first are read, and the server finds nobody to send the rest to.
    assert flood not in finished


def test_an_answer_in_time_passes(clock: Clock) -> None:
    with served(answer_with(200, ALLOWED)) as url:
        sandbox = Sandbox(clock=clock, merchant_url=url)
        assert Caller(sandbox).receipt()
        sandbox.stop()


def test_stopping_does_not_wait_for_the_merchant(clock: Clock, url: str, shop: Shop) -> None:
    asked, go = threading.Event(), threading.Event()
    shop.fail("PerformTransaction", lambda: (asked.set(), go.wait(20), None)[2])
    sandbox = Sandbox(clock=clock, merchant_url=url).start()
    receipt = create(sandbox)["result"]["receipt"]["_id"]
    token, answers = sandbox.add_card(), []

    def pay() -> None:
        answers.append(over_http(sandbox, "receipts.pay", id=receipt, token=token))

    payer = threading.Thread(target=pay)
    payer.start()
    assert asked.wait(10)
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 5
    payer.join()
    go.set()
    assert answers[0]["error"]["code"] == -32400


def test_many_at_once(running: Sandbox, shop: Shop) -> None:
    token, paid = running.add_card(), []

    def run() -> None:
        for _ in range(5):
            made = over_http(running, "receipts.create", amount=5, account={"order_id": "many"})
            receipt = made["result"]["receipt"]["_id"]
            over_http(running, "receipts.pay", id=receipt, token=token)
            paid.append(receipt)

    workers = [threading.Thread(target=run) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(paid) == 40
    assert all(running.debits(receipt) == 1 for receipt in paid)
    assert running.merchant.reconcile() == []
