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
    try:
        step = next(flow)
        while True:
            try:
                came = perform(step)
            except PaymeError as error:
                step = flow.throw(error)
            else:
                step = flow.send(came)
    except StopIteration as finished:
        value: T = finished.value
        return value


async def arun(flow: Generator[Any, Any, T], perform: Callable[[Any], Awaitable[Any]]) -> T:
    """Run a flow under asyncio; see `run`."""
    try:
        step = next(flow)
        while True:
            try:
                came = await perform(step)
            except PaymeError as error:
                step = flow.throw(error)
            else:
                step = flow.send(came)
    except StopIteration as finished:
        value: T = finished.value
        return value
