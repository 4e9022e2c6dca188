"""Both drivers: what a flow is sent, what is thrown into it, and how it ends."""

import asyncio
import gc
import warnings
import weakref
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from payme.flow import arun, run

Flow = Generator[Any, Any, Any]
Driver = Callable[[Flow, Callable[[Any], Any]], Any]


def run_asyncio(flow: Flow, perform: Callable[[Any], Any]) -> Any:
    """Drive with `arun`; each step is waited for in earnest."""

    async def performed(step: Any) -> Any:
        await asyncio.sleep(0)
        return perform(step)

    async def main() -> Any:
        return await arun(flow, performed)

    return asyncio.run(main())


@pytest.fixture(params=[run, run_asyncio])
def drive(request: pytest.FixtureRequest) -> Driver:
    driver: Driver = request.param
    return driver


class Stop(BaseException):
    """What a signal handler raises."""


class Burst(Exception):
    """What goes wrong in a step."""


def raising(error: BaseException) -> Callable[[Any], Any]:
    def perform(step: Any) -> Any:
        raise error

    return perform


def asking(*steps: Any) -> Flow:
    """Give everything that came of the steps: values, and exceptions that were thrown in."""
    came = []
    for step in steps:
        try:
            came.append((yield step))
        except BaseException as error:
            came.append(error)
    return came


def test_flow_without_steps_gives_its_value(drive: Driver) -> None:
    assert drive(asking(), raising(AssertionError())) == []


def test_steps_are_performed_in_order_and_the_flow_is_sent_what_came(drive: Driver) -> None:
    seen = []

    def perform(step: int) -> int:
        seen.append(step)
        return step * 10

    assert drive(asking(1, 2, 3), perform) == [10, 20, 30]
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    "error",
    [
        Burst(),
        Stop(),
        KeyboardInterrupt(),
        SystemExit(1),
        asyncio.CancelledError(),
        StopAsyncIteration(),
        GeneratorExit(),
    ],
)
def test_flow_is_thrown_whatever_a_step_raises_and_may_go_on(
    drive: Driver, error: BaseException
) -> None:
    def perform(step: str) -> str:
        if step == "bad":
            raise error
        return step

    assert drive(asking("a", "bad", "b"), perform) == ["a", error, "b"]


def test_what_the_flow_does_not_catch_is_raised_as_it_is(drive: Driver) -> None:
    def flow() -> Flow:
        try:
            yield 1
        except LookupError:
            return "caught"

    for error in (Burst(), Stop()):
        with pytest.raises(type(error)) as raised:
            drive(flow(), raising(error))
        assert raised.value is error


def test_flow_may_turn_an_error_into_another(drive: Driver) -> None:
    def flow() -> Flow:
        try:
            yield 1
        except Burst as error:
            raise LookupError("turned") from error

    with pytest.raises(LookupError, match="turned") as raised:
        drive(flow(), raising(Burst()))
    assert isinstance(raised.value.__cause__, Burst)


def test_flow_that_raises_by_itself_is_not_asked_again(drive: Driver) -> None:
    def flow() -> Flow:
        yield 1
        raise Burst

    seen = []
    with pytest.raises(Burst):
        drive(flow(), seen.append)
    assert seen == [1]


def test_stop_iteration_of_a_step_does_not_end_the_flow() -> None:
    error = StopIteration("not the flow's value")
    assert run(asking(1, 2), raising(error)) == [error, error]


def test_stop_iteration_of_a_step_that_is_not_caught_is_no_value(drive: Driver) -> None:
    def flow() -> Flow:
        yield 1

    with pytest.raises(RuntimeError):
        drive(flow(), raising(StopIteration("not the flow's value")))


@pytest.mark.anyio
async def test_stop_iteration_before_anything_is_awaited_does_not_end_the_flow() -> None:
    error = StopIteration("not the flow's value")

    def perform(step: int) -> Awaitable[Any]:
        raise error

    assert await arun(asking(1, 2), perform) == [error, error]


def test_stop_iteration_is_a_value_like_any_other(drive: Driver) -> None:
    value = StopIteration(1)

    def flow() -> Flow:
        yield 1
        return value

    assert drive(flow(), lambda step: None) is value


def test_flow_inside_a_flow_is_told_first(drive: Driver) -> None:
    def inner() -> Flow:
        try:
            yield "inner"
        except Burst:
            return "caught within"

    def outer() -> Flow:
        return (yield from inner()), (yield "outer")

    def perform(step: str) -> str:
        if step == "inner":
            raise Burst
        return step

    assert drive(outer(), perform) == ("caught within", "outer")


def test_steps_may_be_flows(drive: Driver) -> None:
    """A store turns each step into effects: two drivers, one in the other."""

    def effects(step: int) -> Flow:
        return (yield step) + (yield step)

    def perform(step: int) -> int:
        if step < 0:
            raise Burst
        return step

    assert drive(asking(1, 2), lambda step: run(effects(step), perform)) == [2, 4]
    came = drive(asking(-1, 2), lambda step: run(effects(step), perform))
    assert (type(came[0]), came[1]) == (Burst, 4)


def test_interruption_between_two_steps_reaches_the_flow() -> None:
    """Ctrl+C strikes the driver itself, after the money left and before the flow knows."""

    class Interrupting:
        """A flow whose first `send` after a step is hit by the signal."""

        def __init__(self, flow: Flow) -> None:
            self._flow = flow
            self.throw = flow.throw
            self.sent = 0

        def send(self, came: Any) -> Any:
            self.sent += 1
            if self.sent == 2:
                raise KeyboardInterrupt
            return self._flow.send(came)

        @property
        def gi_frame(self) -> Any:
            return self._flow.gi_frame

    flow: Any = Interrupting(asking("pay", "look"))
    came = run(flow, lambda step: step)
    assert isinstance(came[0], KeyboardInterrupt)
    assert came[1] == "look"


def test_interruption_before_the_first_step_is_raised() -> None:
    flow = asking("pay")
    flow.close()
    with pytest.raises(Stop):
        run(_struck(flow), raising(AssertionError()))


def _struck(flow: Flow) -> Any:
    class Struck:
        gi_frame = None
        throw = flow.throw

        def send(self, came: Any) -> Any:
            raise Stop

    return Struck()


@pytest.mark.anyio
async def test_cancelled_task_tells_the_flow() -> None:
    began, came = asyncio.Event(), []

    def flow() -> Flow:
        try:
            yield "wait"
        except asyncio.CancelledError as error:
            came.append(error)
            raise

    async def perform(step: str) -> None:
        began.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(arun(flow(), perform))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(came) == 1


def without_a_loop(flow: Flow, perform: Callable[[Any], Any]) -> Any:
    """Drive with `arun`, but no event loop, which holds what a task raised for a while."""

    async def performed(step: Any) -> Any:
        return perform(step)

    return arun(flow, performed).send(None)


@pytest.mark.parametrize("drive", [run, without_a_loop])
def test_error_and_what_its_frames_hold_are_freed_at_once(drive: Driver) -> None:
    class Socket:
        pass

    held: list[weakref.ref[Socket]] = []

    def perform(step: str) -> None:
        socket = Socket()
        held.append(weakref.ref(socket))
        raise Burst

    def flow() -> Flow:
        yield "connect"

    def attempt() -> None:
        with pytest.raises(Burst):
            drive(flow(), perform)

    with warnings.catch_warnings():
        # What other tests left for the collector is no affair of this one.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.disable()
    try:
        attempt()
        assert held[0]() is None
    finally:
        gc.enable()
