"""The whole measurement of the sandbox."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.sandbox import size, speed, startup
from bench.sandbox.stores import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.report import Report

SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = SIZES[:2]
SPEED_ROUNDS, QUICK_SPEED_ROUNDS = 11, 3
BURST_SECONDS, QUICK_BURST_SECONDS = 0.3, 0.1
SIZE_ROUNDS, QUICK_SIZE_ROUNDS = 11, 3
START_ROUNDS, QUICK_START_ROUNDS = 15, 5


def measure(quick: bool) -> Iterator[Report]:
    """Measure speed, growth and starts, and yield each report as it comes.

    Args:
        quick: Take fewer and shorter rounds and no million receipts: a look, not a record.
    """
    if quick:
        yield speed.measure(QUICK_SPEED_ROUNDS, QUICK_BURST_SECONDS)
    else:
        yield speed.measure(SPEED_ROUNDS, BURST_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        files = {count: Path(folder) / f"{count}.db" for count in (QUICK_SIZES if quick else SIZES)}
        for count, path in files.items():
            print(f"filling a database with {count:,} receipts")
            fill(path, count)
        yield size.measure(files, QUICK_SIZE_ROUNDS if quick else SIZE_ROUNDS)
        most = max(files)
        rounds = QUICK_START_ROUNDS if quick else START_ROUNDS
        yield startup.measure(rounds, most, files[most])
