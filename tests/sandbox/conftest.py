from collections.abc import Iterator

import pytest
from sandbox_tools import Caller, Clock

from payme.sandbox import Sandbox


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    sandbox = Sandbox(clock=clock)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def strict(clock: Clock) -> Iterator[Caller]:
    sandbox = Sandbox(clock=clock, strict=True)
    yield Caller(sandbox)
    sandbox.stop()


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)
