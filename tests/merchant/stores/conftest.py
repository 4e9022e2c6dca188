from pathlib import Path

import pytest
from sqlshop import AsyncShop, BlockingShop, opened


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
