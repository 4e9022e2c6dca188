"""Payme behind a bad line: HTTP/1.1 with keep-alive in front of a sandbox, failing by a script."""

import contextlib
import json
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

from payme.sandbox import Sandbox
from support.listener import Listener, wait_for_hangup

Act = Callable[["Exchange"], None]


class Exchange:
    """One request that arrived whole, and the connection it came on."""

    def __init__(self, server: "Faulty", sock: socket.socket, head: bytes, body: bytes) -> None:
        self._server = server
        self.sock = sock
        self.connection = server.connections
        self.head = head.decode()
        self.body = body
        self.json: dict[str, Any] = json.loads(body)
        self.method: str = self.json["method"]
        self.auth = self.header("X-Auth")
        self.done = False

    def header(self, name: str) -> str:
        """Value of a header of the request."""
        for line in self.head.split("\r\n"):
            if line.lower().startswith(name.lower() + ": "):
                return line.partition(": ")[2]
        return ""

    @property
    def secrets(self) -> str:
        """Everything that a careless server would show: the credentials and the request."""
        return f"X-Auth: {self.auth} {self.auth.partition(':')[2]} {self.body.decode()}"

    def execute(self) -> bytes:
        """Let the sandbox execute the request, and return its answer."""
        return self._server.execute(self)

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.sock.sendall(data)

    def answer(self, body: bytes, status: str = "200 OK", *headers: str) -> None:
        """Send a whole HTTP answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def hang(self) -> None:
        """Say nothing until the caller hangs up."""
        wait_for_hangup(self.sock)
        self.done = True

    def close(self) -> None:
        """Hang up after this."""
        self.done = True


def serve(exchange: Exchange) -> None:
    """Do no harm."""
    exchange.answer(exchange.execute())


class Faulty(Listener):
    """The server.

    Args:
        sandbox: Executes what comes through.
        tls: Certificate and key, for HTTPS.
    """

    def __init__(self, sandbox: Sandbox, tls: ssl.SSLContext | None = None) -> None:
        self.sandbox = sandbox
        self._tls = tls
        self._script: deque[Act] = deque()
        self.otherwise: Act = serve
        self.arrived = 0
        self.pieces = 0
        self.requests: list[Exchange] = []
        self.executed: list[str] = []
        super().__init__(self._talk)

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://localhost:{self.port}/api" if self._tls else self.plain_url

    @property
    def plain_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def script(self, *acts: Act) -> None:
        """Say what happens to the next requests, in order."""
        self._script.extend(acts)

    def execute(self, exchange: Exchange) -> bytes:
        answer = self.sandbox.handle(exchange.body, exchange.auth)
        with self.changed:
            self.executed.append(exchange.method)
            self.changed.notify_all()
        return answer

    def methods(self) -> list[str]:
        """Methods of the requests that arrived whole."""
        return [exchange.method for exchange in self.requests]

    def _talk(self, sock: socket.socket) -> None:
        if self._tls is None:
            self._talk_http(sock)
            return
        secured = self._tls.wrap_socket(sock, server_side=True)
        self.replace(sock, secured)
        try:
            self._talk_http(secured)
        finally:
            self.forget(secured)

    def _talk_http(self, sock: socket.socket) -> None:
        buffer = b""
        while request := self._next_request(sock, buffer):
            head, body, buffer = request
            exchange = Exchange(self, sock, head, body)
            with self.changed:
                self.requests.append(exchange)
                act = self._script.popleft() if self._script else self.otherwise
                self.changed.notify_all()
            with contextlib.suppress(OSError):
                act(exchange)
            if exchange.done:
                return

    def _next_request(
        self, sock: socket.socket, buffer: bytes
    ) -> tuple[bytes, bytes, bytes] | None:
        while b"\r\n\r\n" not in buffer:
            if not (buffer := self._more(sock, buffer)):
                return None
        head, _, rest = buffer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(rest) < length:
            if not (rest := self._more(sock, rest)):
                return None
        return head, rest[:length], rest[length:]

    def _more(self, sock: socket.socket, buffer: bytes) -> bytes:
        data = sock.recv(65536)
        with self.changed:
            self.arrived += len(data)
            self.pieces += bool(data)
            self.changed.notify_all()
        return buffer + data if data else b""
