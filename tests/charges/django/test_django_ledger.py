"""`DjangoLedger` keeps the contract of ledgers, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/charges/test_ledger.py`: what it asks of any ledger is asked of this one,
too, by the same functions.
"""

import pytest
from conftest_of_charges import shared

from charges import test_ledger as contract

# What SQLAlchemy has and the ORM does not: its connection is handed over.
_OTHERS = {"test_a_charge_is_stored_beside_the_order_or_not_at_all"}
_GIVEN = {"ledger", "open_ledger", "monkeypatch"}


SHARED = shared(contract, _GIVEN, _OTHERS)
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
