"""The drivers of flows: the loops that carry out steps, one blocking and one for asyncio.

A *flow* is a generator: it decides, yields a step for each effect it needs, and is sent what came
of it. A driver carries the steps out and knows nothing about them. Client and merchant have flows
of their own, and these are the only loops that drive them.

Whatever a step raises is thrown into the flow, which stands at the `yield` and so knows best what
it means: a refused connection, an order that does not exist, or Ctrl+C while money is on its way.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from types import GeneratorType

S = TypeVar("S")
T = TypeVar("T")


def run(flow: Generator[S, Any, T], perform: Callable[[S], Any]) -> T:
    """Run a flow, blocking.

    Args:
        flow: Yields steps.
        perform: Carries out a step and returns what came of it.

    Returns:
        The value of the flow.
    """
    resume: Callable[[Any], S] = flow.send
    came: Any = None
    while True:
        try:
            came = perform(resume(came))
            resume = flow.send
        except StopIteration as ended:
            if _is_over(flow):
                value: T = ended.value
                return value
            resume, came = flow.throw, ended
        except BaseException as error:
            if _is_over(flow):
                # Its traceback holds this frame: were it held here too, it and all that its frames
                # hold, such as sockets, would wait for the garbage collector.
                came = None
                raise
            resume, came = flow.throw, error


async def arun(flow: Generator[S, Any, T], perform: Callable[[S], Awaitable[Any]]) -> T:
    """Run a flow under asyncio; see `run`."""
    resume: Callable[[Any], S] = flow.send
    came: Any = None
    while True:
        try:
            came = await perform(resume(came))
            resume = flow.send
        except StopIteration as ended:
            if _is_over(flow):
                value: T = ended.value
                return value
            resume, came = flow.throw, ended
        except BaseException as error:
            if _is_over(flow):
                came = None
                raise
            resume, came = flow.throw, error


def _is_over(flow: Generator[Any, Any, Any]) -> bool:
    # A flow that waits at a `yield` has a frame; one that returned or raised has none.
    return cast("GeneratorType[Any, Any, Any]", flow).gi_frame is None
