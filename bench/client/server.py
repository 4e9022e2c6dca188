"""The opponent of every contestant: a local TLS server that answers like Payme.

It runs in a process of its own, so none of its CPU is charged to a contestant, and it listens on
two loopback ports: `near` answers at once; `far` is the same server behind a relay that adds a
round trip, paid by every flight of a TCP and a TLS handshake too. The parent steers it by lines on
stdin; the end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from bench.client.truth import RIGHT, told

HOST = "127.0.0.1"
BACKLOG = 512
LIFETIME_SECONDS = 1800

RECEIPT: dict[str, Any] = {
    "_id": "",
    "create_time": 1662096491076,
    "pay_time": 0,
    "cancel_time": 0,
    "state": 0,
    "type": 2,
    "external": False,
    "operation": -1,
    "category": None,
    "error": None,
    "description": "",
    "detail": None,
    "amount": 400000,
    "currency": 860,
    "commission": 0,
    "account": [
        {"name": "transaction", "title": "Номер чека", "value": "2325", "main": True},
    ],
    "card": None,
    "merchant": {
        "_id": "5e730e8e0b852a417aa49ceb",
        "name": "test",
        "organization": "ЧП «test test»",
        "address": "",
        "business_id": "5e730e740b852a417aa49cea",
        "epos": {"merchantId": "106600000050000", "terminalId": "20660000"},
        "date": 1584598670296,
        "logo": None,
        "type": "Internet",
        "terms": None,
    },
    "meta": {"source": "subscribe", "owner": "5e730e8e0b852a417aa49ceb"},
    "processing_id": None,
}
UNKNOWN = b'"error":{"code":-31602,"message":"Receipt not found"}'


def rendered(receipt_id: str) -> bytes:
    """Return the result of `receipts.get`, as bytes of JSON."""
    its_id, amount = told(receipt_id)
    result = {"receipt": RECEIPT | {"_id": its_id, "amount": amount}}
    return b'"result":' + json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()


RENDERED = {receipt_id: rendered(receipt_id) for receipt_id in RIGHT}


def answer(body: bytes) -> bytes:
    """Return the HTTP response to a `receipts.get`."""
    call = json.loads(body)
    outcome = RENDERED.get(call["params"]["id"], UNKNOWN)
    call_id = json.dumps(call.get("id")).encode()
    payload = b'{"jsonrpc":"2.0","id":%b,%b}' % (call_id, outcome)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n%b"
    ) % (len(payload), payload)


def take_request(received: bytes) -> tuple[bytes | None, bytes]:
    """Split the body of the first request off; `None` while it has not arrived as a whole."""
    head, separator, rest = received.partition(b"\r\n\r\n")
    if not separator:
        return None, received
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    if len(rest) < length:
        return None, received
    return rest[:length], rest[length:]


class Connection:
    """HTTP/1.1 with keep-alive on a non-blocking TLS socket, as little as contestants need.

    asyncio's own TLS transport would take several times the CPU, and then the server's time would
    hide the differences that are to be measured.
    """

    def __init__(self, sock: ssl.SSLSocket, loop: asyncio.AbstractEventLoop) -> None:
        self._sock = sock
        self._loop = loop
        self._descriptor = sock.fileno()
        self._received = b""
        self._step = self._shake_hands
        loop.add_reader(self._descriptor, self._on_readable)

    def _on_readable(self) -> None:
        try:
            self._step()
        except ssl.SSLWantReadError:
            pass
        except OSError:
            self._close()

    def _shake_hands(self) -> None:
        self._sock.do_handshake()
        self._step = self._answer

    def _answer(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            self._close()
        body, self._received = take_request(self._received + data)
        while body is not None:
            self._sock.sendall(answer(body))
            body, self._received = take_request(self._received)

    def _close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._sock.close()


class Listener:
    """Accepts connections on a port of its own and counts them."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.accepted = 0
        self._context = context
        self._sock = socket.create_server((HOST, 0), backlog=BACKLOG)
        self._sock.setblocking(False)
        self.port = self._sock.getsockname()[1]

    def start(self) -> None:
        """Serve on the running event loop."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock.fileno(), self._accept, loop)

    def _accept(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(BlockingIOError):
            while True:
                sock, _ = self._sock.accept()
                self.accepted += 1
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Connection(self._secured(sock), loop)

    def _secured(self, sock: socket.socket) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


async def delayed_copy(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, delay: float, handshake: float = 0
) -> None:
    """Copy until the source ends, each chunk `delay` seconds late.

    The first chunk waits `handshake` seconds more.
    """
    loop = asyncio.get_running_loop()
    due = 0.0
    while chunk := await source.read(65536):
        due = max(due, loop.time() + delay + handshake)
        handshake = 0
        loop.call_at(due, target.write, chunk)
    loop.call_at(max(due, loop.time() + delay), target.close)


async def relay(
    port: int, delay: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Join a client to the server on `port`, `delay` seconds away.

    The kernel completes a loopback TCP handshake without us, so its round trip is added to the
    first chunk that the client sends.
    """
    far_reader, far_writer = await asyncio.open_connection(HOST, port)
    with suppress(ConnectionError):
        await asyncio.gather(
            delayed_copy(reader, far_writer, delay, handshake=2 * delay),
            delayed_copy(far_reader, writer, delay),
        )


async def serve(certificate: Path, round_trip: float) -> None:
    """Print the ports, then answer every line on stdin with the number of accepted connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    near = Listener(context)
    near.start()
    relayed = partial(relay, near.port, round_trip / 2)
    far = await asyncio.start_server(relayed, HOST, 0, backlog=BACKLOG)
    ports = {"near": near.port, "far": far.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while await lines.readline():
        print(near.accepted, flush=True)


if __name__ == "__main__":
    with suppress(TimeoutError, KeyboardInterrupt):
        serving = serve(Path(sys.argv[1]), float(sys.argv[2]))
        asyncio.run(asyncio.wait_for(serving, LIFETIME_SECONDS))
