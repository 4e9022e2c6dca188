"""Progress bars, for a terminal alone: on the error stream, so that output can be piped."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


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
