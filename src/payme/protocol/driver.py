"""Drivers: the loops that carry out the steps of a flow, one blocking and one for asyncio."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from payme.errors import PaymeError

T = TypeVar("T")


def run(flow: Generator[Any, Any, T], perform: Callable[[Any], Any]) -> T:
    """Run a flow, blocking.

    Args:
        flow: Yields steps.
        perform: Carries out a step and returns what came of it.

    Returns:
        The value of the flow.
    """
    resume: Callable[[Any], Any] = flow.send
    came: Any = None
    while True:
        try:
            step = resume(came)
        except StopIteration as finished:
            value: T = finished.value
            return value
        # Outside of that `try`: a StopIteration of a transport is no end of the flow.
        resume = flow.send
        try:
            came = perform(step)
        except PaymeError as error:
            resume, came = flow.throw, error


async def arun(flow: Generator[Any, Any, T], perform: Callable[[Any], Awaitable[Any]]) -> T:
    """Run a flow under asyncio; see `run`."""
    resume: Callable[[Any], Any] = flow.send
    came: Any = None
    while True:
        try:
            step = resume(came)
        except StopIteration as finished:
            value: T = finished.value
            return value
        resume = flow.send
        try:
            came = await perform(step)
        except PaymeError as error:
            resume, came = flow.throw, error
