"""One way to call either client: whatever `Payme` does, `Awaited` lets a test await."""

import asyncio
import importlib.util
import inspect
from typing import Any

import pytest

from payme import AsyncPayme, Payme
from payme.cards import Cards
from payme.receipts import AsyncReceipts, Receipts

BLOCKING, ASYNCIO = "blocking", "asyncio"
STYLES = [BLOCKING, ASYNCIO]

_WITHOUT_UVLOOP = pytest.mark.skipif(
    importlib.util.find_spec("uvloop") is None, reason="needs uvloop: pip install uvloop"
)
UVLOOP = ("asyncio", {"use_uvloop": True})
LOOPS = [
    pytest.param("asyncio", id="asyncio"),
    pytest.param(UVLOOP, id="uvloop", marks=_WITHOUT_UVLOOP),
]
"""Loops that asyncio runs on, as anyio calls them."""
STYLES_ON_LOOPS = [
    pytest.param(BLOCKING, "asyncio", id=BLOCKING),
    pytest.param(ASYNCIO, "asyncio", id=ASYNCIO),
    pytest.param(ASYNCIO, UVLOOP, id="uvloop", marks=_WITHOUT_UVLOOP),
]
"""Both styles, on every loop. A blocking client needs no loop; its tests do."""


def on_every_loop(metafunc: pytest.Metafunc) -> None:
    """Make each test of a folder run on every loop; for its `pytest_generate_tests`."""
    if "style" in metafunc.fixturenames:
        metafunc.parametrize(("style", "anyio_backend"), STYLES_ON_LOOPS)
    elif "anyio_backend" in metafunc.fixturenames:
        metafunc.parametrize("anyio_backend", LOOPS)


def run_on(backend: Any, main: Any) -> Any:
    """`asyncio.run` on one of the loops."""
    if backend == UVLOOP:
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


class NoPause:
    """Chance without jitter, so that an attempt follows the other at once."""

    @staticmethod
    def uniform(low: float, _high: float) -> float:
        return low


class Awaited:
    """A blocking client under the manners of an asyncio one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __repr__(self) -> str:
        return repr(self._inner)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if isinstance(found, Cards | Receipts):
            return Awaited(found)
        if name == "with_options":
            return lambda **options: Awaited(found(**options))
        if inspect.isgeneratorfunction(found):
            return _iterated(found)
        if callable(found):
            return _awaited(found)
        return found

    async def aclose(self) -> None:
        self._inner.close()


def _awaited(function: Any) -> Any:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(function, *args, **kwargs)

    return call


def _iterated(function: Any) -> Any:
    async def walk(*args: Any, **kwargs: Any) -> Any:
        for one in function(*args, **kwargs):
            yield one

    return walk


def make(style: str, *args: Any, **kwargs: Any) -> Any:
    """Make a client whose methods are awaited."""
    kwargs = {"random": NoPause(), **kwargs}
    if style == ASYNCIO:
        return AsyncPayme(*args, **kwargs)
    return Awaited(Payme(*args, **kwargs))


async def outcome(awaitable: Any) -> Any:
    """Await, and return the value or the error."""
    try:
        return await awaitable
    except Exception as error:
        return error


async def resolve(error: Any, client: Any = None, **options: Any) -> Any:
    """`receipts.resolve(error)` of a client, or of the one that raised the error."""
    asked = client._inner if isinstance(client, Awaited) else client
    receipts = asked.receipts if asked else error._receipts
    if receipts is None:
        return error.resolve(**options)
    if isinstance(receipts, AsyncReceipts):
        return await receipts.resolve(error, **options)
    return await asyncio.to_thread(receipts.resolve, error, **options)
