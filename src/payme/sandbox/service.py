"""The engine put together with a store, a clock and a log: one call in, one answer out."""

import contextlib
from collections.abc import Callable

from payme.sandbox.engine import Answer, Engine, Reason
from payme.sandbox.engine.core import refuse
from payme.sandbox.runner import Job, Runner
from payme.sandbox.store import SqliteState

Listener = Callable[[Answer], None]


class Service:
    """Serves calls, whatever brought them.

    Args:
        engine: Decides.
        runner: Stores.
        clock: Tells the time in ms.
        listener: Told of every answer.
    """

    def __init__(
        self,
        engine: Engine,
        runner: Runner,
        clock: Callable[[], int],
        listener: Listener | None = None,
    ) -> None:
        self._engine = engine
        self._runner = runner
        self._clock = clock
        self._listener = listener

    def call(self, body: bytes, x_auth: str | None) -> Answer:
        """Serve one call from a thread that may wait.

        Args:
            body: Body of the request.
            x_auth: Value of the X-Auth header, None when there is none.
        """
        try:
            answer = self._runner.run(self._job(body, x_auth))
        except Exception:  # noqa: BLE001 - a caller always gets an answer of the protocol
            answer = refuse(Reason.SYSTEM_ERROR, body)
        return self._told(answer)

    async def acall(self, body: bytes, x_auth: str | None) -> Answer:
        """Serve one call from an event loop."""
        try:
            answer = await self._runner.arun(self._job(body, x_auth))
        except Exception:  # noqa: BLE001
            answer = refuse(Reason.SYSTEM_ERROR, body)
        return self._told(answer)

    def turn_away(self, reason: Reason) -> Answer:
        """Answer a request whose body is not for the engine."""
        return self._told(refuse(reason))

    def _job(self, body: bytes, x_auth: str | None) -> Job[Answer]:
        # The clock is read inside the job: calls are served in the order of their times.
        def job(state: SqliteState) -> Answer:
            return self._engine.answer(body, x_auth, state, self._clock())

        return job

    def _told(self, answer: Answer) -> Answer:
        if self._listener is not None:
            # The money has moved by now: a fault of whoever listens must not cost the answer.
            with contextlib.suppress(Exception):
                self._listener(answer)
        return answer
