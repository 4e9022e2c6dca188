"""A process that opens TLS connections: `python -m bench.client.connector NEAR_URL FAR_URL`.

Each line on its stdin asks for one round; the answer holds the microseconds of CPU and of wall
time that each thing took, on average over the round.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bench.client.calls import raw_requests, whole_payload
from bench.client.truth import RECEIPT_IDS, RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

RECEIPT_ID = RECEIPT_IDS[0]
OPENED = {"near": 20, "far": 2}
CHECKS = 1000
VERSIONS = {"TLS 1.3": ssl.TLSVersion.TLSv1_3, "TLS 1.2": ssl.TLSVersion.TLSv1_2}

Costs = dict[str, tuple[float, float]]


def timed(action: Callable[[], Any], times: int) -> tuple[float, float]:
    """Return microseconds of CPU and of wall time per action."""
    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    for _ in range(times):
        action()
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return cpu / times / 1e3, wall / times / 1e3


class Opener:
    """Opens connections to one address."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._host = str(target.hostname)
        self._address = (socket.gethostbyname(self._host), target.port)
        self._request = raw_requests(url)[RECEIPT_ID]

    def tcp(self) -> socket.socket:
        """Return a TCP connection."""
        plain = socket.create_connection(self._address)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def tls(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """Return a TLS connection, which resumes a session if one is given."""
        return context.wrap_socket(self.tcp(), server_hostname=self._host, session=session)

    def call(self, connection: ssl.SSLSocket) -> None:
        """Make a call; the right answer must come."""
        connection.sendall(self._request)
        received = connection.recv(65536)
        while (payload := whole_payload(received)) is None:
            received += connection.recv(65536)
        receipt = json.loads(payload)["result"]["receipt"]
        if (receipt["_id"], receipt["amount"]) != RIGHT[RECEIPT_ID]:
            raise RuntimeError(f"wrong answer: {receipt}")

    def fresh_call(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        """Open a connection, make a call on it, and close it."""
        with closing(self.tls(context, session)) as connection:
            if connection.session_reused != bool(session):
                raise RuntimeError(f"resumed: {connection.session_reused}, asked: {bool(session)}")
            self.call(connection)

    def session(self, context: ssl.SSLContext) -> ssl.SSLSession:
        """Return a session to resume; TLS 1.3 sends it with the first answer."""
        with closing(self.tls(context)) as connection:
            self.call(connection)
            return connection.session


def calls(where: str, opener: Opener, contexts: dict[str, ssl.SSLContext]) -> Costs:
    """Time a call on a kept connection and on fresh ones."""
    times = OPENED[where]
    with closing(opener.tls(contexts["TLS 1.3"])) as kept:
        opener.call(kept)
        costs = {"a call on a kept connection": timed(lambda: opener.call(kept), times)}
    for version, context in contexts.items():
        session = opener.session(context)
        for manner, offered in (("whole handshake", None), ("session resumed", session)):
            one = timed(lambda: opener.fresh_call(context, offered), times)  # noqa: B023
            costs[f"a call on a fresh connection, {version}, {manner}"] = one
    return costs


def idle_checks(opener: Opener, context: ssl.SSLContext) -> Costs:
    """Time ways to see whether an idle connection has been closed or has unread bytes."""
    with closing(opener.tls(context)) as idle:
        opener.call(idle)
        poll = select.poll()
        poll.register(idle, select.POLLIN)

        def anew() -> None:
            each = select.poll()
            each.register(idle, select.POLLIN)
            each.poll(0)

        def read() -> None:
            with suppress(ssl.SSLWantReadError):
                idle.recv(1)

        ways = {
            "poll(), one object per connection": lambda: poll.poll(0),
            "poll(), a new object each time": anew,
            "select()": lambda: select.select([idle], [], [], 0),
        }
        costs = {f"idle check: {way}": timed(check, CHECKS) for way, check in ways.items()}
        idle.setblocking(False)
        return {**costs, "idle check: recv() of TLS without waiting": timed(read, CHECKS)}


def contexts() -> dict[str, ssl.SSLContext]:
    """Return a context for each version of TLS."""
    made = {version: ssl.create_default_context() for version in VERSIONS}
    for version, context in made.items():
        context.minimum_version = context.maximum_version = VERSIONS[version]
    return made


def main(near_url: str, far_url: str) -> None:
    """Serve rounds until stdin ends."""
    near, far, ready = Opener(near_url), Opener(far_url), contexts()
    calls("near", near, ready)  # warms up
    print(json.dumps({}), flush=True)
    for _ in sys.stdin:
        costs = {
            "near": {
                "ssl.create_default_context(), once per client": timed(
                    ssl.create_default_context, 2
                ),
                "TCP connect and close, no TLS": timed(lambda: near.tcp().close(), OPENED["near"]),
                **calls("near", near, ready),
                **idle_checks(near, ready["TLS 1.3"]),
            },
            "far": calls("far", far, ready),
        }
        print(json.dumps(costs), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
