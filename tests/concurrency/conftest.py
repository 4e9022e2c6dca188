from collections.abc import Iterator

import pytest

from payme.sandbox import Sandbox
from support.faulty import Faulty


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=[False, True], ids=["http", "https"])
def line(request, sandbox, server_tls) -> Iterator[Faulty]:
    """A server that counts connections, over both kinds of line."""
    with Faulty(sandbox, server_tls if request.param else None) as server:
        yield server


@pytest.fixture
def options(line, client_tls) -> dict[str, object]:
    return {"base_url": line.url, "ssl_context": client_tls if "https" in line.url else None}
