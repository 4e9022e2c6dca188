"""A Payme for charges: receipts, a line that loses and delays, and a process that is killed."""

import contextlib
import itertools
import json
from typing import NamedTuple

from payme import flow as driver
from payme.charges import core
from payme.charges.core import Charge, ChargeState, Means, Overtaken, Policy, Save
from payme.protocol.flows import Credentials, Limits, Runtime, Session, Sleep
from payme.redact import Secret
from payme.transport.base import Reply, TransportError

OK, LOST, UNHEARD, LATE_1, LATE_2, DIES_BEFORE, DIES_AFTER = KINDS = (
    "ok",
    "request lost",
    "answer lost",
    "late by one",
    "late by two",
    "dies before",
    "dies after",
)
POLICY = Policy(ask_for=0.3, look_for=0.1, max_receipts=3, max_tries=6, longest_pause=5.0)
MEANS = Means(Secret("63119784d15d8d8d093b37b8_token"))


class World(NamedTuple):
    """How card, billing and Payme behave."""

    card_pays: bool = True
    takes_back: bool = True
    refuses_second_pay: bool = True

    def __str__(self) -> str:
        return "-".join(name for name, holds in self._asdict().items() if not holds) or "plain"


class Killed(BaseException):
    """The process is killed here."""


class Same(BaseException):
    """The schedule does what another one does: a write loses and delays nothing."""


class Refused(Exception):
    pass


class Model:
    """Payme's side of one charge, and the line to it."""

    def __init__(self, schedule, world, lenient=False):
        self.lenient = lenient
        self.schedule = iter(schedule)
        self.world = world
        self.states = {}
        self.debits = {}
        self.late = []
        self.now = 1000.0
        self.calls = []
        self.most_at_once = 0
        self.met = 0

    def fault(self):
        self.met += 1
        return next(self.schedule, OK)

    # Payme.

    def execute(self, method, params):
        self.calls.append(method)
        if method == "receipts.create":
            receipt = f"{len(self.states):024x}"
            self.states[receipt] = 0
            self.debits[receipt] = 0
        else:
            receipt = params["id"]
        if method == "receipts.pay":
            self.pay(receipt)
        if method == "receipts.cancel":
            self.cancel(receipt)
        return self.receipt(receipt)

    def pay(self, receipt):
        state = self.states[receipt]
        if state == 50 or (state != 0 and self.world.refuses_second_pay):
            raise Refused(-31602)
        if not self.world.card_pays:
            raise Refused(-31630)
        self.states[receipt] = 4
        self.debits[receipt] += 1
        self.most_at_once = max(self.most_at_once, self.money)

    def cancel(self, receipt):
        if self.states[receipt] == 4:
            if not self.world.takes_back:
                raise Refused(-31007)
            self.states[receipt] = 21
        elif self.states[receipt] == 0:
            self.states[receipt] = 50

    def receipt(self, receipt):
        body = {"_id": receipt, "state": self.states[receipt], "amount": 5000, "create_time": 1}
        if self.states[receipt] == 21:
            self.states[receipt] = 50
            self.debits[receipt] = 0
        return {"receipt": body}

    @property
    def money(self):
        """Debits that stand."""
        return sum(self.debits.values())

    # The line.

    def send(self, request):
        self.arrive()
        call = json.loads(request.body)
        fault = self.fault()
        request.sent = True
        if fault == DIES_BEFORE:
            raise Killed
        if fault == LOST:
            raise TransportError("reset", sent=True)
        if fault in (LATE_1, LATE_2):
            self.late.append([1 if fault == LATE_1 else 2, call["method"], call["params"]])
            raise TransportError("timed out", sent=True)
        try:
            body = {"result": self.execute(call["method"], call["params"])}
        except Refused as refused:
            body = {"error": {"code": refused.args[0], "message": "", "data": None}}
        if fault == DIES_AFTER:
            raise Killed
        if fault == UNHEARD:
            raise TransportError("reset", sent=True)
        return Reply(200, json.dumps({"id": call["id"], **body}).encode())

    def arrive(self):
        for one in self.late:
            one[0] -= 1
        due = [one for one in self.late if one[0] < 0]
        self.late = [one for one in self.late if one[0] >= 0]
        for _, method, params in due:
            with contextlib.suppress(Refused):
                self.execute(method, params)

    def end_of_time(self):
        for _ in range(3):
            self.arrive()
        for receipt in self.states:
            self.receipt(receipt)

    # The process.

    def session(self):
        runtime = Runtime(lambda: self.now, itertools.count(1).__next__, lambda low, high: high)
        return Session(Credentials("id", "key"), Limits(max_attempts=1), runtime)


class Worker:
    """Drives a charge over a ledger, until it is killed or the charge rests."""

    def __init__(self, model, ledger, policy=POLICY):
        self.model = model
        self.ledger = ledger
        self.policy = policy

    def perform(self, step):
        if isinstance(step, Sleep):
            self.model.now += step.seconds
            return None
        if isinstance(step, Save):
            return self.save(step)
        return self.model.send(step)

    def save(self, step):
        fault = self.model.fault()
        if fault in (LOST, UNHEARD, LATE_1, LATE_2) and not self.model.lenient:
            raise Same
        if fault == DIES_BEFORE:
            raise Killed
        self.ledger.save(step)
        if fault == DIES_AFTER:
            raise Killed

    def flow(self, stored):
        return core.advance(
            stored.charge,
            stored.means,
            self.model.session(),
            now=lambda: self.model.now,
            policy=self.policy,
        )

    def drive(self, charge_id):
        """Drive once; gives the charge as it is stored then."""
        stored = self.ledger.load(charge_id)
        with contextlib.suppress(Killed, Overtaken):
            driver.run(self.flow(stored), self.perform)
        return self.ledger.load(charge_id).charge

    def drive_to_the_end(self, charge_id):
        """Drive again and again, as a sweep does, whatever kills the process in between."""
        for _ in range(500):
            charge = self.drive(charge_id)
            if charge.rests or charge.needs_attention:
                return charge
            self.model.now = max(self.model.now, charge.due)
        raise AssertionError(f"{charge!r} never comes to rest")


RECEIPT = f"{0:024x}"


def new_charge(charge_id, **members):
    return Charge(
        id=charge_id, amount=5000, account={"order_id": 1}, due=1000.0, created=1000.0, **members
    )


def stored_as(state, **members):
    """A charge as a killed process left it, with its one receipt."""
    return {"state": state, "receipt_id": RECEIPT, "receipts": 1, "attempts": 1, **members}


PAY = "receipts.pay", {"id": RECEIPT}
CANCEL = "receipts.cancel", {"id": RECEIPT}

# How a charge is found: what is stored, the state of its receipt, and what is still on its way.
STARTS = {
    "new": ({}, None, []),
    "open": (stored_as(ChargeState.OPEN), 0, []),
    "paying": (stored_as(ChargeState.PAYING), 0, []),
    "paying, late": (stored_as(ChargeState.PAYING), 0, [[2, *PAY]]),
    "paid unheard": (stored_as(ChargeState.PAYING), 4, []),
    "cancelling, late": (stored_as(ChargeState.CANCELLING, cancels=1), 4, [[2, *CANCEL]]),
    "cancelling, both late": (
        stored_as(ChargeState.CANCELLING, cancels=1),
        0,
        [[2, *CANCEL], [3, *PAY]],
    ),
    "refunding": (stored_as(ChargeState.REFUNDING), 4, []),
    "refunding, late": (stored_as(ChargeState.REFUNDING, cancels=1), 4, [[2, *CANCEL]]),
}


def begin(model, ledger, charge_id, start):
    """Store a charge, and put Payme and the line where they were."""
    members, state, late = STARTS[start]
    if state is not None:
        model.states[RECEIPT] = state
        model.debits[RECEIPT] = int(state == 4)
    model.late = [list(one) for one in late]
    ledger.submit(new_charge(charge_id, **members), MEANS)


def assert_true(charge, model, schedule=()):
    """What the ledger says holds at the end of time, and no id was ever debited twice at once."""
    model.end_of_time()
    told = f"{charge!r} after {schedule} in {model.world}, but {model.states} {model.debits}"
    assert model.most_at_once <= 1, told
    if charge.needs_attention:
        assert charge.cancels > 0, told
    elif charge.state == ChargeState.PAID:
        assert model.states[charge.receipt_id] == 4, told
        assert model.money == 1, told
    else:
        assert model.money == 0, told
