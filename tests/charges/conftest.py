from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.clients import on_every_loop
from support.postgres import postgres_database

pytest_generate_tests = on_every_loop


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with postgres_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: Any, tmp_path: Path) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'payme.db'}"
    url = request.getfixturevalue("postgres")
    empty(url)
    return url


def empty(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "DROP TABLE IF EXISTS payme_charge, payme_charge_event, payme_card, shop_order"
        )


@pytest.fixture
async def open_ledger(style: str, database: str) -> Any:
    """Make ledgers of the style under test, whose methods are awaited."""
    from charges.ledgers import make_ledger

    made: list[Any] = []

    async def open_one(**options: Any) -> Any:
        ledger = await make_ledger(style, database, **options)
        made.append(ledger)
        return ledger

    yield open_one
    for ledger in made:
        await ledger.close()


@pytest.fixture
async def ledger(open_ledger: Callable[..., Any]) -> Any:
    return await open_ledger()
