"""Which steps a request takes: each of them is a wait for the database."""

import pytest

from payme.merchant import core, flows

START = 1_700_000_000_000
ACCOUNT = {"order_id": "a"}
ORDER = core.Order(id="a", amount=50_000)
STORED = core.Transaction(
    id="t", order_id="a", time=START, amount=50_000, account=ACCOUNT, create_time=START
)


def steps(request, stored):
    """The names of the steps, in order; `stored` is the transaction with the id of the request."""
    gives = {flows.FindOrder: ORDER, flows.GetTransaction: stored}
    flow, names, came = flows.serve(request, START), [], None
    while True:
        try:
            step = flow.send(came)
        except StopIteration:
            return names
        names.append(type(step).__name__)
        came = gives.get(type(step))


def test_check_takes_no_lock():
    assert steps(core.Check("t"), STORED) == ["GetTransaction"]


def test_new_transaction_looks_for_a_holder_under_the_lock_alone():
    request = core.Create("t", START, 50_000, ACCOUNT)
    under_lock = ["GetTransaction", "FindOrder", "GetHolder", "Store"]
    assert steps(request, None) == ["GetTransaction", "FindOrder", "LockOrder", *under_lock]


@pytest.mark.parametrize("request_", [core.Perform("t"), core.Cancel("t", 3)])
def test_stored_transaction_is_read_again_under_the_lock_and_its_order_without_holder(request_):
    under_lock = ["GetTransaction", "FindOrder", "Store"]
    assert steps(request_, STORED) == ["GetTransaction", "LockOrder", *under_lock]
