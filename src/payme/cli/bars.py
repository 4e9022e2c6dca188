"""Progress bars, for a terminal alone: on the error stream, so that output can be piped."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


@contextmanager
def bar(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show a bar.

    Args:
        what: What is under way.
        total: How much there is of it.

    Yields:
        A function that is told how much more is done.
    """
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)

        def advance(by: int) -> None:
            progress.advance(task, by)

        yield advance


class _Said(ProgressColumn):
    max_refresh = 0.2

    def __init__(self, said: Callable[[], str]) -> None:
        super().__init__()
        self._said = said

    def render(self, task: Task) -> Text:  # noqa: ARG002 - what is shown is counted elsewhere
        return Text(self._said())


@contextmanager
def counter(said: Callable[[], str]) -> Generator[None]:
    """Show how far something is whose end is not known.

    Args:
        said: Tells it, several times a second, from another thread.
    """
    # Lines that go to the same terminal stand above it; those that are piped stay out of its way.
    shares = sys.stdout.isatty()
    columns = (SpinnerColumn(), _Said(said), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=True,
        redirect_stdout=shares,
        disable=not console.is_terminal,
    ) as progress:
        progress.add_task("")
        yield
