"""Payme's calls to the merchant: how they are sent, and what comes of them.

The engine says what to ask and what follows from the answer; here the requests are sent and the
flows are driven. Nothing of the store is held while the merchant thinks: it may call the sandbox
from within its handler.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, RLock, Thread
from typing import Any, Final, TypeVar, cast

from payme.flow import run
from payme.protocol.merchant_headers import HEADERS
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Answer, Engine, flows, merchant_calls
from payme.sandbox.engine import faults as engine_faults
from payme.sandbox.engine.call import Call
from payme.sandbox.engine.core import Suspended
from payme.sandbox.engine.faults import Fault, FaultContext, FaultStep, Wait
from payme.sandbox.engine.merchant_calls import (
    MerchantCall,
    MerchantReply,
    MerchantRequest,
    credentials,
)
from payme.sandbox.engine.refusals import Refused
from payme.sandbox.errors import InvalidSetting, SandboxError, Unanswered
from payme.sandbox.faults import Faults
from payme.sandbox.merchant_transport import MerchantTransport
from payme.sandbox.runner import Runner
from payme.sandbox.store import SqliteState

T = TypeVar("T")

NO_MERCHANT: Final = "the sandbox has no merchant to ask: give it merchant_url"

_POLL_S: Final = 0.1
_THREADS: Final = 32


class MerchantDriver:
    """Drives flows: sends what they ask, commits between, and takes up what was left.

    Args:
        engine: Decides.
        runner: Stores.
        clock: Tells the time in ms.
        transport: Carries requests; None when there is no merchant.
        faults: What goes wrong on the way to the merchant and back.
        timeout: Longest time that a request may take, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        runner: Runner,
        clock: SandboxClock,
        transport: MerchantTransport | None,
        faults: Faults,
        timeout: float,
    ) -> None:
        self.engine = engine
        self.runner = runner
        self._password: str | None = None
        self._clock = clock
        self._transport = transport
        self._faults = faults
        self._timeout_ms = timeout * 1000
        self._closing = Event()
        # Reentrant: a merchant in this process may look at the sandbox while it is asked.
        self._passing = RLock()
        self._pool = ThreadPoolExecutor(_THREADS, "payme-sandbox-merchant")
        self._worker: Thread | None = None

    def drive(self, step: Any) -> Any:
        """Drive a flow to its end.

        Args:
            step: What the engine returned; anything but a `Suspended` is the end already.

        Returns:
            The outcome.

        Raises:
            SandboxError: If the sandbox is stopped first. What is committed is taken up again when
                it is started on the same file.
        """
        while isinstance(step, Suspended):
            try:
                reply = None if step.asked is None else self._hear(step, step.asked)
                step = self._resume(step, reply)
            except BaseException:
                step.flow.close()
                raise
        return step

    async def adrive(self, step: Suspended) -> Answer:
        """Drive a flow from an event loop."""
        loop = asyncio.get_running_loop()
        return cast("Answer", await loop.run_in_executor(self._pool, self.drive, step))

    def flow(self, start: Callable[[Call], flows.Flow[T]]) -> T | Refused:
        """Begin a flow and drive it to its end."""

        def job(state: SqliteState) -> Any:
            return self.engine.begin(start, state, self._clock())

        return cast("T | Refused", self.drive(self.runner.run(job)))

    def use_password(self, password: str | None) -> None:
        """Ask the merchant with another password from now on; None for the configured one."""
        self._password = password

    def start(self) -> None:
        """Take up by itself, from now on, what is due."""
        if self._transport is not None and self._worker is None:
            self._worker = Thread(target=self._work, name="payme-sandbox-due", daemon=True)
            self._worker.start()

    def close(self) -> None:
        """Give up what is under way. It is stored as far as it came."""
        self._closing.set()
        inline = self._transport is not None and self._transport.inline
        if self._transport is not None:
            self._transport.close()
        if self._worker is not None:
            self._worker.join()
        # A merchant in this process can't be interrupted, and is not waited for.
        self._pool.shutdown(wait=not inline, cancel_futures=True)

    def run_due(self) -> None:
        """Take every step that is due by the clock. Returns when it is done."""
        with self._passing:
            self._pass()

    def clock_moved(self) -> None:
        """Take what has become due before whoever moved the clock goes on.

        An event loop is not held up if the sandbox does so by itself in a moment.
        """
        if self._worker is None or not _in_event_loop():
            self.run_due()

    def next_due(self, after: int, until: int) -> int | None:
        """Find the first moment after another at which the clock must stop; None for none.

        Without a merchant it need not: what is due is done at its own time when somebody looks.
        """
        if self._transport is None or self._closing.is_set():
            return None
        if self._worker is not None and _in_event_loop():
            return None
        return self.runner.run(lambda state: self.engine.next_due(state, after, until))

    def catch_up(self) -> None:
        """Take every step that is due, unless the sandbox is at it or does so by itself."""
        if self._worker is None and self._passing.acquire(blocking=False):
            try:
                self._pass()
            finally:
                self._passing.release()

    def _pass(self) -> None:
        if self._transport is None or self._closing.is_set():
            return
        due = self.runner.run(lambda state: self.engine.overdue(state, self._clock()))
        if self._transport.inline:
            for receipt_id in due:
                self._take_up(receipt_id)
        elif due:
            with ThreadPoolExecutor(min(len(due), _THREADS)) as pool:
                list(pool.map(self._take_up, due))

    def _take_up(self, receipt_id: str) -> None:
        self.flow(lambda call: flows.take_up(call, receipt_id))

    def _work(self) -> None:
        while not self._closing.wait(_POLL_S):
            # A locked file or a stop: what is due stays due.
            with contextlib.suppress(Exception):
                self.run_due()

    def _resume(self, suspended: Suspended, reply: MerchantReply | None) -> Any:
        def job(state: SqliteState) -> Any:
            return self.engine.resume(suspended, reply, state, self._clock())

        return self.runner.run(job)

    def _hear(self, suspended: Suspended, asked: MerchantCall) -> MerchantReply | None:
        if self._closing.wait(asked.pause_ms / 1000):
            raise SandboxError("the sandbox is closed")
        if self.engine.has_forgotten(suspended):
            return None
        began = time.perf_counter()
        reply = self._send(asked.request)
        return reply._replace(elapsed_ms=round((time.perf_counter() - began) * 1000))

    def _send(self, request: MerchantRequest) -> MerchantReply:
        if self._transport is None:
            raise SandboxError(NO_MERCHANT)
        body = request.body()
        fault, context = self._fault(body)
        try:
            if fault is None:
                return merchant_calls.read(request, *self._transport.send(body, self._headers()))
            return merchant_calls.read(
                request, *self._disturbed(self._transport, body, fault, context)
            )
        except Unanswered as none:
            return merchant_calls.silence(none.outcome, "" if fault is None else str(fault))

    def _fault(self, body: bytes) -> tuple[Fault | None, FaultContext]:
        if not self._faults.active:
            return None, FaultContext()
        context = self.runner.run(
            lambda state: engine_faults.context(body, state, of_merchant=True)
        )
        return self._faults.choose(context), context

    def _disturbed(
        self, transport: MerchantTransport, body: bytes, fault: Fault, context: FaultContext
    ) -> tuple[int, bytes]:
        """Send a request that a fault strikes. Returns what comes back of it."""
        waited_ms = 0

        def perform(step: FaultStep) -> Answer | None:
            nonlocal waited_ms
            if isinstance(step, Wait):
                waited_ms += step.delay_ms
                self._wait(transport, step.delay_ms)
                # At the end of time the clock stays where it is.
                with contextlib.suppress(InvalidSetting):
                    self._clock.shift(step.advance_ms)
                return None
            status, answer = transport.send(body, self._headers())
            return Answer(answer, status=status)

        answer = run(engine_faults.play(fault, context), perform)
        late_ms = answer.delay_ms + answer.pause_ms
        self._wait(transport, late_ms)
        if waited_ms + late_ms >= self._timeout_ms:
            raise Unanswered("timeout")
        if answer.arrives != "whole":
            raise Unanswered("lost")
        return answer.status, answer.body

    def _wait(self, transport: MerchantTransport, ms: int) -> None:
        # A caller in this process is not kept waiting, and longer than its patience nobody is.
        if not transport.inline and self._closing.wait(min(ms, self._timeout_ms) / 1000):
            raise SandboxError("the sandbox is closed")

    def _headers(self) -> dict[str, str]:
        password = self._password or self.engine.config.merchant_key
        return {
            **HEADERS,
            "Authorization": f"Basic {credentials(password)}",
        }


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
