"""Keeps a number of calls under way on connections that stay open, with as little CPU as it can."""

from __future__ import annotations

import selectors
import socket
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STALLED_S = 30.0


def request(auth: str, body: bytes) -> bytes:
    """Return the bytes of one HTTP request."""
    head = (
        "POST /api HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Auth: {auth}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Lane:
    """One connection with one call under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def take(self) -> bytes | None:
        """Receive; return the body of the answer once it is whole."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return None
        if not head.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(head[:100].decode("latin-1"))
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return None
        self._received = b""
        return body


class Load:
    """Drives one server. Used for one burst: servers drop connections that are idle for seconds.

    Args:
        port: Its port on loopback.
        lanes: How many calls are under way at a time.
        proof: Bytes that every right answer has in it.
    """

    def __init__(self, port: int, lanes: int, proof: bytes) -> None:
        self._lanes = [Lane(port) for _ in range(lanes)]
        self._proof = proof
        self._selector = selectors.DefaultSelector()
        for lane in self._lanes:
            self._selector.register(lane.socket, selectors.EVENT_READ, lane)

    def run(self, requests: Sequence[bytes]) -> int:
        """Send all requests and return how long that took, in ns.

        Raises:
            ConnectionError: An answer is not the one that was expected.
            TimeoutError: The server stalls.
        """
        waiting = iter(requests)
        started = time.perf_counter_ns()
        under_way = sum(self._send(lane, waiting) for lane in self._lanes)
        while under_way:
            ready = self._selector.select(STALLED_S)
            if not ready:
                raise TimeoutError(f"no answer within {STALLED_S:.0f} s")
            for key, _ in ready:
                under_way -= self._finished(key.data, waiting)
        return time.perf_counter_ns() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for lane in self._lanes:
            lane.socket.close()

    def _send(self, lane: Lane, waiting: Iterator[bytes]) -> bool:
        following = next(waiting, None)
        if following is None:
            return False
        lane.socket.sendall(following)
        return True

    def _finished(self, lane: Lane, waiting: Iterator[bytes]) -> bool:
        """Take what came; tell whether this lane has nothing under way any more."""
        body = lane.take()
        if body is None:
            return False
        if self._proof not in body:
            raise ConnectionError(f"not the expected answer: {body[:200]!r}")
        return not self._send(lane, waiting)
