"""The rules of the Merchant API: one test per row of the condition matrix."""

import copy
import pickle

import pytest
from msgspec.structs import replace

from payme.errors.catalogue import Text
from payme.merchant import core, decisions
from payme.merchant.core import (
    CANNOT_CANCEL,
    CANNOT_PERFORM,
    EXPIRY_MS,
    UNKNOWN_RECEIPT,
    UNKNOWN_TRANSACTION,
    WRONG_AMOUNT,
    AccountError,
    Order,
    Reason,
    Receiver,
    Refusal,
    Transaction,
    TransactionState,
    decide,
)

NOW = 1_700_000_000_000
ID, OTHER = "63119becc4420cbf2712a24c", "63119303c4420cbf2712a245"
ACCOUNT = {"order_id": "7"}
ORDER = Order(id="7", amount=50_000)

CREATED = Transaction(
    id=ID, order_id="7", time=NOW - 1000, amount=50_000, account=ACCOUNT, create_time=NOW - 900
)
EXPIRED = replace(CREATED, time=NOW - EXPIRY_MS - 1)
PERFORMED = replace(CREATED, state=TransactionState.PERFORMED, perform_time=NOW - 800)
CANCELLED = replace(CREATED, state=TransactionState.CANCELLED, cancel_time=NOW - 700, reason=3)
REFUNDED = replace(PERFORMED, state=TransactionState.REFUNDED, cancel_time=NOW - 600, reason=5)

CREATE = core.Create(ID, CREATED.time, 50_000, ACCOUNT)
NEW = core.Create(OTHER, NOW - 10, 50_000, ACCOUNT)


def code(decision):
    return decision.answer.code if isinstance(decision.answer, Refusal) else None


def only_refused(decision):
    assert decision.writes == ()
    return decision.answer.code


def only(decision):
    [write] = decision.writes
    return write.transaction, write.event


# CheckPerformTransaction


def test_check_perform_allows_a_waiting_order():
    assert decide(core.CheckPerform(50_000, ACCOUNT), ORDER, None, NOW).answer == {"allow": True}


def test_check_perform_carries_what_the_payer_is_to_see():
    order = replace(ORDER, additional={"name": "Non"}, detail={"receipt_type": 0, "items": []})
    assert decide(core.CheckPerform(50_000, ACCOUNT), order, None, NOW).answer == {
        "allow": True,
        "additional": {"name": "Non"},
        "detail": {"receipt_type": 0, "items": []},
    }


@pytest.mark.parametrize("amount", [49_999, 50_001, 0, -50_000, 50_000.5, float("inf"), 1e300])
def test_wrong_amount_is_refused_by_both_methods(amount):
    for request in (core.CheckPerform(amount, ACCOUNT), replace(NEW, amount=amount)):
        decision = decide(request, ORDER, None, NOW)
        assert decision.answer is WRONG_AMOUNT
        assert decision.writes == ()


def test_unknown_order_is_an_account_error():
    for request in (core.CheckPerform(50_000, ACCOUNT), NEW):
        refusal = decide(request, None, None, NOW).answer
        assert refusal.code in range(-31099, -31049)
        assert all(refusal.message)


@pytest.mark.parametrize(
    ("order", "asked", "created"),
    [
        (replace(ORDER, state="paid"), -31051, -31008),
        (replace(ORDER, active_transaction=CREATED), -31052, -31008),
        (replace(ORDER, state="closed"), -31053, -31053),
    ],
)
def test_order_that_is_not_free_is_refused(order, asked, created):
    assert code(decide(core.CheckPerform(50_000, ACCOUNT), order, None, NOW)) == asked
    decision = decide(NEW, order, None, NOW)
    assert code(decision) == created
    assert decision.writes == ()


@pytest.mark.parametrize(
    ("account", "field"),
    [({"phone": "1", "city": "2"}, "phone"), ({"city": "2", "phone": "1"}, "city"), ({}, None)],
)
def test_first_field_that_came_is_blamed_unless_the_order_names_another(account, field):
    closed = replace(ORDER, state="closed")
    for request in (core.CheckPerform(50_000, account), replace(NEW, account=account)):
        assert decide(request, None, None, NOW).answer.data == field
        assert decide(request, closed, None, NOW).answer.data == field
        named = replace(closed, field="contract")
        assert decide(request, named, None, NOW).answer.data == "contract"
    for state in ({"state": "paid"}, {"active_transaction": CREATED}):
        asked = core.CheckPerform(50_000, account)
        assert decide(asked, replace(ORDER, **state), None, NOW).answer.data == field


def test_account_error_survives_a_process_pool():
    text = Text("Bloklangan.", "Заблокирован.", "Blocked.")
    error = AccountError("phone", text, -31_060)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert again.refusal == error.refusal == Refusal(-31_060, text, "phone")
        assert str(again) == "phone"


def test_cumulative_account_takes_any_amount_within_its_limits_any_number_of_times():
    account = Order(id="p", cumulative=True, min_amount=1_000, max_amount=9_000, state="paid")
    for amount, expected in ((999, -31001), (1_000, None), (9_000, None), (9_001, -31001)):
        assert code(decide(core.CheckPerform(amount, ACCOUNT), account, None, NOW)) == expected
        busy = replace(account, active_transaction=CREATED)
        assert code(decide(replace(NEW, amount=amount), busy, None, NOW)) == expected


def test_top_up_of_an_account_leaves_its_other_attempts_alone():
    account = Order(id="p", cumulative=True, active_transaction=CREATED)
    decision = decide(NEW, account, None, NOW)
    assert [write.transaction.id for write in decision.writes] == [OTHER]


# CreateTransaction


def test_create_stores_and_answers_what_it_stored():
    decision = decide(CREATE, ORDER, None, NOW)
    stored, event = only(decision)
    assert event == "created"
    assert stored == replace(CREATED, create_time=NOW)
    assert decision.answer == {"create_time": NOW, "transaction": ID, "state": 1}


def test_create_names_the_receivers_of_a_split_payment():
    order = replace(ORDER, receivers=(Receiver("a" * 24, 20_000), Receiver("b" * 24, 30_000)))
    decision = decide(CREATE, order, None, NOW)
    assert decision.answer["receivers"] == [
        {"id": "a" * 24, "amount": 20_000},
        {"id": "b" * 24, "amount": 30_000},
    ]


def test_repeated_create_answers_identically_and_stores_nothing():
    first = decide(CREATE, ORDER, None, NOW)
    stored = first.writes[0].transaction
    again = decide(CREATE, replace(ORDER, active_transaction=stored), stored, NOW + 5000)
    assert again.answer == first.answer
    assert again.writes == ()


@pytest.mark.parametrize(
    "changes", [{"amount": 1}, {"time": NOW}, {"account": {"order_id": "8"}}], ids=str
)
def test_create_with_a_known_id_and_other_params_is_no_repetition(changes):
    decision = decide(replace(CREATE, **changes), ORDER, CREATED, NOW)
    assert decision.answer is CANNOT_PERFORM
    assert decision.writes == ()


def test_repeated_create_after_twelve_hours_times_out():
    decision = decide(replace(CREATE, time=EXPIRED.time), ORDER, EXPIRED, NOW)
    assert decision.answer is CANNOT_PERFORM
    stored, event = only(decision)
    assert (stored.state, stored.reason, stored.cancel_time) == (-1, 4, NOW)
    assert event == "released"


def test_create_takes_over_an_order_whose_holder_timed_out():
    decision = decide(NEW, replace(ORDER, active_transaction=EXPIRED), None, NOW)
    freed, created = decision.writes
    assert (freed.transaction.id, freed.transaction.state, freed.event) == (ID, -1, "released")
    assert (created.transaction.id, created.transaction.state) == (OTHER, 1)
    assert decision.answer["state"] == 1


def test_create_that_is_older_than_twelve_hours_reserves_nothing():
    decision = decide(replace(NEW, time=NOW - EXPIRY_MS - 1), ORDER, None, NOW)
    assert decision.answer is CANNOT_PERFORM
    assert decision.writes == ()


def test_twelve_hours_to_the_millisecond_are_not_over():
    waiting = replace(CREATED, time=NOW - EXPIRY_MS)
    assert code(decide(core.Perform(ID), ORDER, waiting, NOW)) is None


@pytest.mark.parametrize("stored", [PERFORMED, CANCELLED, REFUNDED])
def test_create_of_a_finished_transaction_is_refused(stored):
    assert decide(CREATE, ORDER, stored, NOW).answer is CANNOT_PERFORM


# PerformTransaction


def test_perform_releases_the_goods_once():
    decision = decide(core.Perform(ID), replace(ORDER, active_transaction=CREATED), CREATED, NOW)
    stored, event = only(decision)
    assert event == "paid"
    assert (stored.state, stored.perform_time) == (2, NOW)
    assert decision.answer == {"transaction": ID, "perform_time": NOW, "state": 2}
    again = decide(core.Perform(ID), replace(ORDER, state="paid"), stored, NOW + 9)
    assert again.answer == decision.answer
    assert again.writes == ()


def test_perform_after_twelve_hours_times_out_and_releases_no_goods():
    decision = decide(core.Perform(ID), ORDER, EXPIRED, NOW)
    assert decision.answer is CANNOT_PERFORM
    assert [write.event for write in decision.writes] == ["released"]


@pytest.mark.parametrize("stored", [CANCELLED, REFUNDED])
def test_perform_after_cancel_is_refused(stored):
    decision = decide(core.Perform(ID), ORDER, stored, NOW)
    assert decision.answer is CANNOT_PERFORM
    assert decision.writes == ()


@pytest.mark.parametrize(
    "order",
    [
        None,
        replace(ORDER, state="closed"),
        replace(ORDER, state="paid"),
        replace(ORDER, amount=60_000),
    ],
)
def test_perform_of_an_order_that_changed_meanwhile_is_refused(order):
    decision = decide(core.Perform(ID), order, CREATED, NOW)
    assert decision.answer is CANNOT_PERFORM
    assert decision.writes == ()


# CancelTransaction


@pytest.mark.parametrize("stored", [CREATED, EXPIRED])
def test_cancelled_attempt_frees_the_order(stored):
    decision = decide(core.Cancel(ID, 3), ORDER, stored, NOW)
    gone, event = only(decision)
    assert event == "released"
    assert (gone.state, gone.reason) == (-1, 3)
    assert decision.answer == {"transaction": ID, "cancel_time": NOW, "state": -1}


def test_refund_takes_the_paid_order_back_once():
    order = replace(ORDER, state="paid")
    decision = decide(core.Cancel(ID, 5), order, PERFORMED, NOW)
    gone, event = only(decision)
    assert event == "cancelled"
    assert (gone.state, gone.reason, gone.perform_time) == (-2, 5, PERFORMED.perform_time)
    again = decide(core.Cancel(ID, 5), order, gone, NOW + 9)
    assert again.answer == decision.answer
    assert again.writes == ()


def test_order_that_was_handed_over_can_t_be_refunded():
    order = replace(ORDER, state="paid", refundable=False)
    decision = decide(core.Cancel(ID, 5), order, PERFORMED, NOW)
    assert decision.answer is CANNOT_CANCEL
    assert decision.writes == ()


MISSING = [None, replace(ORDER, id="8", refundable=True)]


@pytest.mark.parametrize("order", MISSING)
def test_account_that_names_another_order_now_pays_none(order):
    decision = decide(core.Perform(ID), order, CREATED, NOW)
    assert (decision.answer, decision.writes) == (CANNOT_PERFORM, ())


@pytest.mark.parametrize("order", MISSING)
def test_order_that_is_not_found_is_not_refunded_unless_the_merchant_wants_it(order):
    refund = core.Cancel(ID, 5)
    decision = decide(refund, order, PERFORMED, NOW)
    assert (decision.answer, decision.writes) == (CANNOT_CANCEL, ())
    decision = decide(refund, order, PERFORMED, NOW, refund_missing=True)
    assert only(decision)[1] == "cancelled"
    kept = replace(ORDER, refundable=False)
    assert decide(refund, kept, PERFORMED, NOW, refund_missing=True).answer is CANNOT_CANCEL


def test_attempt_at_an_order_that_is_not_found_is_cancelled_all_the_same():
    assert only(decide(core.Cancel(ID, 3), None, CREATED, NOW))[1] == "released"


@pytest.mark.parametrize("state", ["waiting", "closed"])
def test_paid_order_is_known_to_be_paid_whatever_find_says(state):
    order = replace(ORDER, state=state, active_transaction=PERFORMED)
    asked = decide(core.CheckPerform(50_000, ACCOUNT), order, None, NOW).answer
    assert asked.code == {"waiting": -31051, "closed": -31053}[state]
    assert (
        only_refused(decide(NEW, order, None, NOW)) == {"waiting": -31008, "closed": -31053}[state]
    )


def test_goods_that_are_not_refundable_do_not_keep_an_attempt_alive():
    order = replace(ORDER, refundable=False)
    assert code(decide(core.Cancel(ID, 2), order, CREATED, NOW)) is None


# CheckTransaction, and ids that nobody knows


@pytest.mark.parametrize("stored", [CREATED, EXPIRED, PERFORMED, CANCELLED, REFUNDED])
def test_check_reports_and_changes_nothing(stored):
    decision = decide(core.Check(ID), ORDER, stored, NOW)
    assert decision.writes == ()
    assert decision.answer == {
        "create_time": stored.create_time,
        "perform_time": stored.perform_time,
        "cancel_time": stored.cancel_time,
        "transaction": ID,
        "state": int(stored.state),
        "reason": stored.reason,
    }


@pytest.mark.parametrize("request_", [core.Perform(ID), core.Cancel(ID, 1), core.Check(ID)])
def test_unknown_transaction_is_refused(request_):
    assert decide(request_, None, None, NOW).answer is UNKNOWN_TRANSACTION


# SetFiscalData


def test_fiscal_receipts_of_payment_and_refund_are_both_kept():
    first = decide(core.SetFiscalData(ID, "PERFORM", {"receipt_id": 1}), None, PERFORMED, NOW)
    stored, event = only(first)
    second = decide(core.SetFiscalData(ID, "CANCEL", {"receipt_id": 2}), None, stored, NOW)
    assert event is None
    assert first.answer == second.answer == {"success": True}
    assert second.writes[0].transaction.fiscal == {
        "PERFORM": {"receipt_id": 1},
        "CANCEL": {"receipt_id": 2},
    }
    assert PERFORMED.fiscal == {}


def test_fiscal_data_of_an_unknown_receipt_is_refused():
    request = core.SetFiscalData(ID, "PERFORM", {})
    assert decide(request, None, None, NOW).answer is UNKNOWN_RECEIPT


# The rest


def test_every_table_has_a_rule_for_every_stage():
    stages = {core.stage(stored, NOW) for stored in (None, CREATED, EXPIRED, PERFORMED)}
    stages |= {core.stage(stored, NOW) for stored in (CANCELLED, REFUNDED)}
    assert len(stages) == 6
    assert all(set(table) == stages for table in decisions._RULES.values())


@pytest.mark.parametrize("request_", [core.Statement(0, 1), core.ChangePassword("x")])
def test_what_is_not_decided_is_a_mistake_of_the_caller(request_):
    with pytest.raises(TypeError):
        decide(request_, None, None, NOW)


@pytest.mark.parametrize("number", [-31049, -31100, 0])
def test_account_error_stays_in_its_range(number):
    with pytest.raises(ValueError, match="-31099 to -31050"):
        AccountError("order_id", code=number)
    assert AccountError("order_id", code=-31099).refusal.data == "order_id"


def test_statement_row_has_the_members_of_payme_s_page():
    row = core.statement_row(REFUNDED)
    assert row == {
        "id": ID,
        "time": REFUNDED.time,
        "amount": 50_000,
        "account": ACCOUNT,
        "create_time": REFUNDED.create_time,
        "perform_time": REFUNDED.perform_time,
        "cancel_time": REFUNDED.cancel_time,
        "transaction": ID,
        "state": -2,
        "reason": 5,
        "receivers": None,
    }
    assert Reason(5) is Reason.REFUND
