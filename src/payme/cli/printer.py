"""Lines for whoever reads stdout, and no waiting for whoever does not.

A pipe that nobody reads is full after 64 KB, and whoever writes to it then waits for ever: the
server must not, and neither must the way down. So a thread of its own writes, to the file
descriptor itself, since Python's buffer has a lock that the interpreter takes at its end.
"""

import io
import os
import sys
from queue import Full, Queue
from threading import Thread
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from payme.cli.words import tell

_MAX_WAITING: Final = 1000
"""How many lines may wait to be written."""

_LAST_WORDS_S: Final = 1.0
"""How long the end waits for what is still to be written, in seconds."""


class Printer:
    """Prints lines in the order in which they come; when nobody reads them, they are left out."""

    def __init__(self) -> None:
        self.console: Final = Console(file=_stdout(), highlight=False, soft_wrap=True)
        self._queue: Queue[Any] = Queue(_MAX_WAITING)
        self._left_out = 0
        self._thread = Thread(target=self._work, name="payme-printer", daemon=True)
        self._thread.start()

    def print(self, what: Any) -> None:
        """Print something that rich can print, soon, and return at once."""
        try:
            self._queue.put_nowait(what)
        except Full:
            self._left_out += 1

    def close(self) -> None:
        """Print what was not yet printed, unless nobody reads it."""
        try:
            self._queue.put(None, timeout=_LAST_WORDS_S)
        except Full:
            return
        self._thread.join(_LAST_WORDS_S)

    def _work(self) -> None:
        try:
            while (what := self._queue.get()) is not None:
                if self._left_out:
                    left_out, self._left_out = self._left_out, 0
                    self.console.print(Text(_left_out(left_out)))
                self.console.print(what)
        except (OSError, ValueError):
            # Whoever read has gone, as `head` does: the sandbox serves on.
            pass


def _left_out(number: int) -> str:
    return tell(
        f"({number} qator tushirib qoldirildi: ularni hech kim oʻqimadi)",
        f"(пропущено строк: {number}, их никто не читал)",
        f"({number} lines left out: nobody read them)",
    )


class _Descriptor(io.TextIOBase):
    """Writes to a file descriptor without a buffer.

    Args:
        number: The descriptor.
    """

    encoding = "utf-8"

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        left = memoryview(text.encode("utf-8", "replace"))
        while left:
            left = left[os.write(self._number, left) :]
        return len(text)


def _stdout() -> Any:
    """Return the descriptor of stdout; where there is none, as in a test, the stream itself."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return sys.stdout
    # Windows' console wants more than bytes.
    return _Descriptor(number) if os.name == "posix" else sys.stdout
