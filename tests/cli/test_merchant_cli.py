"""`payme merchant` finds the shop's object, and says what it did."""

import sys

import pytest
from click.testing import CliRunner

from payme.cli.commands import payme

SHOP = """
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from payme.merchant import Merchant, AsyncMerchant, MemoryStore, Order
from payme.merchant.entities import Create
from payme.merchant import flows
from payme.merchant.stores.sqlalchemy.outbox import AsyncSqlAlchemyOutbox, SqlAlchemyOutbox

store = MemoryStore(lambda account: Order(id="7", amount=500), lambda event, transaction: None)
store.run(flows.serve(Create("a" * 24, 1, 500, {"order_id": 7}), 1))
merchant = Merchant(store, keys="Rw712wMJspZBczFvrG09", clock=lambda: 43_200_002)
engine = sa.create_engine("sqlite:///outbox.db")
outbox = SqlAlchemyOutbox(engine)
outbox.create_all()
outbox.job("send")(print)
with engine.begin() as connection:
    outbox.add(connection, "send", sep="")
    outbox.add(connection, "unknown")
later = AsyncSqlAlchemyOutbox(create_async_engine(
    "sqlite+aiosqlite:///outbox.db", poolclass=NullPool
))
number = 5
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "shop_of_the_cli.py").write_text(SHOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda *arguments: CliRunner().invoke(payme, ["merchant", *arguments])
    shop = sys.modules.pop("shop_of_the_cli", None)
    if shop is not None:
        shop.engine.dispose()


def test_expire(run):
    result = run("expire", "shop_of_the_cli:merchant")
    assert (result.exit_code, result.output) == (0, "found 1, expired 1, failed 0\n")
    result = run("expire", "shop_of_the_cli:merchant")
    assert result.output == "found 0, expired 0, failed 0\n"


def test_relay_says_that_one_failed(run):
    result = run("relay", "shop_of_the_cli:outbox")
    assert (result.exit_code, result.output) == (1, "\ndone 1, failed 1\n")


def test_relay_under_asyncio(run):
    result = run("relay", "shop_of_the_cli:later")
    assert (result.exit_code, result.output) == (1, "done 0, failed 2\n")


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("shop_of_the_cli", "expected MODULE:NAME"),
        ("no_such_module:merchant", "No module named 'no_such_module'"),
        ("shop_of_the_cli:nothing", "has no attribute 'nothing'"),
        ("shop_of_the_cli:number", "is int, expected a Merchant or AsyncMerchant"),
    ],
)
def test_place_is_checked(run, place, told):
    result = run("expire", place)
    assert result.exit_code == 2
    assert told in result.output


@pytest.mark.parametrize("command", ["expire", "relay"])
def test_every_is_checked(run, command):
    assert run(command, "shop_of_the_cli:merchant", "--every", "0s").exit_code == 2


def test_a_bare_number_of_every_and_json_without_an_end_are_refused(run):
    bare = run("expire", "shop_of_the_cli:merchant", "--every", "5")
    assert (bare.exit_code, 'say "5s"' in bare.output) == (2, True)
    endless = run("expire", "shop_of_the_cli:merchant", "--every", "5s", "--json")
    assert endless.exit_code == 2
    assert run("expire", "shop_of_the_cli:merchant", "--json").stdout.startswith("{")
