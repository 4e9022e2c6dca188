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


def steps(request, stored, way=0, performed=None):
    """The scope and the names of the steps, in order; `stored` has the id of the request."""
    gives = {
        flows.PerformWaiting: performed,
        flows.FindOrder: ORDER,
        flows.ReadTransaction: stored,
        flows.LockTransaction: stored,
        flows.Insert: True,
        flows.Update: True,
        flows.HasHook: False,
        flows.Notify: False,
    }
    flow = flows.serve(request, START)
    work = next(flow)
    for _ in range(way):
        work = flow.throw(flows.NoAnswerError())
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


def test_order_that_nobody_else_is_at_is_taken_without_a_lock():
    request = core.Create("t", START, 50_000, ACCOUNT)
    assert steps(request, None) == ["insert", "HasHook", "FindOrder", "Insert", "Notify"]


def test_order_that_is_reserved_goes_the_whole_way_before_it_is_asked_for():
    flow = flows.serve(core.Create("t", START, 50_000, ACCOUNT), START)
    work = next(flow)
    assert next(work.steps) == flows.HasHook("created")
    with pytest.raises(flows.NoAnswerError) as error:
        work.steps.send(True)
    assert flow.throw(error.value).scope == "transaction"


def test_question_whose_find_needs_a_transaction_gets_one():
    request = core.CheckPerform(50_000, ACCOUNT)
    assert steps(request, None, way=1) == ["transaction", "FindOrder", "ReadActive"]


def create_that_meets(**came):
    """What a flow does about a new transaction, when its first way goes like that."""
    flow = flows.serve(core.Create("t", START, 50_000, ACCOUNT), START)
    steps = next(flow).steps
    step = next(steps)
    try:
        while True:
            given = {"HasHook": False, **came}[type(step).__name__]
            step = steps.throw(given) if isinstance(given, Exception) else steps.send(given)
    except flows.NoAnswerError as error:
        return flow.throw(error).scope


@pytest.mark.parametrize(
    "came",
    [
        {"FindOrder": None},
        {"FindOrder": core.AccountError("order_id")},
        {"FindOrder": RuntimeError("no savepoint here")},
        {"FindOrder": replace(ORDER, state="paid")},
        {"FindOrder": ORDER, "Insert": False},
        {"FindOrder": ORDER, "Insert": RuntimeError("lost")},
    ],
)
def test_anything_else_goes_the_whole_way(came):
    assert create_that_meets(**came) == "transaction"


def test_new_transaction_looks_for_an_active_one_under_the_lock_alone():
    request = core.Create("t", START, 50_000, ACCOUNT)
    before = ["transaction", "LockTransaction", "FindOrder", "LockOrder"]
    under_lock = ["ReadTransaction", "FindOrder", "ReadActive", "Insert", "Notify"]
    assert steps(request, None, way=1) == [*before, *under_lock]


@pytest.mark.parametrize(
    ("request_", "stored", "way"), [(core.Perform("t"), STORED, 1), (core.Cancel("t", 5), PAID, 0)]
)
def test_what_rests_upon_the_order_asks_for_it_under_the_lock(request_, stored, way):
    under_lock = ["LockTransaction", "FindOrder", "Update", "Notify"]
    assert steps(request_, stored, way) == ["transaction", *under_lock]


def test_transaction_that_waits_is_stored_as_performed_with_its_lock():
    done = replace(STORED, state=core.TransactionState.PERFORMED, perform_time=START)
    at_once = ["PerformWaiting", "FindOrder", "Notify"]
    assert steps(core.Perform("t"), STORED, performed=done) == ["transaction", *at_once]


def test_store_that_needs_several_statements_goes_on_in_the_same_transaction():
    under_lock = ["PerformWaiting", "LockTransaction", "FindOrder", "Update", "Notify"]
    assert steps(core.Perform("t"), STORED) == ["transaction", *under_lock]


@pytest.mark.parametrize(
    "found",
    [
        None,
        core.AccountError("order_id"),
        replace(ORDER, id="b"),
        replace(ORDER, amount=49_999),
        replace(ORDER, state="paid"),
        replace(ORDER, state="closed"),
    ],
)
def test_order_that_changed_takes_back_what_was_performed_at_once(found):
    flow = flows.serve(core.Perform("t"), START + 1)
    work = next(flow)
    assert next(work.steps) == flows.PerformWaiting("t", START + 1, START + 1 - 43_200_000)
    done = replace(STORED, state=core.TransactionState.PERFORMED, perform_time=START + 1)
    assert work.steps.send(done) == flows.FindOrder(ACCOUNT, "PerformTransaction")
    with pytest.raises(flows.NoAnswerError) as error:
        work.steps.throw(found) if isinstance(found, Exception) else work.steps.send(found)
    again = flow.throw(error.value)
    assert (again.scope, next(again.steps)) == ("transaction", flows.LockTransaction("t"))


def test_find_that_fails_once_is_not_asked_again():
    work = next(flows.serve(core.Perform("t"), START))
    next(work.steps)
    work.steps.send(replace(STORED, state=core.TransactionState.PERFORMED, perform_time=START))
    with pytest.raises(RuntimeError, match="the shop's own"):
        work.steps.throw(RuntimeError("the shop's own"))


@pytest.mark.parametrize(
    ("request_", "stored", "change"),
    [
        (core.Perform("t"), PAID, ["PerformWaiting", "LockTransaction"]),
        (core.Cancel("t", 3), STORED, ["LockTransaction", "Update", "Notify"]),
        (core.SetFiscalData("t", "PERFORM", {}), PAID, ["LockTransaction", "Update"]),
    ],
)
def test_what_does_not_rest_upon_the_order_does_not_ask_for_it(request_, stored, change):
    assert steps(request_, stored) == ["transaction", *change]


def test_change_that_is_not_stored_is_told_to_nobody():
    work = next(flows.serve(core.Perform("t"), START))
    step = next(work.steps)
    for given in (None, STORED, ORDER):
        step = work.steps.send(given)
    assert isinstance(step, flows.Update)
    with pytest.raises(flows.ChangedMeanwhileError):
        work.steps.send(False)
