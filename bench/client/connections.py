"""What a fresh connection costs, and what it costs to see that a kept one is still good.

Money goes out on a connection that is new or was used a moment ago, so this is the price of a
payment after a pause. There is no promise: the figures say what such a rule costs.
"""

from __future__ import annotations

import sys
from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.client.rounds import ADDED_ROUND_TRIP, Process, Server, worker_environment
from bench.report import Report

if TYPE_CHECKING:
    from typing import Any

HEADER = ("what", "CPU, µs", "middle half\nof rounds", "time, µs", "time at\n+20 ms, ms")
NOTES = (
    (
        "Made with the standard library's socket and ssl, request and answer as bytes: what a "
        "client adds to a call is not in it. CPU is that of the client's process. Figures are "
        "medians over rounds."
    ),
    (
        "A call on a fresh connection is TCP, TLS with a verified certificate, one receipts.get "
        "and the close; take the kept connection's call away to get the connection alone. The run "
        "stops if a session that was offered is not resumed."
    ),
    (
        "TLS 1.3 takes one round trip to agree, resumed or not; a resumed TLS 1.2 saves one. The "
        "server's certificate is signed with an elliptic curve by the CA itself: a chain costs a "
        "whole handshake more."
    ),
    (
        "An idle check by poll or select tells a closed connection and unread bytes apart from an "
        "idle one; the loop's own call of a Python function is in the figure."
    ),
)


def measure(server: Server, rounds: int) -> Report:
    """Measure connections.

    Args:
        server: The TLS server.
        rounds: How many rounds; each measures everything.
    """
    command = (sys.executable, "-m", "bench.client.connector")
    urls = (server.urls["near"], server.urls["far"])
    process = Process((*command, *urls), worker_environment(server.bundle))
    try:
        process.hear()
        taken = [process.ask("round") for _ in range(rounds)]
    finally:
        process.close()
    return Report(
        title=f"Client: a fresh connection; {rounds} rounds, +{ADDED_ROUND_TRIP * 1e3:.0f} ms",
        header=HEADER,
        rows=[row(what, taken) for what in taken[0]["near"]],
        targets=(),
        notes=NOTES,
    )


def row(what: str, taken: list[dict[str, Any]]) -> list[str]:
    """Return one line of the table."""
    cpu, wall = zip(*(each["near"][what] for each in taken), strict=True)
    far = [each["far"][what][1] for each in taken if what in each["far"]]
    lower, _, upper = quantiles(cpu, n=4)
    return [
        what,
        figure(median(cpu)),
        f"{figure(lower)} to {figure(upper)}",
        figure(median(wall)),
        f"{median(far) / 1e3:.1f}" if far else "-",
    ]


def figure(microseconds: float) -> str:
    """Return microseconds with a decimal where it says something."""
    return f"{microseconds:,.0f}" if microseconds >= 10 else f"{microseconds:.1f}"
