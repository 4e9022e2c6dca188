"""A TCP server on loopback whose connections are served by a function each, in threads."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

Serve = Callable[[socket.socket], None]

GIVE_UP = 10.0
"""Seconds after which a test that waits for something fails instead."""


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_for_hangup(sock: socket.socket) -> bytes:
    """Read until the peer closes, and return what it still sent."""
    seen = b""
    with contextlib.suppress(OSError):
        while data := sock.recv(65536):
            seen += data
    return seen


class Listener:
    """Accepts connections until it is closed; closing it hangs up on everyone and joins threads."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self.changed = threading.Condition()
        self.connections = 0
        self._closing = False
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._socket.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                if self._closing:
                    sock.close()
                    return
                self.connections += 1
                self._open.add(sock)
                self.changed.notify_all()
            thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError):
                self._serve(sock)
        finally:
            with self.changed:
                self._open.discard(sock)
                self.changed.notify_all()
            sock.close()

    def replace(self, old: socket.socket, new: socket.socket) -> None:
        """Note that a connection goes on under another object, as TLS makes one."""
        with self.changed:
            self._open.discard(old)
            self._open.add(new)

    def forget(self, sock: socket.socket) -> None:
        """Close a connection that `replace` brought in."""
        with self.changed:
            self._open.discard(sock)
            self.changed.notify_all()
        sock.close()

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket) -> threading.Thread:
        """Copy bytes in a thread until the source ends."""

        def copy() -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=copy, daemon=True)
        thread.start()
        return thread

    @property
    def open_connections(self) -> int:
        """How many connections are being served now."""
        return len(self._open)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Wait until something becomes true that changes only under `changed`."""
        with self.changed:
            assert self.changed.wait_for(true, GIVE_UP), "the server waited in vain"

    def close(self) -> None:
        """Hang up and wait for the threads."""
        with self.changed:
            if self._closing:
                return
            self._closing = True
            still_open = list(self._open)
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._acceptor.join(GIVE_UP)
        self._socket.close()
        for sock in still_open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(GIVE_UP)
            assert not thread.is_alive(), "a connection of the test's server hangs"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
