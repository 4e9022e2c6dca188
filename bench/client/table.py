"""The measurements of the client as a table."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.client.contestants import BARE, BARE_ASYNCIO, CONTESTANTS, FLOOR, Contestant
from bench.client.outcome import Outcome, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client.rounds import Series

HEADER = (
    "contestant",
    "mode,\nin flight",
    "CPU/call,\nµs",
    "middle half\nof rounds",
    "CPU,\n× bare",
    "calls/s",
    "calls/s\nat +20 ms",
    "TCP per\n100 calls",
    "import,\nCPU ms",
    "import,\nmodules",
    "installed,\nMB",
)
NOTES = (
    (
        "Every contestant makes the same call, receipts.get, to one TLS server on loopback and "
        "verifies its certificate. CPU is user and system time of the contestant's own process."
    ),
    (
        "Figures are medians over rounds; every round runs all contestants in a new order. "
        "'Middle half' holds the middle half of the rounds. '× bare' is the CPU divided by that of "
        "bare httpcore2 in the same mode, round by round."
    ),
    "Bare httpcore2 and http.client send prepared bytes and parse no answer.",
    "'+20 ms' adds a round trip to every flight, those of TCP and TLS handshakes included.",
    (
        "TCP connections are those accepted during measured bursts; a contestant that keeps "
        "connections makes some unmeasured calls before each burst."
    ),
    (
        "Import: CPU and modules above a bare interpreter, of the statement that the documentation "
        "opens with. Installed: the package with its dependencies, byte-code included."
    ),
)
MISSING, FAILED = "-", "failed"
YARDSTICKS = (FLOOR, BARE, *BARE_ASYNCIO)


def rows(outcome: Outcome) -> list[list[str]]:
    """Return a line for each contestant."""
    return [row(contestant, outcome) for contestant in CONTESTANTS]


def row(contestant: Contestant, outcome: Outcome) -> list[str]:
    """Return the line of one contestant."""
    cost = outcome.imports.get((contestant.environment, contestant.statement))
    size = outcome.sizes[contestant.environment]
    return [
        contestant.title,
        contestant.mode,
        *near_cells(contestant, outcome.near),
        rate_cell(outcome.far[contestant]),
        tcp_cell(outcome.near[contestant]),
        f"{cost.cpu_ms:.0f}" if cost else FAILED,
        f"{cost.modules}" if cost else FAILED,
        MISSING if contestant in YARDSTICKS else f"{size:.1f}",
    ]


def near_cells(contestant: Contestant, near: dict[Contestant, Series]) -> list[str]:
    """Return CPU, its spread, its ratio to bare httpcore2, and calls per second."""
    series = near[contestant]
    if not series.measured:
        return [FAILED, MISSING, MISSING, MISSING]
    lower, _, upper = quantiles(series.cpu, n=4)
    bare = next(each for each in (BARE, *BARE_ASYNCIO) if each.in_flight == contestant.in_flight)
    times = ratio(series.cpu, near[bare].cpu)
    return [
        f"{median(series.cpu):,.0f}",
        f"{lower:,.0f} to {upper:,.0f}",
        MISSING if times is None else f"{times:.2f}",
        rate_cell(series),
    ]


def rate_cell(series: Series) -> str:
    """Return calls per second."""
    return f"{median(series.rate):,.0f}" if series.measured else FAILED


def tcp_cell(series: Series) -> str:
    """Return TCP connections per 100 calls."""
    return f"{series.connections / series.calls * 100:.1f}" if series.measured else MISSING


def notes(outcome: Outcome) -> list[str]:
    """Return how to read the table, and what failed."""
    return [*NOTES, *failures("near", outcome.near), *failures("+20 ms", outcome.far)]


def failures(where: str, raced: dict[Contestant, Series]) -> Iterator[str]:
    """Yield a line for each contestant that could not make all its calls."""
    for contestant, series in raced.items():
        if series.error:
            told = f"{series.failed} of {series.calls} measured calls failed; {series.error}"
            yield f"{contestant.title} ({contestant.mode}), {where}: {told}"
