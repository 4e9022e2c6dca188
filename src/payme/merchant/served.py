"""What is told of a request that was answered: to the log, and to whoever watches.

Nothing of it can identify a payer or open a door. There is the method, the outcome, the time it
took, the cash-box and Payme's id of the transaction, by which the rest is found in the table. There
is no account and no id of an order, which is often a phone; no amount, no text of an error, no key
and no address. Payme's id is told only of a request that came with the key: in others anybody may
have written anything.
"""

import logging
import re
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol

from payme.merchant.wire import OTHER

_LOG = logging.getLogger("payme.merchant")

_SHOWABLE: Final = re.compile(r"[!-~]{1,64}")


class Served:
    """One request, of which more is known as it is served.

    Attributes:
        method: Payme's name, or `_OTHER`.
        box: Id of the cash-box; empty where there is only one.
        started: When it came, in seconds of the performance counter.
        transaction_id: Payme's id, None where there is none or nothing showed that it is Payme's.
        code: Code of the error, 0 without one; None while there is no answer.
        failure: Class of the exception behind -32400, None where it was a refusal.
    """

    __slots__ = ("box", "code", "failure", "method", "started", "transaction_id")

    def __init__(self, method: str = OTHER, box: str = "") -> None:
        self.method = method
        self.box = box
        self.started = time.perf_counter()
        self.transaction_id: str | None = None
        self.code: int | None = None
        self.failure: str | None = None

    def admit(self, request: Any) -> None:
        """Take the id of the transaction from a request that came with the key."""
        given = getattr(request, "id", None)
        if isinstance(given, str) and _SHOWABLE.fullmatch(given):
            self.transaction_id = given

    @property
    def outcome(self) -> str:
        """`ok`, the code of the error, or what interrupted the request."""
        if self.code is None:
            return self.failure or "interrupted"
        return "ok" if self.code == 0 else str(self.code)

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.perf_counter() - self.started


class Watch(Protocol):
    """Watches requests while they are served; `payme.telemetry.Telemetry` is one."""

    def serving(self, served: Served) -> AbstractContextManager[object]:
        """Open a context in which a request is served.

        Args:
            served: What is known of it; the rest is filled in before the context is left.
        """
        ...


_UNWATCHED: Final = nullcontext()


def watched(served: Served, watch: Watch | None) -> AbstractContextManager[object]:
    """Open the context in which a request is served: it is logged at INFO, and watched.

    Args:
        served: What is known of the request.
        watch: Who watches, None for nobody.

    Returns:
        The context. Where nobody watches and INFO is not logged, it does nothing.
    """
    if watch is None and not _LOG.isEnabledFor(logging.INFO):
        return _UNWATCHED
    return _noted(served, watch)


@contextmanager
def _noted(served: Served, watch: Watch | None) -> Generator[None]:
    try:
        with watch.serving(served) if watch else _UNWATCHED:
            try:
                yield
            except BaseException as interruption:
                served.failure = type(interruption).__name__
                raise
    finally:
        _LOG.info(
            "%s: %s in %.1f ms; cash-box %s, transaction %s",
            served.method,
            served.outcome,
            served.seconds * 1000,
            served.box or "-",
            served.transaction_id or "-",
        )
