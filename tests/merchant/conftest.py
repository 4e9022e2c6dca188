from collections.abc import Iterator

import pytest

from support.postgres import postgres_database, postgres_url, stop_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The libpq URL of a PostgreSQL on loopback."""
    yield postgres_url()
    stop_postgres()


@pytest.fixture
def postgres_db(postgres_server: str) -> Iterator[str]:
    """The libpq URL of an empty database."""
    with postgres_database() as url:
        yield url
