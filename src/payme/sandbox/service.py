"""The engine put together with a store, a clock and a log: one call in, one answer out."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from time import perf_counter
from typing import Any, Final

from payme.flow import arun, run
from payme.sandbox.clock import SandboxClock
from payme.sandbox.engine import Answer, Engine, Reason
from payme.sandbox.engine import faults as engine_faults
from payme.sandbox.engine.core import Suspended, refuse
from payme.sandbox.engine.faults import FaultContext, FaultStep, FaultSteps, Wait
from payme.sandbox.errors import InvalidSetting, SandboxError
from payme.sandbox.faults import Faults
from payme.sandbox.merchant_driver import MerchantDriver
from payme.sandbox.runner import Job, Runner
from payme.sandbox.settings import Listener
from payme.sandbox.store import SqliteState
from payme.sandbox.traffic import Traffic

_LOG: Final = logging.getLogger("payme.sandbox")

Sleep = Callable[[float], Awaitable[object]]


class BoxService:
    """Serves the calls to one cash-box, whatever brought them.

    Args:
        engine: Decides.
        runner: Stores.
        clock: Tells the time.
        faults: What goes wrong on the way to the engine and back.
        listener: Told of every answer.
        traffic: Where every call is recorded.
        driver: Asks the merchant.
    """

    def __init__(
        self,
        engine: Engine,
        runner: Runner,
        clock: SandboxClock,
        faults: Faults,
        listener: Listener | None = None,
        *,
        traffic: Traffic | None = None,
        driver: MerchantDriver,
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._clock = clock
        self._faults = faults
        self._listener = listener
        self._traffic = traffic
        self._driver = driver

    def call(self, body: bytes, x_auth: str | None) -> Answer:
        """Serve one call from a thread, without waiting for what only passes time.

        Args:
            body: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
        """
        began = perf_counter()
        if self._faults.active:
            answer = self._disturbed(body, x_auth)
        else:
            answer = self._served(body, x_auth)
        return self._told(answer, body, x_auth, began)

    async def acall(
        self,
        body: bytes,
        x_auth: str | None,
        sleep: Sleep = asyncio.sleep,
        *,
        page: bool = False,
    ) -> Answer:
        """Serve one call from an event loop.

        Args:
            body: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
            sleep: Waits for a number of seconds.
            page: Whether a web page of another origin asks.
        """
        began = perf_counter()
        if self._faults.active:
            answer = await self._adisturbed(body, x_auth, sleep, page=page)
        else:
            answer = await self._aserved(body, x_auth, page=page)
        return self._told(answer, body, x_auth, began)

    def turn_away(self, reason: Reason) -> Answer:
        """Answer a request whose body is not for the engine."""
        return self._told(refuse(reason), b"", None, perf_counter())

    def _served(self, body: bytes, x_auth: str | None) -> Answer:
        try:
            step = self._runner.run(self._job(body, x_auth))
            return self._driver.drive(step) if isinstance(step, Suspended) else step
        except Exception as error:  # noqa: BLE001 - a caller always gets an answer of the protocol
            return _failed(error, body)

    async def _aserved(self, body: bytes, x_auth: str | None, *, page: bool) -> Answer:
        try:
            step = await self._runner.arun(self._job(body, x_auth, page=page))
            return await self._driver.adrive(step) if isinstance(step, Suspended) else step
        except Exception as error:  # noqa: BLE001
            return _failed(error, body)

    def _disturbed(self, body: bytes, x_auth: str | None) -> Answer:
        try:
            steps = self._steps(self._runner.run(_context(body)))
        except Exception:  # noqa: BLE001
            steps = None
        if steps is None:
            return self._served(body, x_auth)
        waits: list[int] = []

        def perform(step: FaultStep) -> Answer | None:
            if not isinstance(step, Wait):
                return self._served(body, x_auth)
            # A caller without a socket is not kept waiting, but may ask how long it would be.
            waits.append(step.delay_ms)
            self._move_clock(step.advance_ms)
            return None

        done = run(steps, perform)
        return done._replace(delay_ms=done.delay_ms + sum(waits))

    async def _adisturbed(
        self, body: bytes, x_auth: str | None, sleep: Sleep, *, page: bool
    ) -> Answer:
        try:
            steps = self._steps(await self._runner.arun(_context(body)))
        except Exception:  # noqa: BLE001
            steps = None
        if steps is None:
            return await self._aserved(body, x_auth, page=page)

        async def perform(step: FaultStep) -> Answer | None:
            if not isinstance(step, Wait):
                return await self._aserved(body, x_auth, page=page)
            await sleep(step.delay_ms / 1000)
            self._move_clock(step.advance_ms)
            return None

        return await arun(steps, perform)

    def _steps(self, call: FaultContext) -> FaultSteps | None:
        fault = self._faults.choose(call)
        return None if fault is None else engine_faults.play(fault, call)

    def _move_clock(self, ms: int) -> None:
        # At the end of time the clock stays where it is, and the call goes on.
        with contextlib.suppress(InvalidSetting):
            self._clock.shift(ms)

    def _job(
        self, body: bytes, x_auth: str | None, *, page: bool = False
    ) -> Job[Answer | Suspended]:
        # The clock is read inside the job: calls are served in the order of their times.
        def job(state: SqliteState) -> Answer | Suspended:
            return self._engine.answer(body, x_auth, state, self._clock(), page=page)

        return job

    def _told(self, answer: Answer, body: bytes, x_auth: str | None, began: float) -> Answer:
        # Who names no cash-box of this sandbox is answered by the first one.
        named = x_auth is not None and answer.reason is not Reason.UNKNOWN_CASH_BOX
        cash_box = self._engine.config.merchant_id if named else ""
        if self._traffic is not None:
            elapsed_ms = (perf_counter() - began) * 1000
            self._traffic.record(self._clock(), body, x_auth, answer, elapsed_ms, cash_box)
        if self._listener is not None:
            # The money has moved by now: a fault of whoever listens must not cost the answer.
            with contextlib.suppress(Exception):
                self._listener(answer._replace(cash_box=cash_box))
        return answer


class Service:
    """Serves the calls to every cash-box: `X-Auth` says whose they are.

    Args:
        first: Serves the first cash-box, and whoever names none.
        merchant_id: Id of the first cash-box.
    """

    def __init__(self, first: BoxService, merchant_id: str) -> None:
        self._first = first
        # Read without a lock by every call, and only ever replaced whole.
        self._boxes: Mapping[str, BoxService] = {merchant_id: first}

    def add(self, box: BoxService, merchant_id: str) -> None:
        """Serve another cash-box from now on."""
        self._boxes = {**self._boxes, merchant_id: box}

    def call(self, body: bytes, x_auth: str | None) -> Answer:
        """Serve one call from a thread; see `BoxService.call`."""
        return self._named(x_auth).call(body, x_auth)

    def acall(
        self,
        body: bytes,
        x_auth: str | None,
        sleep: Sleep = asyncio.sleep,
        *,
        page: bool = False,
    ) -> Coroutine[Any, Any, Answer]:
        """Serve one call from an event loop; see `BoxService.acall`."""
        return self._named(x_auth).acall(body, x_auth, sleep, page=page)

    def turn_away(self, reason: Reason) -> Answer:
        """Answer a request whose body is not for the engine."""
        return self._first.turn_away(reason)

    def _named(self, x_auth: str | None) -> BoxService:
        if x_auth is None or len(self._boxes) == 1:
            return self._first
        return self._boxes.get(x_auth.partition(":")[0], self._first)


def _failed(error: Exception, body: bytes) -> Answer:
    # Of other errors only the kind is told: their texts may hold what was sent.
    known = isinstance(error, SandboxError)
    remark = str(error) if known else f"{type(error).__name__} in the sandbox: please report it"
    _LOG.error("a call was answered with -32400: %s", remark)
    return refuse(Reason.SYSTEM_ERROR, body, remark)


def _context(body: bytes) -> Job[FaultContext]:
    return lambda state: engine_faults.context(body, state)
