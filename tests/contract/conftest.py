"""One contract, every way to reach a Payme: in memory, over HTTP, and Payme's own test host."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from payme import Receipt
from payme.sandbox import Sandbox
from payme.transport.memory import AsyncMemoryTransport, MemoryTransport
from support.clients import ASYNCIO, BLOCKING, make
from support.fourteen import CARD, CODE

LIVE = "live"
WAYS = ["memory-blocking", "memory-asyncio", "http-blocking", "http-asyncio", LIVE]
LIVE_ID, LIVE_KEY = "PAYME_TEST_ID", "PAYME_TEST_KEY"
LIVE_ACCOUNT = "PAYME_TEST_ACCOUNT"
"""Name of the account field of the test cash-box, where it is not `order_id`."""


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox(cancel_after_ms=100) as sandbox:
        yield sandbox


class World:
    """A Payme, and a way to reach it.

    Attributes:
        sandbox: The Payme, where it is ours.
        account: An account that its cash-box takes.
    """

    def __init__(self, way: str, sandbox: Sandbox | None) -> None:
        self.way = way
        self.sandbox = sandbox
        self.account = {os.environ.get(LIVE_ACCOUNT, "order_id"): 106}
        self._made: list[Any] = []

    def connect(self, key: str | None = None, **options: Any) -> Any:
        """Make a client; it is closed at the end."""
        if self.sandbox is None:
            credentials = (os.environ[LIVE_ID], os.environ[LIVE_KEY] if key is None else key)
            client = make(ASYNCIO, *credentials, environment="test", **options)
        else:
            credentials = (self.sandbox.merchant_id, self.sandbox.key if key is None else key)
            client = make(self._style, *credentials, **self._address(), **options)
        self._made.append(client)
        return client

    @property
    def _style(self) -> str:
        return ASYNCIO if self.way.endswith(ASYNCIO) else BLOCKING

    def _address(self) -> dict[str, Any]:
        assert self.sandbox is not None
        if self.way.startswith("http"):
            return {"base_url": self.sandbox.url}
        kind = AsyncMemoryTransport if self._style == ASYNCIO else MemoryTransport
        return {"transport": kind(self.sandbox.handle)}

    async def aclose(self) -> None:
        for client in self._made:
            await client.aclose()


@pytest.fixture(params=WAYS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == LIVE and not (os.environ.get(LIVE_ID) and os.environ.get(LIVE_KEY)):
        pytest.skip(f"Payme's own test host: set {LIVE_ID} and {LIVE_KEY} to run against it")
    sandbox = None if request.param == LIVE else request.getfixturevalue("shared_sandbox")
    world = World(request.param, sandbox)
    yield world
    await world.aclose()


@pytest.fixture
async def payme(world: World) -> Any:
    return world.connect(timeout=20)


@pytest.fixture
def sandbox(world: World) -> Sandbox:
    """For what Payme's test host does not offer, or is not known to."""
    if world.sandbox is None:
        pytest.skip("Payme's test host is not known to offer this")
    return world.sandbox


@pytest.fixture
async def token(payme: Any) -> str:
    """Token of a verified card."""
    return await verified(payme)


@pytest.fixture
async def unpaid(payme: Any, world: World) -> Receipt:
    return await payme.receipts.create(50_000, world.account)


@pytest.fixture
async def paid(payme: Any, unpaid: Receipt, token: str) -> Receipt:
    return await payme.receipts.pay(unpaid.id, token)


@pytest.fixture
async def held(sandbox: Sandbox, payme: Any, world: World, token: str) -> Receipt:
    receipt = await payme.receipts.create(50_000, world.account, hold=True)
    return await payme.receipts.pay(receipt.id, token, hold=True)


@pytest.fixture
def bind() -> Callable[..., Any]:
    return verified


async def verified(payme: Any, number: str = CARD, *, save: bool = True) -> str:
    card = await payme.cards.create(number, "0399", save=save)
    await payme.cards.get_verify_code(card.token)
    return (await payme.cards.verify(card.token, CODE)).token
