"""The club's time: the real one, or that of the sandbox, which a button moves."""

import json
import time
from typing import Any, Final
from urllib.request import Request, urlopen

_PATIENCE_S: Final = 5.0


class Clock:
    """Tells the time in seconds since 1970; what decides when a period is due asks it."""

    can_move = False

    def __call__(self) -> float:
        """Return the time."""
        return time.time()

    def look(self) -> None:
        """Learn what time it is; the system's clock needs no look."""

    def move_a_day(self) -> None:
        """Let a day pass.

        Raises:
            RuntimeError: Nobody moves the real time.
        """
        raise RuntimeError("only a sandbox's clock can be moved")


class SandboxClock(Clock):
    """The clock of a sandbox in another process.

    It is asked now and then and not for each time that somebody wants to know, since that may be
    in the middle of a transaction.

    Args:
        sandbox: Address of the sandbox, such as `http://127.0.0.1:3000`.
    """

    can_move = True

    def __init__(self, sandbox: str) -> None:
        self._url = f"{sandbox}/_sandbox/clock"
        self._ahead_s = 0.0
        self.look()

    def __call__(self) -> float:
        """Return the time."""
        return time.time() + self._ahead_s

    def look(self) -> None:
        """Ask the sandbox what time it is; one that is away leaves it as it was."""
        try:
            self._learn(Request(self._url))
        except OSError:
            return

    def move_a_day(self) -> None:
        """Move the sandbox's clock by a day, and with it that of all who look."""
        body = json.dumps({"advance": "1d"}).encode()
        self._learn(Request(self._url, body, {"Content-Type": "application/json"}))

    def _learn(self, request: Request) -> None:
        with urlopen(request, timeout=_PATIENCE_S) as answer:
            told: dict[str, Any] = json.load(answer)
        self._ahead_s = told["now"] / 1000 - time.time()
