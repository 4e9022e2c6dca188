"""The wire on real sockets: which connection carries a request, and how long that may take."""

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from payme.transport import aio, blocking
from payme.transport.address import Endpoint, Socket, interleaved
from payme.transport.base import Request, TransportError
from payme.transport.pool import Lease, Pool
from support import gates
from support.answering import ANSWER, answering
from support.gates import Gate
from support.listener import GIVE_UP, Listener, wait_for_hangup

pytestmark = pytest.mark.anyio

DESCRIPTORS = Path("/proc/self/fd")
LATE = 0.4


def request(timeout=3.0, connect_timeout=3.0, max_idle=30.0):
    return Request("id:key", b"{}", timeout, connect_timeout, max_idle)


async def failed(awaitable):
    with pytest.raises(TransportError) as failure:
        await awaitable
    return failure.value


# Which connection.


async def test_a_connection_that_was_idle_for_too_long_is_left_to_others(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        await made.send(request())
        await asyncio.sleep(0.06)
        await made.send(request(max_idle=0.05))
        assert server.connections == 2
        await made.send(request(max_idle=0.05))
        assert server.connections == 2
        # The old one is still there for who does not mind.
        assert len(made.pool._idle) == 2


async def test_a_connection_that_was_idle_for_too_long_makes_room_for_a_new_one(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api", max_connections=1)
        await made.send(request())
        await asyncio.sleep(0.03)
        await made.send(request(max_idle=0.01))
        assert server.connections == 2
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 1)


async def test_connections_expire(wire, monkeypatch):
    monkeypatch.setattr("payme.transport.pool.KEEPALIVE", 0.02)
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        await made.send(request())
        await asyncio.sleep(0.03)
        await made.send(request(max_idle=0.02))
        await asyncio.to_thread(server.wait_until, lambda: server.open_connections == 1)
        assert server.connections == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_sessions_are_resumed(wire, server_tls, client_tls, ca, version):
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.minimum_version = strict.maximum_version = version
    ca.issue_cert("localhost").configure_cert(strict)
    resumed = []
    with answering(strict, resumed=resumed) as server:
        made = wire(f"https://localhost:{server.port}/api", client_tls)
        for _ in range(4):
            assert (await made.send(request(max_idle=0.0))).body == b"{}"
    assert resumed == [False, True, True, True]


async def test_a_server_that_forgot_its_sessions_is_reached(wire, ca, client_tls):
    resumed = []

    def fresh():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        return context

    with answering(fresh(), resumed=resumed) as server, answering(fresh()) as other:
        made = wire(f"https://localhost:{server.port}/api", client_tls)
        await made.send(request())
        made.inner._endpoint._port = other.port
        assert (await made.send(request(max_idle=0.0))).status == 200


async def test_a_session_is_given_up_when_a_handshake_fails(wire, server_tls, client_tls):
    def refuse(sock):
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n")
        wait_for_hangup(sock)

    with answering(server_tls) as server, Listener(refuse) as other:
        made = wire(f"https://localhost:{server.port}/api", client_tls)
        await made.send(request())
        assert made.inner._endpoint.session is not None
        made.inner._endpoint._port = other.port
        error = await failed(made.send(request(max_idle=0.0)))
        assert error.sent is False
        assert made.inner._endpoint.session is None


async def test_the_certificate_must_be_one_for_the_name_that_was_called(
    wire, server_tls, client_tls
):
    with answering(server_tls) as server:
        made = wire(f"https://127.0.0.1:{server.port}/api", client_tls)
        error = await failed(made.send(request()))
        assert "certificate" in error.reason
        assert error.sent is False


@pytest.mark.parametrize("late", [False, True], ids=["same_packet", "later"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_connection_with_bytes_behind_the_answer_is_not_used_again(
    wire, server_tls, client_tls, secure, late
):
    answer = ANSWER if late else ANSWER + ANSWER
    with answering(server_tls if secure else None, answer) as server:
        url = f"http{'s' if secure else ''}://localhost:{server.port}/api"
        made = wire(url, client_tls)
        for number in range(1, 4):
            assert (await made.send(request())).body == b"{}"
            assert server.connections == number
            if late:
                for sock in list(server._open):
                    sock.sendall(ANSWER)
                await asyncio.sleep(0.01)


async def test_a_loop_that_was_busy_notices_what_came_meanwhile(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        await made.send(request())
        for sock in list(server._open):
            sock.shutdown(socket.SHUT_RDWR)
        # No round of the loop between the end of the line and the next request.
        time.sleep(0.02)
        assert (await made.send(request())).status == 200
        assert server.connections == 2


async def test_discarded_connection_is_not_used_again(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        (await made.send(request())).discard()
        await made.send(request())
        assert server.connections == 2


async def test_a_request_that_can_t_be_written_is_not_sent(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        asked = Request("id:k\r\nX-Evil: 1", b"{}", 3.0, 3.0)
        error = await failed(made.send(asked))
        assert (error.sent, asked.sent) == (False, False)
        # The connection that had been opened for it does not keep its place.
        assert made.pool.sockets() == []


@pytest.mark.parametrize("told", [True, False], ids=["close_notify", "cut"])
async def test_a_body_that_ends_with_the_line_is_whole_if_tls_says_so(
    wire, server_tls, client_tls, told
):
    """Whoever sits in between can end a line, and can't end TLS."""

    def serve(sock):
        with server_tls.wrap_socket(sock, server_side=True, suppress_ragged_eofs=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")
            if told:
                with contextlib.suppress(OSError):
                    secured.unwrap()
            else:
                secured.shutdown(socket.SHUT_RDWR)

    with Listener(serve) as server:
        made = wire(f"https://localhost:{server.port}/api", client_tls)
        if told:
            assert (await made.send(request())).body == b"{}"
        else:
            error = await failed(made.send(request()))
            assert "before the whole answer" in error.reason
            assert error.sent is True


# How long.


def look_up_by(monkeypatch, getaddrinfo):
    """Look up names so; the test's own servers are called by their numbers."""
    real = socket.getaddrinfo

    def look_up(host, *args, **kwargs):
        return (real if host == "127.0.0.1" else getaddrinfo)(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def hanging_look_up(monkeypatch):
    release, hanging = threading.Event(), []

    def getaddrinfo(host, *_args, **_kwargs):
        hanging.append(host)
        release.wait(GIVE_UP)
        raise socket.gaierror(socket.EAI_AGAIN, "released")

    look_up_by(monkeypatch, getaddrinfo)
    yield hanging
    release.set()


@pytest.mark.parametrize(("timeout", "connect_timeout"), [(0.2, 5.0), (5.0, 0.2)])
async def test_a_look_up_that_hangs_ends_at_the_deadline(
    wire, hanging_look_up, timeout, connect_timeout
):
    made = wire("http://checkout.invalid/api")
    asked = request(timeout, connect_timeout)
    started = time.monotonic()
    error = await failed(made.send(asked))
    assert 0.15 < time.monotonic() - started < 0.2 + LATE
    assert (error.sent, asked.sent) == (False, False)
    # The next one waits for the same look-up.
    await failed(made.send(request(0.05)))
    assert hanging_look_up == ["checkout.invalid"]


async def test_a_name_is_looked_up_again_for_the_next_connection(wire, monkeypatch):
    with answering() as server:
        found = [socket.gaierror(socket.EAI_AGAIN, "not yet")]

        def getaddrinfo(*_args, **_kwargs):
            if found:
                raise found.pop()
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]

        look_up_by(monkeypatch, getaddrinfo)
        made = wire(f"http://late.invalid:{server.port}/api")
        assert (await failed(made.send(request()))).sent is False
        assert (await made.send(request())).status == 200


async def test_a_literal_address_is_not_looked_up(wire, monkeypatch):
    with answering() as server:
        monkeypatch.setattr("payme.transport.address.LookUp._run", None)
        assert (await wire(f"http://127.0.0.1:{server.port}/api").send(request())).status == 200


def resolve_to(monkeypatch, *addresses):
    def getaddrinfo(*_args, **_kwargs):
        return [(family, socket.SOCK_STREAM, 6, "", name) for family, name in addresses]

    look_up_by(monkeypatch, getaddrinfo)


async def test_six_dead_addresses_share_the_deadline(wire, monkeypatch):
    with contextlib.ExitStack() as stack:
        dead = [(socket.AF_INET, ("127.0.0.1", stack.enter_context(gates.deaf())))] * 6
        resolve_to(monkeypatch, *dead)
        made = wire(f"http://dead.invalid:{dead[0][1][1]}/api")
        started = time.monotonic()
        error = await failed(made.send(request(0.5)))
        assert time.monotonic() - started < 0.5 + LATE
        assert error.sent is False


async def test_an_address_that_is_dead_costs_a_moment(wire, monkeypatch):
    with answering() as server, gates.deaf() as deaf:
        made = wire("http://two.invalid/api")
        ports = iter((deaf, server.port))
        resolve_to(
            monkeypatch, (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.1", 0))
        )
        connecting(monkeypatch, ports)
        started = time.monotonic()
        assert (await made.send(request())).status == 200
        assert 0.2 < time.monotonic() - started < 0.25 + LATE


async def test_an_address_that_refuses_costs_nothing(wire, monkeypatch):
    with answering() as server, gates.refused() as refused:
        made = wire("http://two.invalid/api")
        resolve_to(
            monkeypatch, (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET, ("127.0.0.1", 0))
        )
        connecting(monkeypatch, iter((refused, server.port)))
        started = time.monotonic()
        assert (await made.send(request())).status == 200
        assert time.monotonic() - started < 0.2


def connecting(monkeypatch, ports):
    """Give each try a port of its own, which real addresses of one host do not have."""
    monkeypatch.setattr(
        "payme.transport.address.interleaved",
        lambda found: [(family, (name[0], next(ports))) for family, name in found],
    )


def test_both_families_take_turns():
    four, six = socket.AF_INET, socket.AF_INET6
    addresses = [(six, ("a", 1)), (six, ("b", 1)), (four, ("c", 1)), (six, ("d", 1))]
    assert [name for _, (name, _) in interleaved(addresses)] == ["a", "c", "b", "d"]
    assert interleaved([]) == []


# The limit.


async def test_waiting_callers_get_their_turn_in_order(wire):
    with answering() as server:
        made = wire(f"http://127.0.0.1:{server.port}/api", max_connections=2)
        replies = await asyncio.gather(*(made.send(request(8.0)) for _ in range(30)))
        assert {reply.status for reply in replies} == {200}
        assert server.connections <= 2
        assert not made.pool._line or made.pool._first() is None


def test_nobody_overtakes_the_line():
    pool = Pool(1)
    first, second, late = Lease(), Lease(), Lease()
    rung = []
    assert pool.take(first, 30.0)
    pool.stand_in_line(second, lambda: rung.append(1))
    assert not pool.take(second, 30.0)
    first.place = None
    pool.end(first)
    assert rung == [1]
    assert not pool.take(late, 30.0)
    assert pool.take(second, 30.0)


async def test_an_answer_to_half_a_request_ends_the_connection(wire, style):
    if style == "blocking":
        pytest.skip("sends all before it reads")

    def serve(sock):
        sock.recv(1)
        sock.sendall(ANSWER)
        release.wait(GIVE_UP)

    release = threading.Event()
    with Listener(serve) as server:
        made = wire(f"http://127.0.0.1:{server.port}/api")
        big = Request("id:key", bytes(32 << 20), 3.0, 3.0)
        assert (await made.send(big)).body == b"{}"
        # The other half must not leave before the next request.
        assert not made.pool._idle
        assert made.pool.sockets() == []
        release.set()


# What a broken-off call leaves.


PHASES = ["look_up", "tcp", "proxy", "tls"]


@contextlib.contextmanager
def stuck_in(phase, wire, client_tls, monkeypatch):
    with contextlib.ExitStack() as stack:
        if phase == "look_up":
            release = threading.Event()
            stack.callback(release.set)
            look_up_by(monkeypatch, lambda *_a, **_k: release.wait(GIVE_UP))
            yield wire("https://checkout.invalid/api", client_tls), None
        elif phase == "tcp":
            port = stack.enter_context(gates.deaf())
            yield wire(f"https://127.0.0.1:{port}/api", client_tls), None
        else:
            gate = stack.enter_context(Gate(gates.stall))
            proxy = f"http://127.0.0.1:{gate.port}" if phase == "proxy" else ""
            yield wire(f"https://127.0.0.1:{gate.port}/api", client_tls, proxy), gate


@pytest.mark.slow
@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
@pytest.mark.parametrize("phase", PHASES)
async def test_a_call_that_is_broken_off_while_connecting_closes_its_socket(
    wire, style, phase, client_tls, monkeypatch
):
    with stuck_in(phase, wire, client_tls, monkeypatch) as (made, gate):
        await failed(made.send(request(0.05)))
        await asyncio.sleep(0.05)
        if gate:
            await asyncio.to_thread(gate.wait_until, lambda: gate.open_connections == 0)
        before = len(list(DESCRIPTORS.iterdir()))
        kept = []
        for _ in range(30):
            asked = request(0.02 if style == "blocking" else 3.0)
            task = asyncio.ensure_future(made.send(asked))
            await asyncio.sleep(0.03 if style == "blocking" else 0.005)
            while asked.sent:  # the thread of a blocking call may not have begun
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, TransportError)) as broken:
                await task
            kept.append(broken.value)
            assert asked.sent is False
        await asyncio.sleep(0.05)
        if gate:
            await asyncio.to_thread(gate.wait_until, lambda: gate.open_connections == 0)
        assert len(list(DESCRIPTORS.iterdir())) <= before + 1
        assert made.pool.sockets() == []
        kept.clear()
        gc.collect()


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="counts descriptors in /proc")
async def test_a_task_that_is_cancelled_at_any_step_closes_its_socket(wire, style, client_tls):
    if style == "blocking":
        pytest.skip("tasks alone are cancelled")
    with Gate(gates.stall) as gate:
        made = wire(f"https://127.0.0.1:{gate.port}/api", client_tls)
        await failed(made.send(request(0.05)))
        before = len(list(DESCRIPTORS.iterdir()))
        kept = []
        for steps in [*range(40)] * 3:
            task = asyncio.ensure_future(made.send(request()))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as broken:
                await task
            kept.append(broken.value)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(gate.wait_until, lambda: gate.open_connections == 0)
        assert len(list(DESCRIPTORS.iterdir())) <= before + 1
        assert made.pool.sockets() == []


async def test_what_is_dropped_is_closed_without_a_warning():
    sock = Socket(socket.AF_INET)
    descriptor = sock.fileno()
    del sock
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_a_kept_connection_costs_no_look_up_and_no_handshake(wire, monkeypatch):
    with answering() as server:
        made = wire(f"http://localhost:{server.port}/api")
        await made.send(request())
        look_up_by(monkeypatch, None)
        assert (await made.send(request())).status == 200


def test_a_context_that_looks_at_certificates_itself_resumes_no_session():
    class Own(ssl.SSLContext):
        def wrap_bio(self, *_arguments, session, **_options):
            return session

    endpoint = Endpoint("https://localhost/api", Own(ssl.PROTOCOL_TLS_CLIENT), None)
    endpoint.session = object()
    assert endpoint.wrap(None, None) is None


def test_the_context_of_the_user_is_used_as_it_is(client_tls):
    endpoint = Endpoint("https://localhost/api", client_tls, None)
    assert endpoint._context is client_tls
    assert blocking.STAGGER == aio.STAGGER == 0.25
