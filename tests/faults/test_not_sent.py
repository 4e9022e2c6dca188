"""`NotSent` is a promise: no byte of the request left. Everything else is an unknown outcome."""

import asyncio
import socket
import ssl
import time

import pytest
import trustme

from payme.errors import NotSent, OutcomeUnknown, UnreadableAnswer
from payme.transport.aio import AsyncioTransport
from payme.transport.blocking import BlockingTransport
from support import gates
from support.clients import BLOCKING, make, outcome
from support.faults import LOST_AFTER, LOST_BEFORE
from support.faulty import Faulty
from support.fourteen import CALLS, FOURTEEN, prepare
from support.gates import Gate
from support.listener import reset

pytestmark = pytest.mark.anyio

SHORT = {"timeout": 0.4, "connect_timeout": 0.2, "max_attempts": 1}


@pytest.fixture
def state(sandbox):
    return prepare(sandbox)


@pytest.fixture
def pay(state):
    return lambda payme: outcome(CALLS["receipts.pay"](payme, state))


def check_not_sent(error, state):
    assert isinstance(error, NotSent), repr(error)
    assert not isinstance(error, OutcomeUnknown)
    assert error.sent == "no"
    assert error.method == "receipts.pay"
    assert error.receipt_id == state.unpaid


def check_unknown(error, state, sent="maybe"):
    assert isinstance(error, OutcomeUnknown), repr(error)
    assert not isinstance(error, NotSent)
    assert error.sent == sent
    assert error.receipt_id == state.unpaid


# Before the connection stands.


async def test_refused(connect, pay, state):
    with gates.refused() as port:
        check_not_sent(await pay(connect(f"http://127.0.0.1:{port}/api")), state)


async def test_no_such_host(connect, pay, state, monkeypatch):
    def no_such_host(host, *_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    check_not_sent(await pay(connect("http://checkout.invalid/api", allow_http=True)), state)


async def test_connect_timeout(connect, pay, state):
    with gates.deaf() as port:
        started = time.monotonic()
        error = await pay(connect(f"http://127.0.0.1:{port}/api", **SHORT))
        assert 0.15 < time.monotonic() - started < 0.4
        check_not_sent(error, state)


async def test_connect_timeouts_of_all_attempts_share_the_deadline(connect, pay, state):
    with gates.deaf() as port:
        started = time.monotonic()
        options = {"timeout": 0.3, "connect_timeout": 0.2, "max_attempts": 9}
        error = await pay(connect(f"http://127.0.0.1:{port}/api", **options))
        assert time.monotonic() - started < 0.6
        check_not_sent(error, state)


async def test_pool_timeout(style, server, sandbox, state):
    """All connections are busy: the request waits in line and never leaves."""
    kind = BlockingTransport if style == BLOCKING else AsyncioTransport
    transport = kind(server.url, max_connections=1)
    busy = make(style, sandbox.merchant_id, sandbox.key, transport=transport, timeout=5)
    server.otherwise = lambda exchange: exchange.hang()
    stuck = asyncio.create_task(outcome(busy.receipts.check(state.unpaid)))
    await asyncio.to_thread(server.wait_until, lambda: len(server.requests) == 1)
    arrived = server.arrived
    hurried = busy.with_options(timeout=0.2, max_attempts=1)
    check_not_sent(await outcome(CALLS["receipts.pay"](hurried, state)), state)
    assert server.methods() == ["receipts.check"]
    assert server.arrived == arrived
    server.otherwise = lambda exchange: exchange.answer(exchange.execute())
    for sock in list(server._open):
        sock.shutdown(socket.SHUT_RDWR)
    assert await stuck == 0
    assert (await CALLS["receipts.pay"](hurried, state)).is_paid
    await busy.aclose()


# TLS.


@pytest.mark.parametrize(
    "serve",
    [gates.plain_text, gates.hang_up, gates.hang_up_hard, gates.stall],
    ids=lambda serve: serve.__name__,
)
async def test_tls_handshake_that_fails(serve, connect, pay, state, client_tls):
    with Gate(serve) as gate:
        url = f"https://localhost:{gate.port}/api"
        started = time.monotonic()
        options = {**SHORT, "timeout": 3, "ssl_context": client_tls}
        check_not_sent(await pay(connect(url, **options)), state)
        assert time.monotonic() - started < 1


async def test_certificate_of_an_unknown_authority(connect, pay, state, server_tls):
    stranger = ssl.create_default_context()
    trustme.CA().configure_trust(stranger)
    with Gate(gates.handshake(server_tls)) as gate:
        url = f"https://localhost:{gate.port}/api"
        check_not_sent(await pay(connect(url, ssl_context=stranger)), state)
    assert gate.connections
    assert gate.seen == b""


async def test_certificate_of_another_host(connect, pay, state, ca, client_tls):
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("checkout.example.uz").configure_cert(other)
    with Gate(gates.handshake(other)) as gate:
        url = f"https://localhost:{gate.port}/api"
        error = await pay(connect(url, ssl_context=client_tls))
        check_not_sent(error, state)
    assert gate.connections
    assert gate.seen == b""


async def test_client_certificate_that_is_missed_after_the_handshake_is_unknown(
    connect, pay, state, ca, client_tls
):
    """TLS 1.3 ends the handshake for the client before the server has looked at its certificate."""
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.minimum_version = ssl.TLSVersion.TLSv1_3
    ca.issue_cert("localhost").configure_cert(strict)
    strict.verify_mode = ssl.CERT_REQUIRED
    with Gate(gates.handshake(strict)) as gate:
        url = f"https://localhost:{gate.port}/api"
        check_unknown(await pay(connect(url, ssl_context=client_tls)), state)
    assert gate.connections == 1


# A proxy: what is sent to it before the tunnel stands is no part of the request.


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(gates.proxy_saying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), id="403"),
        pytest.param(
            gates.proxy_saying(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n"), id="407"
        ),
        pytest.param(
            gates.proxy_saying(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno"), id="502"
        ),
        pytest.param(gates.proxy_saying(b""), id="closed"),
        pytest.param(gates.proxy_saying(b"220 mail ready\r\n\r\n"), id="not_http"),
        pytest.param(gates.proxy_stalling, id="stalling"),
    ],
)
async def test_proxy_that_makes_no_tunnel(serve, connect, pay, state, client_tls):
    with Gate(serve) as gate:
        error = await pay(
            connect(
                "https://localhost:9/api",
                proxy=f"http://127.0.0.1:{gate.port}",
                ssl_context=client_tls,
                **SHORT,
            )
        )
        check_not_sent(error, state)
    assert gate.connections == 1
    assert gate.seen == b""


async def test_tls_failure_behind_a_proxy(connect, pay, state, server_tls):
    stranger = ssl.create_default_context()
    trustme.CA().configure_trust(stranger)
    with (
        Gate(gates.handshake(server_tls)) as target,
        Gate(gates.proxy_to(target.port)) as gate,
    ):
        url = f"https://localhost:{target.port}/api"
        proxy = f"http://127.0.0.1:{gate.port}"
        check_not_sent(await pay(connect(url, proxy=proxy, ssl_context=stranger)), state)
        assert target.connections
        assert target.seen == b""


async def test_a_working_proxy_is_used_and_a_loss_behind_it_is_unknown(
    connect, pay, state, tls_server, client_tls, sandbox
):
    with Gate(gates.proxy_to(tls_server.port)) as gate:
        proxy = f"http://127.0.0.1:{gate.port}"
        payme = connect(tls_server.url, proxy=proxy, ssl_context=client_tls)
        assert await payme.receipts.check(state.unpaid) == 0
        assert gate.connections == 1
        tls_server.script(LOST_AFTER.act)
        check_unknown(await pay(payme), state)
        assert sandbox.debits(state.unpaid) == 1


async def test_refused_proxy(connect, pay, state, client_tls):
    with gates.refused() as port:
        proxy = f"http://127.0.0.1:{port}"
        payme = connect("https://localhost:9/api", proxy=proxy, ssl_context=client_tls)
        check_not_sent(await pay(payme), state)


# Once a byte may have left.


async def test_reset_at_the_first_byte_is_unknown(connect, pay, state):
    def serve(gate, sock):
        gate.note(sock.recv(1))
        reset(sock)

    with Gate(serve) as gate:
        check_unknown(await pay(connect(f"http://127.0.0.1:{gate.port}/api")), state)
    assert gate.connections == 1
    assert gate.seen


async def test_read_timeout_is_unknown(connect, pay, state, server):
    server.otherwise = lambda exchange: exchange.hang()
    check_unknown(await pay(connect(server.url, timeout=0.3)), state)
    assert server.methods() == ["receipts.pay"]


@pytest.mark.parametrize("hard", [False, True], ids=["FIN", "RST"])
async def test_kept_connection_that_closes_on_the_next_request_is_unknown(
    hard, connect, pay, state, server
):
    def close(exchange):
        if hard:
            reset(exchange.sock)
        exchange.close()

    payme = connect(server.url)
    assert await payme.receipts.check(state.unpaid) == 0
    server.script(close)
    check_unknown(await pay(payme), state)
    assert server.connections == 1
    assert server.methods() == ["receipts.check", "receipts.pay"]


async def test_redirect_is_not_followed(connect, pay, state, server):
    server.script(
        lambda exchange: exchange.answer(
            b"", "307 Temporary Redirect", f"Location: {server.plain_url}"
        )
    )
    error = await pay(connect(server.url))
    check_unknown(error, state, sent="yes")
    assert isinstance(error, UnreadableAnswer)
    assert server.methods() == ["receipts.pay"]


# Sending again.


@pytest.mark.parametrize("method", FOURTEEN)
async def test_what_was_not_sent_is_tried_as_often_as_allowed(method, connect, sandbox, client_tls):
    state = prepare(sandbox, method)
    with Gate(gates.hang_up) as gate:
        url = f"https://localhost:{gate.port}/api"
        payme = connect(url, ssl_context=client_tls, max_attempts=3)
        error = await outcome(CALLS[method](payme, state))
        assert isinstance(error, NotSent)
        assert error.sent == "no"
        assert gate.connections == 3
        with pytest.raises(NotSent):
            await CALLS[method](payme.with_options(max_attempts=1), state)
        assert gate.connections == 4


@pytest.mark.parametrize("method", FOURTEEN)
async def test_what_was_not_sent_is_sent_again_and_executed_once(
    method, connect, sandbox, server_tls, client_tls
):
    class LateTls(Faulty):
        def _talk(self, sock):
            if self.connections == 1:
                sock.recv(1)
                return
            super()._talk(sock)

    state = prepare(sandbox, method)
    with LateTls(sandbox, server_tls) as server:
        payme = connect(server.url, ssl_context=client_tls)
        assert await CALLS[method](payme, state) is not None
        assert server.connections == 2
        assert server.executed == [method]
    assert sandbox.debits(state.unpaid) == int(method == "receipts.pay")


async def test_not_sent_then_lost_is_unknown(connect, pay, state, sandbox, server_tls, client_tls):
    """The last attempt decides: an earlier one that did not leave says nothing about it."""

    class LateTls(Faulty):
        def _talk(self, sock):
            if self.connections == 1:
                return
            super()._talk(sock)

    with LateTls(sandbox, server_tls) as server:
        server.otherwise = LOST_BEFORE.act
        check_unknown(await pay(connect(server.url, ssl_context=client_tls)), state)
        assert server.methods() == ["receipts.pay"]
