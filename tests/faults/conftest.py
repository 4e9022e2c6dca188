from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from payme.sandbox import Sandbox
from support.clients import make, on_every_loop
from support.faulty import Faulty

pytest_generate_tests = on_every_loop

# A key may hold such characters; a page that shows it escapes them.
KEY = "Rw712wMJ&pZB<zFvrG09?bHkSN%nD4PY0n1C"


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(key=KEY)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def server(sandbox: Sandbox) -> Iterator[Faulty]:
    with Faulty(sandbox) as server:
        yield server


@pytest.fixture
def tls_server(sandbox: Sandbox, server_tls: Any) -> Iterator[Faulty]:
    with Faulty(sandbox, server_tls) as server:
        yield server


@pytest.fixture
async def connect(style: str, sandbox: Sandbox) -> AsyncIterator[Callable[..., Any]]:
    """Make clients of the style under test; they are closed at the end."""
    made: list[Any] = []

    def connect(url: str, **options: Any) -> Any:
        options = {"timeout": 3.0, "proxy": "", **options}
        client = make(style, sandbox.merchant_id, sandbox.key, base_url=url, **options)
        made.append(client)
        return client

    yield connect
    for client in made:
        await client.aclose()
