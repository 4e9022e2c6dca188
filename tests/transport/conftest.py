import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from payme import configuration
from payme.transport.aio import AsyncioTransport
from payme.transport.base import Request
from payme.transport.blocking import BlockingTransport
from support.clients import BLOCKING, on_every_loop

pytest_generate_tests = on_every_loop


class Wire:
    """A transport of either style, whose methods are awaited."""

    def __init__(self, style: str, url: str, *options: Any, **more: Any) -> None:
        self._blocking = style == BLOCKING
        self.inner: Any = (BlockingTransport if self._blocking else AsyncioTransport)(
            url, *options, **more
        )

    async def send(self, request: Request) -> Any:
        if self._blocking:
            return await asyncio.to_thread(self.inner.send, request)
        return await self.inner.send(request)

    @property
    def pool(self) -> Any:
        (pool,) = self.inner._pools.values()
        return pool if self._blocking else pool[0]

    async def close(self) -> None:
        if self._blocking:
            self.inner.close()
        else:
            await self.inner.aclose()


@pytest.fixture
async def wire(style: str) -> AsyncIterator[Callable[..., Wire]]:
    """Make transports of the style under test; they are closed at the end."""
    made: list[Wire] = []

    def make(url: str, context: Any = None, proxy: str = "", **more: Any) -> Wire:
        made.append(Wire(style, url, context, configuration.proxy(proxy, url), **more))
        return made[-1]

    yield make
    for one in made:
        await one.close()
