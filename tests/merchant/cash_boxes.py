"""What a store of several cash-boxes has to do, told as requests to two shops on one store.

Each scenario gets the two shops, `of(order_id, box)`, which asks the store, and `sweep(box)`, which
cancels what waited too long.
"""

import pytest
from scenarios import START, code, number

from payme.merchant import Expired

FIRST, SECOND = "", "5e730e8e0b852a417aa49ceb"


def transaction_of_another_is_not_found(first, second, of, sweep):
    created = first.create(1)
    for answer in (second.check(1), second.perform(1), second.cancel(1)):
        assert code(answer) == -31003
    fiscal = {"id": number(1), "type": "PERFORM", "fiscal_data": {"receipt_id": 1}}
    assert code(second.call("SetFiscalData", **fiscal)) == -32001
    assert first.create(1) == created
    assert first.perform(1)["result"]["state"] == 2
    assert code(second.cancel(1, reason=5)) == -31003
    assert first.events() == [("paid", "a")]


def one_id_is_two_transactions(first, second, of, sweep):
    first.create(1, "a")
    assert second.create(1, "b")["result"]["state"] == 1
    assert second.create(2, "a")["result"]["state"] == 1
    assert second.cancel(2)["result"]["state"] == -1
    assert second.perform(1)["result"]["state"] == 2
    assert first.check(1)["result"]["state"] == 1
    assert first.cancel(1)["result"]["state"] == -1
    assert second.check(1)["result"]["state"] == 2
    assert first.events() == [("released", "a"), ("paid", "b"), ("released", "a")]


def orders_of_one_name_do_not_block_each_other(first, second, of, sweep):
    check = {"amount": 50_000, "account": {"order_id": "a"}}
    first.create(1)
    assert second.call("CheckPerformTransaction", **check)["result"] == {"allow": True}
    assert second.create(2)["result"]["state"] == 1
    assert code(first.create(3)) == code(second.create(3)) == -31008
    assert first.perform(1)["result"]["state"] == 2
    first.forget("a")
    # Each remembers what was paid by itself, whatever `find` says.
    assert code(first.call("CheckPerformTransaction", **check)) == -31051
    assert code(second.call("CheckPerformTransaction", **check)) == -31052
    assert second.cancel(2)["result"]["state"] == -1
    assert second.create(4)["result"]["state"] == 1


def statements_list_their_own(first, second, of, sweep):
    first.create(1, "a")
    second.create(2, "a")
    second.create(3, "b")
    assert [row["id"] for row in first.statement()] == [number(1)]
    assert [row["id"] for row in second.statement()] == [number(2), number(3)]


def expired_attempt_of_another_gives_no_way(first, second, of, sweep):
    first.create(1)
    second.create(2)
    first.now = second.now = START + 43_200_001
    assert second.create(3)["result"]["state"] == 1
    assert (first.check(1)["result"]["state"], second.check(2)["result"]["state"]) == (1, -1)
    assert first.events() == [("released", "a")]


def sweep_cancels_its_own(first, second, of, sweep):
    first.create(1, "a")
    second.create(2, "a")
    second.create(3, "b")
    first.now = second.now = START + 43_200_001
    assert sweep(FIRST) == Expired(found=1, expired=1, failed=0)
    assert [row["state"] for row in first.statement() + second.statement()] == [-1, 1, 1]
    assert sweep(SECOND) == Expired(found=2, expired=2, failed=0)
    assert [row["state"] for row in second.statement()] == [-1, -1]


def transactions_of_an_order_are_listed(first, second, of, sweep):
    first.create(2)
    first.cancel(2)
    first.now += 1
    first.create(1)
    second.create(7)
    second.create(8, "b")
    second.perform(7)
    mine = [(number(2), -1), (number(1), 1)]
    assert [(one.id, one.state) for one in of("a", FIRST)] == mine
    assert [(one.id, one.state, one.box) for one in of("a", SECOND)] == [(number(7), 2, SECOND)]
    every = [(one.time, one.box, one.id) for one in of("a", None)]
    assert every == [
        (START, FIRST, number(2)),
        (START, SECOND, number(7)),
        (START + 1, FIRST, number(1)),
    ]
    assert of("A", None) == of("a ", None) == of("zz", FIRST) == []


BOX_SCENARIOS = [
    transaction_of_another_is_not_found,
    one_id_is_two_transactions,
    orders_of_one_name_do_not_block_each_other,
    statements_list_their_own,
    expired_attempt_of_another_gives_no_way,
    sweep_cancels_its_own,
    transactions_of_an_order_are_listed,
]

every_box_scenario = pytest.mark.parametrize(
    "scenario", BOX_SCENARIOS, ids=lambda one: one.__name__
)
