"""`DjangoCards` keep the contract of saved cards, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/wallet/test_card_ledger.py`: what it asks of any ledger is asked of this one,
too, by the same functions.
"""

import pytest
from conftest_of_charges import shared

from wallet import test_card_ledger as contract

SHARED = shared(contract, {"ledger", "cards", "two", "monkeypatch"})
globals().update(SHARED)


@pytest.fixture
def two(alias, ledger):
    """Two cards of one customer; the first is the default."""
    add = ledger._inner.cards.add
    second = contract.new(n=2, number=contract.OTHER_NUMBER, now=1001.0)
    return add(contract.new()), add(second)


def test_the_contract_is_found():
    """A suite that is empty passes, too."""
    assert len(SHARED) >= 25
    assert {
        "test_the_same_card_bound_again_is_kept_once_with_its_newest_token",
        "test_many_adds_at_once_keep_one_card",
        "test_all_choose_at_once_and_one_is_the_default",
        "test_no_payment_begins_once_a_removal_has",
        "test_a_token_that_is_unknown_marks_the_card_beside_the_refusal",
    } <= {*SHARED}
