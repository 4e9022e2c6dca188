"""The sandbox reads some requests by itself: they are read, and answered, as h11 does."""

import asyncio
import json
import socket
import time
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import h11
import pytest
import uvicorn
from hypothesis import event, given, settings
from hypothesis import strategies as st
from sandbox_tools import SLOW, Caller
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from payme.sandbox import Sandbox
from payme.sandbox.http_protocol import Call, JoinedProtocol, read_call

BODY = b'{"id":1}'


def request(*more: bytes, start: bytes = b"POST /api HTTP/1.1", body: bytes = BODY) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join((start, b"Host: x", *more, length, b"", body))


CHUNKED = (
    b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n"
)
CALLS = {
    "a call": request(),
    "with a slash": request(start=b"POST /api/ HTTP/1.1"),
    "the usual headers": request(b"User-Agent: a/1 (b; c)", b"Accept: */*", b"X-Auth: a:b="),
    "from a page": request(b"Origin: https://shop.uz", b"Content-Type: application/json"),
    "keep-alive": request(b"Connection: keep-alive"),
    "Keep-Alive": request(b"Connection: Keep-Alive"),
    "no space after the colon": request(b"X-Auth:a"),
    "no body": request(body=b""),
    "bytes": request(body=bytes(range(256))),
    "line ends in the body": request(body=b"\r\n\r\nPOST /api HTTP/1.1\r\n\r\n"),
    "a long body": request(body=b"x" * 60_000),
}
OTHERS = {
    "nothing": b"",
    "nonsense": b"nonsense\r\n\r\n",
    "line ends first": b"\r\n\r\n" + request(),
    "another verb": request(start=b"BREW /api HTTP/1.1"),
    "a verb in small letters": request(start=b"post /api HTTP/1.1"),
    "GET": b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n",
    "HEAD": b"HEAD /api HTTP/1.1\r\nHost: x\r\n\r\n",
    "another path": request(start=b"POST /apis HTTP/1.1"),
    "an address": request(start=b"POST http://x/api HTTP/1.1"),
    "a query": request(start=b"POST /api?a=1 HTTP/1.1"),
    "a path in code": request(start=b"POST /%61pi HTTP/1.1"),
    "HTTP/1.0": request(start=b"POST /api HTTP/1.0"),
    "HTTP/1.0 that stays": request(b"Connection: keep-alive", start=b"POST /api HTTP/1.0"),
    "HTTP/2.0": request(start=b"POST /api HTTP/2.0"),
    "no version": request(start=b"POST /api"),
    "no headers": b"POST /api HTTP/1.1\r\n\r\n",
    "two spaces": request(start=b"POST  /api HTTP/1.1"),
    "no host": b"POST /api HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two hosts": request(b"Host: y"),
    "no length": b"POST /api HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": request(b"Content-Length: 8"),
    "two lengths that differ": request(b"content-length: 9"),
    "lengths in one": request(b"Content-Length: 8, 8"),
    "a length with zeros": b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 01\r\n\r\na",
    "a length with a sign": b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
    "a length in another script": request().replace(b" 8", " ٨".encode()),
    "half a body": request()[:-1],
    "more than a body": request() + b"x",
    "two requests": request() * 2,
    "two requests and a half": request() * 2 + request()[:30],
    "half a head": request()[:30],
    "chunked": CHUNKED,
    "chunked with a length": request(b"Transfer-Encoding: chunked"),
    "another encoding": request(b"Transfer-Encoding: gzip"),
    "a bad chunk": CHUNKED.replace(b"4\r\n", b"z\r\n"),
    "expects": request(b"Expect: 100-continue"),
    "closes": request(b"Connection: close"),
    "closes among others": request(b"Connection: keep-alive, close"),
    "upgrades": request(b"Connection: upgrade", b"Upgrade: websocket"),
    "would upgrade": request(b"Upgrade: websocket"),
    "upgrades to HTTP/2": request(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"),
    "a header twice": request(b"X-Auth: a", b"X-Auth: b"),
    "a folded header": request(b"X-Auth: a\r\n b"),
    "a tab": request(b"X-Auth: a\tb"),
    "spaces around": request(b"X-Auth:   a  "),
    "an empty header": request(b"X-Auth:"),
    "other bytes": request(b"X-Auth: \xff\x80"),
    "other bytes in the middle": request(b"X-Auth: a\xffb"),
    "a delete": request(b"X-Auth: a\x7fb"),
    "a zero byte": request(b"X-Auth: a\0b"),
    "a name with a space": request(b"X-Auth : a"),
    "no name": request(b": a"),
    "no colon": request(b"X-Auth"),
    "line feeds alone": request().replace(b"\r\n", b"\n"),
    "a carriage return in a header": request(b"X-Auth: a\rb"),
    "a smuggled line": request(b"X-Auth: a\nTransfer-Encoding: chunked"),
    "a long header": request(b"X-Auth: " + b"a" * 70_000),
    "a head without end": b"POST /api HTTP/1.1\r\nHost: x\r\nX-Auth: " + b"a" * 70_000,
    "a longer body": request(body=b"x" * 70_000),
}  # fmt: skip
TABLE = {**CALLS, **OTHERS}


def read_by_h11(data: bytes) -> tuple[Call, h11.Connection]:
    """Read one whole request; fail on all that h11 would not take for one."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    head, body = connection.next_event(), b""
    assert isinstance(head, h11.Request)
    assert (head.method, head.http_version) == (b"POST", b"1.1")
    while isinstance(part := connection.next_event(), h11.Data):
        body += part.data
    assert isinstance(part, h11.EndOfMessage)
    return Call(head.target.decode(), list(head.headers), body), connection


def agrees_with_h11(data: bytes) -> bool:
    """Tell whether the bytes are read as a call, and check them against h11 if so."""
    call = read_call(data)
    if call is None:
        return False
    read, connection = read_by_h11(data)
    assert call == read
    # Nothing is left, nobody waits for a go-ahead, and the connection stays.
    assert connection.trailing_data == (b"", False)
    assert not connection.they_are_waiting_for_100_continue
    assert connection.their_state is h11.DONE
    return True


@pytest.mark.parametrize("name", CALLS)
def test_ordinary_calls_are_read_without_h11(name: str) -> None:
    assert agrees_with_h11(CALLS[name])


@pytest.mark.parametrize("name", OTHERS)
def test_all_else_is_left_to_h11(name: str) -> None:
    assert read_call(OTHERS[name]) is None


odd = [bytes([one]) for one in b"\0\t\n\r ,08:\x7f\x80"]
lines = [
    b"Host: ",
    b"Content-Length: 8\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
]
names = st.sampled_from(
    [b"X-Auth", b"x-auth", b"Accept", b"A", b"Origin", b"Connection", b"Expect"]
)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8).map(
    str.encode
) | st.sampled_from(
    [b"a", b"a  b", b"a:b", b"keep-alive", b"close", b"100-continue", b"\xff", b" a", b"a "]
)
headers = st.lists(st.builds(b"%s: %s".__mod__, st.tuples(names, values)), max_size=4)
built = st.builds(lambda more, body: request(*more, body=body), headers, st.binary(max_size=20))
pieces = st.sampled_from([*odd, *lines, b"", b"\r\n", b"close", b"a"])
changes = st.lists(st.tuples(st.integers(0, 130), st.integers(0, 3), pieces), max_size=2)


@settings(max_examples=600, deadline=None)
@given(built | built | st.sampled_from([*TABLE.values()]), st.just([]) | changes)
def test_whatever_is_read_without_h11_is_what_h11_reads(
    data: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    for place, dropped, put in changes:
        data = data[:place] + put + data[place + dropped :]
    event("a call" if agrees_with_h11(data) else "left to h11")


class Wire(asyncio.Transport):
    """A connection in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = self.paused = False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in {"peername", "sockname"} else default


class Told:
    """An application that answers with what it was told, after some turns of the loop.

    Args:
        turns: How many.
        reads: Whether it waits for the body.
    """

    def __init__(self, turns: int, *, reads: bool = True) -> None:
        self._turns, self._reads = turns, reads
        self.running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        assert self.running == 1, "two answers at a time on one connection"
        body, more = b"", self._reads
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        for _ in range(self._turns):
            await asyncio.sleep(0)
        told = json.dumps([scope, body], default=repr, sort_keys=True).encode()
        length = (b"content-length", b"%d" % len(told))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": told[:50], "more_body": True})
        self.running -= 1
        await send({"type": "http.response.body", "body": told[50:]})


def connected(kind: type[H11Protocol], app: Told) -> tuple[H11Protocol, Wire]:
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    protocol, wire = kind(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type]
    return protocol, wire


async def turn(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def answered(kind: type[H11Protocol], app: Told, parts: list[bytes], pause: int) -> Any:
    """Send bytes part by part, and return what came back and what became of the connection."""
    protocol, wire = connected(kind, app)
    for part in parts:
        await turn(pause)
        while wire.paused and not wire.closed:
            await asyncio.sleep(0)
        if not wire.closed and part:
            try:
                protocol.data_received(part)
            except h11.LocalProtocolError:
                # uvicorn has answered already when it finds the body to be wrong: asyncio closes.
                wire.closed = True
    await turn(200)
    kept = protocol.timeout_keep_alive_task is not None
    protocol.connection_lost(None)
    return wire.sent, wire.closed, wire.paused, kept


def check_both(parts: list[bytes], turns: int, pause: int, *, reads: bool = True) -> bytes:
    """Check that the sandbox answers as uvicorn's h11 does, and return the answers."""

    async def main() -> bytes:
        async with asyncio.timeout(20):
            ours = await answered(JoinedProtocol, Told(turns, reads=reads), parts, pause)
            assert ours == await answered(H11Protocol, Told(turns, reads=reads), parts, pause)
        sent: bytes = ours[0]
        return sent

    return asyncio.run(main())


@pytest.mark.parametrize("name", TABLE)
def test_an_answer_is_that_of_h11(name: str) -> None:
    data = TABLE[name]
    for before in (b"", request()):
        for after in (b"", request(), CHUNKED):
            check_both([before, data, after], turns=0, pause=6)
            check_both([before, data, after], turns=2, pause=0)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


short = [data for data in TABLE.values() if len(data) < 1000]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(short) | st.just(request()), min_size=1, max_size=5),
    st.lists(st.integers(0, 2000), max_size=4),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 6),
)
def test_answers_are_those_of_h11_however_the_bytes_are_cut(
    requests: list[bytes], places: list[int], by_request: bool, reads: bool, turns: int, pause: int
) -> None:
    parts = requests if by_request else cut(b"".join(requests), places)
    check_both(parts, turns, pause, reads=reads)


@pytest.mark.parametrize("reads", [True, False])
def test_a_body_that_looks_like_a_call_is_none(reads: bool) -> None:
    call = request()
    head = request(body=call)[: -len(call)]
    sent = check_both([head, call, call], turns=0, pause=8, reads=reads)
    assert sent.count(b"HTTP/1.1 200 OK") == 2


def test_a_call_that_is_being_answered_is_not_ended_as_idle() -> None:
    async def main() -> None:
        protocol, _ = connected(JoinedProtocol, Told(0))
        for _ in range(2):
            protocol.data_received(request())
            assert protocol.timeout_keep_alive_task is None
            await turn(10)
            assert protocol.timeout_keep_alive_task is not None

    asyncio.run(main())


def test_a_call_whose_caller_is_gone_is_told_so() -> None:
    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        heard.extend([(await receive())["type"], (await receive())["type"]])

    async def main() -> None:
        protocol, wire = connected(JoinedProtocol, app)  # type: ignore[arg-type]
        protocol.data_received(request())
        await turn(3)
        assert heard == []
        protocol.connection_lost(ConnectionResetError())
        await turn(3)
        assert wire.sent == b""

    heard: list[str] = []
    asyncio.run(main())
    assert heard == ["http.request", "http.disconnect"]


def test_a_request_that_waits_is_not_served_once_the_connection_is_to_close() -> None:
    async def main(kind: type[H11Protocol]) -> bytes:
        protocol, wire = connected(kind, Told(3))
        protocol.data_received(request())
        protocol.data_received(request())
        protocol.shutdown()
        await turn(50)
        assert wire.closed
        return wire.sent

    for kind in (H11Protocol, JoinedProtocol):
        assert asyncio.run(main(kind)).count(b"HTTP/1.1 200 OK") == 1


def opened(sandbox: Sandbox) -> socket.socket:
    address = urlsplit(sandbox.url)
    return socket.create_connection((address.hostname or "", address.port or 0), 20)


@pytest.mark.slow
def test_a_long_answer_is_not_taken_for_a_head_that_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("payme.sandbox.server._HEAD_TIMEOUT_S", 0.3)
    with Sandbox(slow_card_ms=1000) as sandbox:
        caller = Caller(sandbox)
        params = {"id": caller.receipt(), "token": caller.verified(SLOW)}
        body = json.dumps({"id": 1, "method": "receipts.pay", "params": params}).encode()
        call = request(b"X-Auth: " + caller.back.encode(), body=body)
        assert read_call(call)
        with opened(sandbox) as connection:
            began = time.monotonic()
            connection.sendall(call)
            assert b"-31630" in connection.recv(65536)
            assert time.monotonic() - began > 0.9
            # The same connection serves the next, and a head that does not end is ended after it.
            connection.sendall(request())
            assert b"-32600" in connection.recv(65536)
            connection.sendall(request()[:30])
            assert connection.recv(100) == b""
