"""The life of receipts against a model small enough to be right by looking at it."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sandbox_tools import BROKEN, GOOD, POOR, Caller, Clock

from payme.sandbox import Sandbox

DAY = 24 * 60 * 60 * 1000
QUEUE = 1000


@dataclass
class Model:
    hold: bool
    amount: int
    state: int = 0
    due: int | None = None
    pay_time: int = 0
    cancel_time: int = 0
    debits: int = 0
    balance: int = 0
    """What the payer has lost, in tiyin; money on hold counts as lost."""

    def apply_due(self, now: int) -> None:
        if self.due is not None and now >= self.due:
            self.state, self.cancel_time, self.due, self.balance = 50, self.due, None, 0


class Receipts(RuleBasedStateMachine):
    receipts = Bundle("receipts")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.caller = Caller(Sandbox(clock=self.clock, cancel_after_ms=QUEUE))
        self.models: dict[str, Model] = {}
        self.order: list[str] = []
        self.tokens = {number: self.caller.verified(number) for number in (GOOD, POOR, BROKEN)}

    def teardown(self) -> None:
        self.caller.sandbox.stop()

    @rule(target=receipts, hold=st.booleans(), amount=st.integers(1, 10**9))
    def create(self, hold: bool, amount: int) -> str:
        receipt = self.caller.receipt(amount, hold=hold)
        self.models[receipt] = Model(hold, amount)
        self.order.insert(0, receipt)
        self.clock.advance(1)
        return receipt

    @rule(receipt=receipts, hold=st.booleans(), number=st.sampled_from([GOOD, GOOD, POOR, BROKEN]))
    def pay(self, receipt: str, hold: bool, number: str) -> None:
        model = self.model(receipt)
        token = self.tokens[number]
        answer = self.caller.call("receipts.pay", {"id": receipt, "token": token, "hold": hold})
        if model.state != 0:
            assert answer["error"]["code"] == -31602
        elif model.hold != hold:
            assert answer["error"]["code"] == -32602
        elif number != GOOD:
            assert answer["error"]["code"] in {-31630, -32400}
        else:
            model.state = 5 if hold else 4
            model.due = self.clock.now + 30 * DAY if hold else None
            model.pay_time = 0 if hold else self.clock.now
            model.debits, model.balance = model.debits + 1, model.amount
            assert answer["result"]["receipt"]["state"] == model.state

    @rule(receipt=receipts)
    def cancel(self, receipt: str) -> None:
        model = self.model(receipt)
        got = self.caller.ok("receipts.cancel", id=receipt)["receipt"]
        if model.state == 0:
            model.state, model.cancel_time = 50, self.clock.now
        elif model.state in {4, 5}:
            model.state, model.due = 21, self.clock.now + QUEUE
        assert got["state"] == model.state

    @rule(receipt=receipts)
    def confirm(self, receipt: str) -> None:
        model = self.model(receipt)
        answer = self.caller.call("receipts.confirm_hold", {"id": receipt})
        if model.state == 5:
            model.state, model.due, model.pay_time = 4, None, self.clock.now
            assert answer["result"]["receipt"]["state"] == 4
        else:
            assert answer["error"]["code"] == -31602

    @rule(receipt=receipts)
    def read(self, receipt: str) -> None:
        model = self.model(receipt)
        got = self.caller.ok("receipts.get", id=receipt)["receipt"]
        assert got["state"] == self.caller.state(receipt) == model.state
        assert (got["pay_time"], got["cancel_time"]) == (model.pay_time, model.cancel_time)
        assert (got["card"] is not None) == (model.debits > 0)
        assert (got["processing_id"] == 0) == (model.state in {4, 5})

    @rule(receipt=consumes(receipts))
    def forget(self, receipt: str) -> None:
        """Nobody asks about it any more; its money must move all the same."""

    @rule(ms=st.sampled_from([1, QUEUE - 1, QUEUE, DAY, 30 * DAY]))
    def wait(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(count=st.integers(0, 5), offset=st.integers(0, 5))
    def page(self, count: int, offset: int) -> None:
        got = [(one["_id"], one["state"]) for one in self.caller.all(count=count, offset=offset)]
        expected = self.order[offset : offset + count]
        assert got == [(receipt, self.model(receipt).state) for receipt in expected]

    @invariant()
    def money_is_where_it_should_be(self) -> None:
        balance = dict.fromkeys(self.models, 0)
        signs = {"debit": 1, "hold": 1, "capture": 0, "refund": -1, "release": -1}
        for entry in self.caller.sandbox.ledger():
            balance[entry.receipt_id] += signs[entry.kind] * entry.amount
        for receipt in self.models:
            model = self.model(receipt)
            assert balance[receipt] == model.balance
            assert self.caller.sandbox.debits(receipt) == model.debits <= 1

    def model(self, receipt: str) -> Model:
        self.models[receipt].apply_due(self.clock.now)
        return self.models[receipt]


TestReceipts = Receipts.TestCase
TestReceipts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
