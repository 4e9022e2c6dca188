"""One deadline holds for a whole call: a server that keeps the line busy can't stretch it."""

import asyncio
import json
import threading
import time

import pytest

from payme.errors import NotSent, OutcomeUnknown
from support.clients import outcome, resolve
from support.faults import LOST_AFTER, LOST_BEFORE, SILENT_BEFORE
from support.faulty import serve
from support.fourteen import CALLS, ask, prepare, state_of
from support.listener import GIVE_UP

pytestmark = pytest.mark.anyio

TIMEOUT = 0.4
LATE = 0.35
"""What a loaded machine may add."""


@pytest.fixture
async def timed():
    async def timed(awaitable):
        started = time.monotonic()
        got = await outcome(awaitable)
        return got, time.monotonic() - started

    return timed


def drip_head(exchange):
    drip(exchange, b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")


def drip_body(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    drip(exchange, b"{" * 400)


def drip_chunks(exchange):
    exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(exchange, b"1\r\n{\r\n" * 400)


def drip_interim(exchange):
    while True:
        exchange.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.05)


def drip(exchange, data):
    exchange.execute()
    for number in range(len(data)):
        exchange.send(data[number : number + 1])
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("drip", "secure"),
    [
        pytest.param(drip_head, False, id="head"),
        pytest.param(drip_body, False, id="body"),
        pytest.param(drip_chunks, False, id="chunks"),
        pytest.param(drip_interim, False, id="interim"),
        pytest.param(drip_head, True, id="head_over_tls"),
        pytest.param(drip_body, True, id="body_over_tls"),
    ],
)
async def test_dripping_server_does_not_outlive_the_timeout(
    drip, secure, connect, server, tls_server, client_tls, sandbox, timed
):
    used = tls_server if secure else server
    used.otherwise = drip
    state = prepare(sandbox)
    payme = connect(used.url, timeout=TIMEOUT, ssl_context=client_tls if secure else None)
    error, took = await timed(CALLS["receipts.pay"](payme, state))
    assert isinstance(error, OutcomeUnknown), repr(error)
    assert error.sent == "maybe"
    assert TIMEOUT - 0.05 < took < TIMEOUT + LATE
    assert used.methods() == ["receipts.pay"]


async def test_attempts_end_with_the_deadline(connect, server, sandbox, timed):
    def slow(exchange):
        time.sleep(0.1)
        LOST_BEFORE.act(exchange)

    server.otherwise = slow
    state = prepare(sandbox)
    payme = connect(server.url, timeout=TIMEOUT, max_attempts=50)
    error, took = await timed(CALLS["receipts.get"](payme, state))
    # The last attempt decides; what is left for it may end before it has left.
    assert isinstance(error, (OutcomeUnknown, NotSent))
    assert took < TIMEOUT + LATE
    assert 1 <= len(server.requests) <= 4


async def test_a_later_attempt_has_only_the_time_that_is_left(connect, server, sandbox, timed):
    def slow(exchange):
        time.sleep(0.5)
        LOST_BEFORE.act(exchange)

    server.script(slow, SILENT_BEFORE.act)
    state = prepare(sandbox)
    error, took = await timed(CALLS["receipts.get"](connect(server.url, timeout=0.9), state))
    assert isinstance(error, OutcomeUnknown)
    assert took < 0.9 + LATE
    assert server.methods() == ["receipts.get"] * 2


async def test_an_endless_answer_is_not_read_to_its_end(connect, server, sandbox, timed):
    def flood(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            exchange.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    server.otherwise = flood
    state = prepare(sandbox)
    error, took = await timed(CALLS["receipts.pay"](connect(server.url, timeout=5), state))
    assert isinstance(error, OutcomeUnknown)
    assert "bytes" in str(error)
    assert took < 3


async def test_the_pool_is_usable_after_a_timeout(connect, server, sandbox):
    state = prepare(sandbox)
    payme = connect(server.url, timeout=1)
    server.script(*[SILENT_BEFORE.act] * 3)
    errors = await asyncio.gather(
        *(outcome(CALLS["receipts.send"](payme, state)) for _ in range(3))
    )
    assert {type(error) for error in errors} == {OutcomeUnknown}
    assert (await CALLS["receipts.pay"](payme, state)).is_paid
    await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 1)


async def test_a_payment_that_arrives_late_is_not_called_unpaid(connect, server, sandbox):
    """State 0 proves nothing: the request may still be on its way."""

    state = prepare(sandbox)
    payme = connect(server.url, timeout=0.2)
    release = threading.Event()

    def hold_back(exchange):
        exchange.hang()
        release.wait(GIVE_UP)
        exchange.execute()

    server.script(hold_back)
    error = await outcome(CALLS["receipts.pay"](payme, state))
    assert server.methods() == ["receipts.pay"]
    assert state_of(sandbox, state.unpaid) == 0
    unproven = await outcome(resolve(error, timeout=0.02))
    assert isinstance(unproven, OutcomeUnknown)
    assert unproven.receipt_id == state.unpaid
    release.set()
    await asyncio.to_thread(server.wait_until, lambda: "receipts.pay" in server.executed)
    assert (await resolve(unproven, timeout=5)).is_paid
    assert sandbox.debits(state.unpaid) == 1


async def test_giving_up_keeps_a_payment_that_arrives_late_from_being_taken(
    connect, server, sandbox
):
    state = prepare(sandbox)
    payme = connect(server.url)
    late = []

    def hold_back(exchange):
        late.append(exchange)
        exchange.close()

    server.script(hold_back)
    error = await outcome(CALLS["receipts.pay"](payme, state))
    receipt = await resolve(error, timeout=0.25, cancel=True)
    assert receipt.is_cancelled
    assert b"-31602" in late[0].execute()
    assert sandbox.debits(state.unpaid) == 0
    assert state_of(sandbox, state.unpaid) == 50


def only(method, fault):
    """A fault for one method; the others are served."""
    return lambda exchange: (fault.act if exchange.method == method else serve)(exchange)


async def test_resolve_keeps_asking_while_answers_are_lost(connect, server, sandbox):
    state = prepare(sandbox)
    server.script(LOST_AFTER.act, LOST_BEFORE.act, LOST_AFTER.act)
    error = await outcome(CALLS["receipts.pay"](connect(server.url, max_attempts=1), state))
    assert (await resolve(error, timeout=3)).is_paid
    assert server.methods() == ["receipts.pay", *["receipts.get"] * 3]


@pytest.mark.parametrize("fault", [LOST_BEFORE, LOST_AFTER], ids=str)
async def test_a_cancel_that_is_lost_while_giving_up_is_looked_at(fault, connect, server, sandbox):
    state = prepare(sandbox)
    server.script(LOST_BEFORE.act)
    server.otherwise = only("receipts.cancel", fault)
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    found = await outcome(resolve(error, timeout=0.25, cancel=True))
    first = server.methods().index("receipts.cancel")
    assert server.methods()[first + 1] == "receipts.get"
    if fault.executed:
        assert found.is_cancelled
    else:
        assert isinstance(found, OutcomeUnknown)
        assert found.receipt_id == state.unpaid


async def test_a_cancel_that_answers_a_receipt_not_cancelled_is_no_proof(connect, server, sandbox):
    state = prepare(sandbox)

    def cancel_later(exchange):
        if server.methods().count("receipts.cancel") > 1 or exchange.method != "receipts.cancel":
            serve(exchange)
            return
        receipt = ask(sandbox, "receipts.get", id=state.unpaid)
        exchange.answer(json.dumps({"id": exchange.json["id"], "result": receipt}).encode())

    server.script(LOST_BEFORE.act)
    server.otherwise = cancel_later
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    assert (await resolve(error, timeout=0.3, cancel=True)).is_cancelled
    assert state_of(sandbox, state.unpaid) == 50


@pytest.mark.slow
async def test_a_payment_that_gets_through_just_before_it_is_given_up_is_found(
    connect, server, sandbox
):
    """The cancel then refunds it: what counts is that the answer says so."""
    state = prepare(sandbox)
    late = []

    def hold_back(exchange):
        late.append(exchange)
        exchange.close()

    def cancel_too_late(exchange):
        if exchange.method == "receipts.cancel":
            late[0].execute()
        serve(exchange)

    server.script(hold_back)
    server.otherwise = cancel_too_late
    error = await outcome(CALLS["receipts.pay"](connect(server.url), state))
    receipt = await resolve(error, timeout=1.5, cancel=True)
    assert receipt.is_cancelled
    assert receipt.pay_time
    kinds = [entry.kind for entry in sandbox.ledger() if entry.receipt_id == receipt.id]
    assert kinds[:1] == ["debit"]
    assert state_of(sandbox, receipt.id) in (21, 50)


async def test_resolve_does_not_outlive_its_timeout(connect, server, sandbox, timed):
    state = prepare(sandbox)
    payme = connect(server.url, timeout=1.2)
    server.script(LOST_BEFORE.act)
    error = await outcome(CALLS["receipts.pay"](payme, state))
    server.otherwise = SILENT_BEFORE.act
    found, took = await timed(resolve(error, timeout=0.2))
    assert isinstance(found, OutcomeUnknown)
    assert took < 0.2 + LATE
