"""Places where a connection fails before a request can leave, and ones where it fails after."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.listener import Listener, reset, wait_for_hangup


class Gate(Listener):
    """A listener that keeps what it was sent."""

    def __init__(self, serve: Callable[["Gate", socket.socket], None]) -> None:
        self.seen = b""
        super().__init__(lambda sock: serve(self, sock))

    def note(self, data: bytes) -> bytes:
        with self.changed:
            self.seen += data
            self.changed.notify_all()
        return data

    def read(self, sock: socket.socket) -> bytes:
        return self.note(sock.recv(65536))

    def read_on(self, sock: socket.socket) -> None:
        self.note(wait_for_hangup(sock))


@contextmanager
def refused() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else can take meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def deaf() -> Iterator[int]:
    """A port whose queue is full, so that a connection is never made."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            queued = stack.enter_context(socket.socket())
            queued.settimeout(0.1)
            try:
                queued.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


def plain_text(gate: Gate, sock: socket.socket) -> None:
    """Talk HTTP where TLS is expected."""
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    wait_for_hangup(sock)


def hang_up(gate: Gate, sock: socket.socket) -> None:
    """Close at the beginning of the handshake."""
    sock.recv(1)


def hang_up_hard(gate: Gate, sock: socket.socket) -> None:
    sock.recv(1)
    reset(sock)


def stall(gate: Gate, sock: socket.socket) -> None:
    """Never answer the handshake."""
    wait_for_hangup(sock)


def handshake(context: ssl.SSLContext) -> Callable[[Gate, socket.socket], None]:
    """Shake hands, and note what comes after."""

    def serve(gate: Gate, sock: socket.socket) -> None:
        secured = context.wrap_socket(sock, server_side=True)
        gate.replace(sock, secured)
        try:
            gate.read_on(secured)
        finally:
            gate.forget(secured)

    return serve


def proxy_saying(answer: bytes) -> Callable[[Gate, socket.socket], None]:
    """A proxy that answers CONNECT so, and takes what comes after."""

    def serve(gate: Gate, sock: socket.socket) -> None:
        asked = sock.recv(65536)
        assert asked.startswith(b"CONNECT "), asked
        assert b"X-Auth" not in asked
        if answer:
            sock.sendall(answer)
            gate.read_on(sock)

    return serve


def proxy_stalling(gate: Gate, sock: socket.socket) -> None:
    """A proxy that never answers CONNECT."""
    wait_for_hangup(sock)


def proxy_to(port: int) -> Callable[[Gate, socket.socket], None]:
    """A proxy that works: it joins the caller to a port of this machine."""

    def serve(gate: Gate, sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with socket.create_connection(("127.0.0.1", port)) as other:
            backwards = Listener.pump(other, sock)
            while data := sock.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)
            backwards.join()

    return serve
