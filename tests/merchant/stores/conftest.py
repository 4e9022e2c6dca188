import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlshop import AsyncShop, BlockingShop, opened

HERE = Path(__file__).parent


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind; SQLite's is a file."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    name = "postgres_db" if request.param == "postgresql" else "mariadb_db"
    return request.getfixturevalue(name)


@pytest.fixture(params=[BlockingShop, AsyncShop], ids=["blocking", "asyncio"])
def kind(request: pytest.FixtureRequest) -> type[BlockingShop | AsyncShop]:
    return request.param


@pytest.fixture
def shop(kind, url):
    with opened(kind, url, "a", "b") as shop:
        yield shop


@pytest.fixture(scope="module")
def crash() -> Iterator[Callable[..., bool]]:
    """Send a request to a process that is killed at a point; tells if it was."""
    places = [str(HERE), str(HERE.parent), str(HERE.parent.parent), os.environ.get("PYTHONPATH")]
    path = os.pathsep.join(filter(None, places))
    with subprocess.Popen(
        [sys.executable, HERE / "crashing.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:

        def send(**job: object) -> bool:
            print(json.dumps(job), file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            assert code in (0, -signal.SIGKILL)
            return code == -signal.SIGKILL

        yield send
        process.stdin.close()
