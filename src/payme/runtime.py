"""The clock, the chance and the log of a real client; a test hands its flows others."""

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from payme import redact
from payme.errors import PaymeError
from payme.protocol.calls import Call
from payme.protocol.flows import CallStep, Runtime, Sleep
from payme.transport.base import Transport


def new_id() -> int:
    """Make a JSON-RPC id that no other worker uses, so that a stray answer is seen.

    It has at most 13 digits, as a timestamp in milliseconds has: Payme's own samples send those.
    """
    return int.from_bytes(os.urandom(5), "big")


def uniform(low: float, high: float) -> float:
    """Draw a random number from the system, which forked workers do not share."""
    return low + (high - low) * int.from_bytes(os.urandom(4), "big") / 2**32


_DEBUG, _WARNING = 10, 30


@cache
def _logger() -> Any:
    import logging

    return logging.getLogger("payme")


class Watch(Protocol):
    """Watches the calls of a client; `payme.telemetry.Telemetry` is one."""

    def calling(
        self, merchant_id: str, base_url: str
    ) -> Callable[[Call[Any], float, object, int], None]:
        """Make what is told of each call when it ends.

        Args:
            merchant_id: Id of the cash-box.
            base_url: Address of the API.

        Returns:
            A function of the call, how many seconds it took, its value or error, and how often it
            was sent.
        """
        ...


def watched(runtime: Runtime, watch: Watch, merchant_id: str, base_url: str) -> Runtime:
    """Have somebody watch calls, beside the log.

    Args:
        runtime: Of the client.
        watch: Who watches.
        merchant_id: Id of the cash-box.
        base_url: Address of the API.

    Returns:
        A runtime that tells both.
    """
    tell = watch.calling(merchant_id, base_url)

    def note(call: Call[Any], started: float, came: object, attempts: int) -> None:
        runtime.note(call, started, came, attempts)
        tell(call, runtime.clock() - started, came, attempts)

    return runtime._replace(note=note)


def _note(call: Call[Any], started: float, came: object, attempts: int) -> None:
    """Log how a call ended: at DEBUG, or as a warning when it was interrupted.

    Args:
        call: What was called.
        started: When, on the monotonic clock.
        came: Its value, its error, or what interrupted it after a byte may have left.
        attempts: How often it was sent.
    """
    interrupted = isinstance(came, BaseException) and not isinstance(came, PaymeError)
    # Who never imported `logging` did not ask for DEBUG, and its import costs 6 ms.
    if not interrupted and "logging" not in sys.modules:
        return
    log = _logger()
    level = _WARNING if interrupted else _DEBUG
    if not log.isEnabledFor(level):
        return
    shown = type(came).__name__ if isinstance(came, BaseException) else "answered"
    about = redact.scrub(call.receipt_id) if call.receipt_id else "-"
    took = (time.monotonic() - started) * 1000
    told = "%s %s: interrupted by %s after %.0f ms, attempts: %d; Payme may have executed it"
    told = told if interrupted else "%s %s: %s in %.0f ms, attempts: %d"
    log.log(level, told, call.method, about, shown, took, attempts)


def perform(transport: Transport, step: CallStep) -> Any:
    """Carry out a step of a client's flow, blocking."""
    return time.sleep(step.seconds) if isinstance(step, Sleep) else transport.send(step)


def make(uniform: Callable[[float, float], float], new_id: Callable[[], int | None]) -> Runtime:
    """Make what flows need of the world.

    Args:
        uniform: Source of the jitter of pauses.
        new_id: Makes a JSON-RPC id for each attempt.

    Returns:
        Time, chance and the log.
    """
    return Runtime(time.monotonic, new_id, uniform, _note)
