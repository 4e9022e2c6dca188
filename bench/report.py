"""What a benchmark hands over: a table, targets and notes; shown in a terminal or as Markdown."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MINIMUM_WIDTH = 150


@dataclass(frozen=True)
class Target:
    """A promise and what was measured.

    Attributes:
        promise: What is promised, with its figure.
        measured: The measured figure, as text.
        met: Whether the promise is kept; `None` when it could not be measured.
        cause: Why it is missed. Shown only then.
    """

    promise: str
    measured: str
    met: bool | None
    cause: str = ""

    @property
    def verdict(self) -> str:
        """Return one word."""
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


@dataclass(frozen=True)
class Report:
    """One benchmark's outcome."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    targets: Sequence[Target]
    notes: Sequence[str]


def show(report: Report) -> None:
    """Print a report."""
    console = Console()
    if console.width < MINIMUM_WIDTH and not console.is_terminal:
        console = Console(width=MINIMUM_WIDTH)
    table = Table(title=report.title, title_justify="left")
    for position, name in enumerate(report.header):
        table.add_column(name, justify="right" if position > 1 else "left", no_wrap=True)
    for row in report.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for target in report.targets:
        colour = {True: "green", False: "bold red", None: "yellow"}[target.met]
        verdict = Text(target.verdict.ljust(12), style=colour)
        console.print(verdict, Text(f"{target.promise}: {target.measured}"))
        if target.cause and not target.met:
            console.print(Text(f"             cause: {target.cause}"))
    console.print()
    for note in report.notes:
        console.print(Text(note, style="dim"))


SUBJECTS = ("Client", "Sandbox", "Merchant", "GetStatement", "Charges", "Recurring")
"""Words that titles begin with, in the order of the page."""


def merged(saved: str, reports: Iterable[Report]) -> str:
    """Return a saved Markdown page with these reports in the place of the former ones.

    Sections of other subjects stay as they are.

    Args:
        saved: The page as it is; empty if there is none.
        reports: What was measured now.
    """
    sections: dict[str, list[str]] = {subject: [] for subject in SUBJECTS}
    for text in re.split(r"^(?=## )", saved, flags=re.MULTILINE)[1:]:
        sections[subject_of(text.removeprefix("## "))].append(text.rstrip("\n") + "\n")
    fresh: dict[str, list[str]] = {}
    for report in reports:
        fresh.setdefault(subject_of(report.title), []).append(section(report))
    texts = [text for each in ({**sections, **fresh}).values() for text in each]
    return "\n".join(["# Measured\n", machine(), *texts])


def subject_of(title: str) -> str:
    """Return what a report is about."""
    return next(subject for subject in SUBJECTS if title.startswith(subject))


def machine() -> str:
    """Say what the figures were taken on."""
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores. Compare rows of one table, not two runs.\n"
    )


def section(report: Report) -> str:
    """Return one report as Markdown."""
    targets = [
        (target.promise, target.measured, target.verdict, "" if target.met else target.cause)
        for target in report.targets
    ]
    lines = [
        f"## {report.title}\n",
        *grid(report.header, report.rows),
        "",
        *grid(("target", "measured", "verdict", "cause"), targets),
        "",
        *(f"* {note}" for note in report.notes),
    ]
    return "\n".join(lines) + "\n"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    cells = [[cell.replace("\n", " ").replace("|", "\\|") for cell in row] for row in rows]
    lines = [[name.replace("\n", " ") for name in header], ["---"] * len(header), *cells]
    return [f"| {' | '.join(line)} |" for line in lines]
