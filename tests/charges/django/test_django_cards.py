"""`DjangoCards` keep the contract of saved cards, on SQLite, PostgreSQL and MariaDB.

The contract is `tests/wallet/test_card_ledger.py`: what it asks of any ledger is asked of this one,
too, by the same functions.
"""

import pytest
from conftest_of_charges import shared
from django.db import OperationalError, transaction

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


class TakenBack:
    """Work that a database takes back some times before it is done."""

    def __init__(self, times, error=(1213, "Deadlock found")):
        self.left, self.error, self.begun = times, error, 0

    def __call__(self):
        self.begun += 1
        if self.begun <= self.left:
            raise OperationalError(*self.error)
        return "done"


def test_what_a_deadlock_took_back_is_done_again(alias, ledger):
    repeating = ledger._inner._database.repeating
    assert repeating(TakenBack(4)) == "done"
    for work in (TakenBack(5), TakenBack(1, (2013, "Lost connection"))):
        with pytest.raises(OperationalError):
            repeating(work)
    assert work.begun == 1


def test_inside_of_another_transaction_a_deadlock_is_told(alias, ledger):
    work = TakenBack(1)
    with pytest.raises(OperationalError), transaction.atomic(using=alias):
        ledger._inner._database.repeating(work)
    assert work.begun == 1
