from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.postgres import postgres_database

TABLES = (
    "payme_charge, payme_charge_event, payme_card, payme_subscription, payme_period, payme_notice, "
    "payme_mark"
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: Any, tmp_path: Path) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'payme.db'}"
    url: str = request.getfixturevalue("postgres")
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {TABLES}")
    return url
