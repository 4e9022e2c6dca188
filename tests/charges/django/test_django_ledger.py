"""`DjangoLedger` keeps the contract of ledgers, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/charges/test_ledger.py`: what it asks of any ledger is asked of this one,
too, by the same functions.
"""

import asyncio
import functools
import inspect

import pytest

from charges import test_ledger as contract

# What SQLAlchemy has and the ORM does not: its connection is handed over.
_OTHERS = {"test_a_charge_is_stored_beside_the_order_or_not_at_all"}
_GIVEN = {"ledger", "open_ledger", "monkeypatch"}


def _parameters(test):
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    for mark in marks:
        names = mark.args[0]
        yield from names.replace(" ", "").split(",") if isinstance(names, str) else names


def _is_shared(name, test):
    return (
        name.startswith("test_")
        and name not in _OTHERS
        and inspect.iscoroutinefunction(test)
        and {*inspect.signature(test).parameters} <= _GIVEN | {*_parameters(test)}
    )


def _blocking(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


SHARED = {name: _blocking(test) for name, test in vars(contract).items() if _is_shared(name, test)}
globals().update(SHARED)


@pytest.fixture(autouse=True)
def _fewer_races(monkeypatch):
    monkeypatch.setattr(contract, "RACE", 100)


def test_the_contract_is_found():
    """A suite that is empty passes, too."""
    assert len(SHARED) >= 15
    assert {
        "test_the_same_id_is_the_same_charge",
        "test_who_comes_late_changes_nothing",
        "test_of_two_that_race_one_wins_each_time",
        "test_two_owners_never_get_the_same_charge",
        "test_a_lease_runs_out_and_is_taken_over",
    } <= {*SHARED}
