"""A year of subscriptions: sandbox, two hosts, faults and the proof, in one go."""

from __future__ import annotations

import os

from bench.report import Report, Target
from payme.demo.year.run import Year, run

MONTHS, SEED = 12, 1
LONGEST = 60.0
HEADER = (
    "members", "months", "receipts", "seconds", "of them\nthe proof", "CPU, s", "CPU/receipt,\nms",
    "rounds", "killed", "differ",
)  # fmt: skip
NOTES = (
    (
        "The whole of `payme demo year`: the sandbox and the shop are one process, two hosts tick "
        "and drive, on one SQLite file in memory. CPU is user and system time of all of them; what "
        "a host did in the seconds before it was killed is not in it."
    ),
    (
        "A receipt here is everything that leads to it: the period opened and announced, the "
        "charge driven, the sandbox's calls, the notice written, the books compared. "
        "'Rounds' is how often the hosts were let work: once a day, and again while an answer that "
        "was lost is asked about."
    ),
)


def measure(subscribers: int) -> Report:
    """Let a year pass, and report how long it took.

    Args:
        subscribers: How many members.
    """
    load = os.getloadavg()[0]
    year = run(subscribers, MONTHS, SEED)
    return Report(
        "Recurring: a year in a minute",
        HEADER,
        [_row(subscribers, year)],
        [_target(subscribers, year, load)],
        [*NOTES, f"Load when it began: {load:.1f}."],
    )


def _row(subscribers: int, year: Year) -> tuple[str, ...]:
    return (
        f"{subscribers:,}",
        str(MONTHS),
        f"{year.receipts:,}",
        f"{year.seconds:.1f}",
        f"{year.proof_seconds:.1f}",
        f"{year.cpu:.1f}",
        f"{year.cpu / year.receipts * 1000:.1f}",
        f"{year.counted.rounds:,}",
        str(year.counted.kills),
        str(len(year.findings)),
    )


def _target(subscribers: int, year: Year, load: float) -> Target:
    return Target(
        "A year of 1,000 members takes at most 60 s on two cores, and the books agree",
        f"{subscribers:,} members in {year.seconds:.1f} s, {len(year.findings)} differences",
        None if subscribers < 1000 else year.seconds <= LONGEST and not year.findings,
        f"{year.cpu:.0f} s of CPU, and others kept {load:.1f} processes running when it began",
    )
