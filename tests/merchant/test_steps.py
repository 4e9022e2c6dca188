"""Which steps a request takes: each of them is a wait for the database."""

import pytest
from msgspec.structs import replace

from payme.merchant import core, flows

START = 1_700_000_000_000
ACCOUNT = {"order_id": "a"}
ORDER = core.Order(id="a", amount=50_000)
STORED = core.Transaction(
    id="t", order_id="a", time=START, amount=50_000, account=ACCOUNT, create_time=START
)
PAID = replace(STORED, state=core.TransactionState.PERFORMED)


def steps(request, stored):
    """The scope and the names of the steps, in order; `stored` has the id of the request."""
    gives = {
        flows.FindOrder: ORDER,
        flows.ReadTransaction: stored,
        flows.LockTransaction: stored,
        flows.Insert: True,
        flows.Update: True,
        flows.Notify: False,
    }
    work = next(flows.serve(request, START))
    names, came = [work.scope], None
    while True:
        try:
            step = work.steps.send(came)
        except StopIteration:
            return names
        names.append(type(step).__name__)
        came = gives.get(type(step))


def test_check_takes_no_lock_and_opens_no_transaction():
    assert steps(core.Check("t"), STORED) == ["read", "ReadTransaction"]


def test_question_about_an_order_takes_no_lock_and_opens_no_transaction():
    request = core.CheckPerform(50_000, ACCOUNT)
    assert steps(request, None) == ["read", "FindOrder", "ReadActive"]


def test_new_transaction_looks_for_an_active_one_under_the_lock_alone():
    request = core.Create("t", START, 50_000, ACCOUNT)
    before = ["transaction", "LockTransaction", "FindOrder", "LockOrder"]
    assert steps(request, None) == [*before, "ReadTransaction", "FindOrder", "ReadActive", "Insert"]


@pytest.mark.parametrize(
    ("request_", "stored"), [(core.Perform("t"), STORED), (core.Cancel("t", 5), PAID)]
)
def test_what_rests_upon_the_order_asks_for_it_under_the_lock(request_, stored):
    under_lock = ["LockTransaction", "FindOrder", "Update", "Notify"]
    assert steps(request_, stored) == ["transaction", *under_lock]


@pytest.mark.parametrize(
    ("request_", "stored", "change"),
    [
        (core.Perform("t"), PAID, []),
        (core.Cancel("t", 3), STORED, ["Update", "Notify"]),
        (core.SetFiscalData("t", "PERFORM", {}), PAID, ["Update"]),
    ],
)
def test_what_does_not_rest_upon_the_order_does_not_ask_for_it(request_, stored, change):
    assert steps(request_, stored) == ["transaction", "LockTransaction", *change]
