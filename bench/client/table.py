"""The measurements of the client as a table."""

from __future__ import annotations

from statistics import median, quantiles
from typing import TYPE_CHECKING

from bench.client.contestants import CONTESTANTS, OURS, Contestant, yardstick_of
from bench.client.outcome import Outcome, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.client.rounds import Series

HEADER = (
    "contestant",
    "mode,\nin flight",
    "CPU/call,\nµs",
    "middle half\nof rounds",
    "CPU, ×\nyardstick",
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
        "'Middle half' holds the middle half of the rounds. '× yardstick' is the CPU divided by "
        "that of http.client, for asyncio and uvloop by that of aiohttp in the same mode, round by "
        "round. A call that fails costs time and counts for nothing."
    ),
    (
        "Raw socket, http.client and aiohttp send prepared bytes, read the answer with json.loads, "
        "and decide nothing; ours numbers its calls, checks arguments and answer, knows when to "
        "repeat, and returns a typed receipt."
    ),
    (
        "Every call asks for another receipt, and each answer is compared with what was asked. One "
        "receipt the server lies about: who does not notice can't take part."
    ),
    "'+20 ms' adds a round trip to every flight, those of TCP and TLS handshakes included.",
    (
        "TCP connections are those accepted during measured bursts; a contestant that keeps "
        "connections makes some unmeasured calls before each burst."
    ),
    (
        "Import: CPU of a whole process and modules in it, above `python -c pass`, of the "
        "statement that the documentation opens with; median of differences. Installed: the "
        "package with its dependencies, byte-code included."
    ),
)
MISSING, FAILED, WRONG = "-", "failed", "WRONG ANSWER"


def rows(outcome: Outcome) -> list[list[str]]:
    """Return a line for each contestant."""
    return [row(contestant, outcome) for contestant in CONTESTANTS]


def row(contestant: Contestant, outcome: Outcome) -> list[str]:
    """Return the line of one contestant."""
    return [
        contestant.title,
        contestant.mode,
        *near_cells(contestant, outcome.near),
        rate_cell(outcome.far[contestant]),
        tcp_cell(outcome.near[contestant]),
        *import_cells(contestant, outcome),
        size_cell(contestant, outcome),
    ]


def import_cells(contestant: Contestant, outcome: Outcome) -> list[str]:
    """Return CPU and modules of its import, if this row tells them."""
    if not contestant.statement:
        return [MISSING, MISSING]
    cost = outcome.imports.get((contestant.environment, contestant.statement))
    return [f"{cost.cpu_ms:.0f}", f"{cost.modules}"] if cost else [FAILED, FAILED]


def size_cell(contestant: Contestant, outcome: Outcome) -> str:
    """Return the megabytes of its installation, if it is one and this row tells it."""
    standard_library = contestant.is_yardstick and contestant.environment == OURS
    if standard_library or not contestant.statement:
        return MISSING
    return f"{outcome.sizes[contestant.environment]:.1f}"


def near_cells(contestant: Contestant, near: dict[Contestant, Series]) -> list[str]:
    """Return CPU, its spread, its ratio to the yardstick, and calls per second."""
    series = near[contestant]
    if not series.measured:
        return [rate_cell(series), MISSING, MISSING, MISSING]
    lower, _, upper = quantiles(series.cpu, n=4)
    yardstick = near[yardstick_of(contestant)]
    times = ratio(series.cpu, yardstick.cpu) if yardstick.measured else None
    return [
        f"{median(series.cpu):,.0f}",
        f"{lower:,.0f} to {upper:,.0f}",
        MISSING if times is None else f"{times:.2f}",
        rate_cell(series),
    ]


def rate_cell(series: Series) -> str:
    """Return calls per second, or the word for why there are none."""
    if series.measured:
        return f"{median(series.rate):,.0f}"
    return WRONG if "wrong answer" in series.error else FAILED


def tcp_cell(series: Series) -> str:
    """Return TCP connections per 100 calls."""
    return f"{series.connections / series.calls * 100:.1f}" if series.measured else MISSING


def notes(outcome: Outcome) -> list[str]:
    """Return how to read the table, and what failed."""
    return [*NOTES, *failures("near", outcome.near), *failures("+20 ms", outcome.far)]


def failures(where: str, raced: dict[Contestant, Series]) -> Iterator[str]:
    """Yield a line for each contestant whose calls did not all succeed."""
    for contestant, series in raced.items():
        if series.flaw:
            yield f"{contestant.title} ({contestant.mode}), {where}: {series.flaw}"
