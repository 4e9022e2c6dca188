"""Payments with a merchant whose answers get lost, and a sandbox that dies: do they end agreed?"""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from merchant_tools import HALF_DAY, Killed, Shop
from sandbox_tools import BROKEN, GOOD, POOR, Caller, Clock

from payme.sandbox import Sandbox
from payme.sandbox.engine import payments

METHODS = [
    "CheckPerformTransaction",
    "CreateTransaction",
    "PerformTransaction",
    "CancelTransaction",
    "SetFiscalData",
]
FATES = ["ok", "refused", "timeout", "lost", "killed", "crash", (200, b"<html>"), (502, b"")]
MINUTE, HOUR = 60_000, 3_600_000

# What the merchant must have for Payme's state to be the truth.
AGREED = {0: {None}, 4: {2}, 5: {1}, 21: {-1, -2}, 50: {None, -1, -2}}


class Payments(RuleBasedStateMachine):
    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.shop = Shop(self.clock)
        self.made: dict[str, bool] = {}
        """Whether each receipt is for a hold."""
        self.open()
        self.tokens = {number: self.caller.verified(number) for number in (GOOD, POOR, BROKEN)}

    def open(self) -> None:
        path = Path(self.folder.name) / "state.db"
        sandbox = Sandbox(db=path, clock=self.clock, merchant=self.shop, merchant_pauses=(0,))
        sandbox.works.runner._connection.execute("PRAGMA synchronous = OFF")
        self.caller = Caller(sandbox)

    def reopen(self) -> None:
        self.caller.sandbox.stop()
        self.open()

    def call(self, method: str, **params: object) -> None:
        try:
            self.caller.call(method, params)
        except Killed:
            self.reopen()

    def run_due(self) -> None:
        try:
            self.caller.sandbox.merchant.run_due()
        except Killed:
            self.reopen()

    @rule(target=receipts, hold=st.booleans(), amount=st.integers(1, 10**6))
    def create(self, hold: bool, amount: int) -> str:
        receipt = self.caller.sandbox.add_receipt(amount=amount, hold=hold)
        self.made[receipt] = hold
        self.clock.advance(1)
        return receipt

    @rule(receipt=receipts, number=st.sampled_from([GOOD, GOOD, GOOD, POOR, BROKEN]))
    def pay(self, receipt: str, number: str) -> None:
        token, hold = self.tokens[number], self.made[receipt]
        self.call("receipts.pay", id=receipt, token=token, hold=hold)

    @rule(receipt=receipts)
    def cancel(self, receipt: str) -> None:
        self.call("receipts.cancel", id=receipt)

    @rule(receipt=receipts)
    def confirm(self, receipt: str) -> None:
        self.call("receipts.confirm_hold", id=receipt)

    @rule(receipt=receipts)
    def look(self, receipt: str) -> None:
        self.call("receipts.check", id=receipt)

    @rule(
        method=st.sampled_from(METHODS),
        fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=4),
    )
    def fail(self, method: str, fates: list[object]) -> None:
        self.shop.fail(method, *fates)

    @rule(can=st.booleans())
    def deliver(self, can: bool) -> None:
        self.shop.can_cancel = can

    @rule(ms=st.sampled_from([1000, MINUTE, HOUR, HALF_DAY, payments.HOLD_MS]))
    def wait(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule()
    def due(self) -> None:
        self.run_due()

    @rule()
    def restart(self) -> None:
        self.reopen()

    @invariant()
    def nobody_is_debited_twice(self) -> None:
        for receipt in self.made:
            assert self.caller.sandbox.debits(receipt) <= 1
            assert self.balance(receipt) >= 0

    def balance(self, receipt: str) -> int:
        """What the payer is without, in units of the receipt; money on hold counts."""
        signs = {"debit": 1, "hold": 1, "capture": 0, "refund": -1, "release": -1}
        return sum(signs[entry.kind] for entry in self.caller.sandbox.entries(receipt))

    def teardown(self) -> None:
        try:
            self.let_rest()
            self.check_the_end()
        finally:
            self.caller.sandbox.stop()
            self.folder.cleanup()

    def let_rest(self) -> None:
        """Let the merchant answer again, and the clock run for two days."""
        self.shop.fates.clear()
        for _ in range(48):
            self.clock.advance(HOUR)
            self.caller.sandbox.merchant.run_due()
        for receipt in self.made:
            if self.caller.sandbox.receipt(receipt).state == 20:
                self.caller.sandbox.merchant.retry(receipt)
                self.clock.advance(HOUR)
                self.caller.sandbox.merchant.run_due()

    def check_the_end(self) -> None:
        named = {row.receipt_id for row in self.caller.sandbox.merchant.reconcile()}
        disagreed = set()
        for receipt in self.made:
            state = int(self.caller.sandbox.receipt(receipt).state)
            known = self.shop.transactions.get(receipt)
            true = None if known is None else known.state
            if true not in AGREED.get(state, set()):
                disagreed.add(receipt)
            assert state in AGREED, "a payment is still under way"
            assert self.balance(receipt) == (state in {4, 5, 21})
            if known is None or not known.perform_time:
                assert state != 4
                assert state == 5 or self.balance(receipt) == 0, "debited for nothing"
        assert named == disagreed


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
