from collections.abc import Iterator

import pytest

from support.mariadb import mariadb_database
from support.postgres import postgres_database, postgres_url, stop_postgres


@pytest.fixture(autouse=True, scope="session")
def races() -> Iterator[None]:
    """Let the threads of a race in at once; a server lets them in one by one while that is fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("payme.merchant.limits.ALONE", 0)
        yield


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


@pytest.fixture
def mariadb_db() -> Iterator[str]:
    """The address of an empty database in a MariaDB or MySQL, as SQLAlchemy reads it."""
    with mariadb_database() as server:
        who = f"{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}"
        yield f"mysql+pymysql://{who}/{server['NAME']}?charset=utf8mb4&ssl_disabled=1"
