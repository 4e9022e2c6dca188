"""The table of a payment's steps: nothing is missing in it, and no row loses money."""

from itertools import product
from random import Random
from typing import get_args

import pytest
from merchant_tools import Shop
from sandbox_tools import GOOD, Caller, Clock

from payme.protocol.states import TRANSITIONS, ReceiptState
from payme.sandbox import Sandbox
from payme.sandbox.engine import Config, Engine, payment_table, payments
from payme.sandbox.engine.model import PaymentStep, Receipt
from payme.sandbox.engine.payment_table import ROWS, Row, find_row
from payme.sandbox.store import SqliteState, connect

S = ReceiptState

REASONS = (2, 3, 4, 5)


def following(row: Row, state: ReceiptState) -> list[tuple[str, ReceiptState, int]]:
    """List the steps that may be taken after a row, in which state and for which reason."""
    after = row.path[-1] if row.path else state
    if row.then == "again":
        return [(row.step, after, reason) for reason in sorted(row.because)]
    steps = [row.then] if row.then else []
    # Nothing by itself, but somebody may ask for more, or the end of a hold may come.
    if after in payment_table.ON_ITS_OWN and row.then is None:
        steps.append(payment_table.ON_ITS_OWN[after])
    return [(step, after, row.reason) for step in steps]


def reachable() -> set[tuple[str, ReceiptState, int]]:
    """Walk the table from what a client may ask for."""
    todo = {("create", S.BILLING_CREATE, 0), ("expire", S.CREATED, 0), ("cancel", S.CREATED, 5)}
    known: set[tuple[str, ReceiptState, int]] = set()
    while todo:
        step, state, reason = todo.pop()
        known.add((step, state, reason))
        for row in ROWS:
            if row.step == step and state in row.before and (not reason or reason in row.because):
                after = row.path[-1] if row.path else state
                asked = {("cancel", after, 5)} if after not in payments.UNDERWAY else set()
                if after is S.HELD:
                    asked.add(("perform", after, 0))
                if after is S.SUSPENDED:
                    asked.add(("perform", S.BILLING_PERFORM, 0))
                todo |= ({*following(row, state)} | asked) - known
    return known


# What can come of each step; a merchant's silence ends `cancel` only where there is a time for it.
OUTCOMES: dict[str, tuple[str, ...]] = {
    "create": ("done", "refused", "unheard"),
    "debit": ("done", "refused"),
    "perform": ("done", "refused", "unheard", "late"),
    "cancel": ("done", "performed", "unheard"),
}


def test_every_step_that_a_payment_can_come_to_has_a_row_for_each_outcome() -> None:
    found = reachable()
    assert {step for step, _, _ in found} == set(get_args(PaymentStep))
    for step, state, reason in found:
        # An unpaid receipt has no transaction, so nobody is asked; a queued refund has no end.
        outcomes = ("done",) if state is S.CREATED else OUTCOMES.get(step, ("done",))
        for outcome, hold in product(outcomes, (False, True)):
            assert find_row(step, outcome, state, reason, hold=hold), (step, outcome, state, reason)  # type: ignore[arg-type]


def test_a_row_that_gives_up_exists_wherever_a_time_is_set() -> None:
    # Twelve hours are set for reason 4, and for what is asked again once the money is back.
    for state in (S.BILLING_PERFORM, S.PERFORM_QUEUED, S.HELD, S.CANCELLED):
        assert find_row("cancel", "late", state, 4, hold=False)
    for reason in (2, 3):
        assert find_row("cancel", "late", S.CANCELLED, reason, hold=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.step}-{row.outcome}-{row.then}")
def test_the_money_is_where_the_state_says_that_it_is(row: Row) -> None:
    held_or_taken = {S.BILLING_PERFORM, S.PERFORM_QUEUED, S.SUSPENDED, S.PAID, S.HELD}
    for state in row.before:
        after = row.path[-1] if row.path else state
        out_before = state in held_or_taken or state is S.CANCEL_QUEUED
        out_after = after in held_or_taken or after is S.CANCEL_QUEUED
        if row.money in {"debit", "hold"}:
            assert not out_before
            assert out_after
        elif row.money in {"give back", "release"}:
            assert out_before
            assert after is S.CANCELLED
        elif row.money == "capture":
            assert (state, after) == (S.HELD, S.PAID)
        else:
            assert out_before == out_after, "money came or went without an entry"


def test_nothing_is_refunded_while_the_merchant_may_say_that_it_performed() -> None:
    for row in ROWS:
        if row.money == "give back" and row.step != "finish":
            # Only after it refused to perform itself.
            assert row.because <= {2, 3}


def test_rows_that_contradict_one_another_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Row("fiscal", "done", frozenset({S.PAID}))
    monkeypatch.setattr(payment_table, "ROWS", (*ROWS, twice))
    with pytest.raises(AssertionError, match="two rows"):
        payment_table._indexed()
    astray = Row("expire", "refused", frozenset({S.CREATED}), (S.PAID,))
    monkeypatch.setattr(payment_table, "ROWS", (*ROWS, astray))
    with pytest.raises(AssertionError, match="does not go"):
        payment_table._indexed()
    assert S.PAID not in TRANSITIONS[S.CREATED]


def test_a_step_that_ends_as_the_table_does_not_have_it_fails_loudly() -> None:
    engine, connection = Engine(Config(merchant_id="m", key="k"), Random(1)), connect(None)
    receipt = Receipt(
        id="a" * 24, number=1, create_time=1, amount=1, account={}, state=S.PAID, due_at=1
    )
    call = engine._call(SqliteState(connection), 1)
    with pytest.raises(AssertionError, match="withdraw does not end late in state 4"):
        payments._follow(call, receipt, "late")
    connection.close()


def test_a_payment_without_a_delay_is_paid_at_once_with_or_without_a_billing(clock: Clock) -> None:
    for options in ({}, {"progression": "clock:0s"}, {"merchant": Shop(clock)}):
        sandbox = Sandbox(clock=clock, **options)  # type: ignore[arg-type]
        caller = Caller(sandbox)
        receipt = caller.receipt()
        answer = caller.ok("receipts.pay", id=receipt, token=caller.verified(GOOD))
        assert answer["receipt"]["state"] == 4, options
        assert [entry.kind for entry in sandbox.entries(receipt)] == ["debit"]
        sandbox.stop()


def test_a_receipt_that_was_paid_without_a_billing_is_refunded_without_asking_one(
    clock: Clock, tmp_path
) -> None:
    path = tmp_path / "state.db"
    sandbox = Sandbox(db=path, clock=clock)
    receipt = Caller(sandbox).paid()
    sandbox.stop()
    shop = Shop(clock)
    sandbox = Sandbox(db=path, clock=clock, merchant=shop)
    assert Caller(sandbox).ok("receipts.cancel", id=receipt)["receipt"]["state"] == 21
    clock.advance(1000)
    sandbox.merchant.run_due()
    assert [entry.kind for entry in sandbox.entries(receipt)] == ["debit", "refund"]
    assert shop.methods() == []
    sandbox.stop()
