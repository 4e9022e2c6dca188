"""What the client says about money stays true, whatever the network does next.

A model of Payme serves one receipt. Each request meets a fault of the schedule; what is late
arrives after one or two further requests, and at the latest when nobody asks any more. Then the
last word of the client is held against the receipt.
"""

import contextlib
import itertools
import json
from random import Random

import pytest

from payme import flow as driver
from payme.errors import NotSent, OutcomeUnknown, Rejected
from payme.protocol import calls, flows
from payme.protocol.flows import Credentials, Limits, Runtime, Session, Sleep
from payme.transport.base import Reply, TransportError

RECEIPT = "63119becc4420cbf2712a24c"
FAULTS = [
    "served",
    "request lost",
    "answer lost",
    "late by one",
    "late by two",
    "served twice",
    "read refused",
    "half done",
]
WORLDS = [
    # card pays, hold, what the billing does with a cancellation of a paid receipt
    (True, False, "takes back"),
    (True, False, "refuses"),
    (True, False, "leaves queued"),
    (True, True, "takes back"),
    (True, True, "refuses"),
    (False, False, "takes back"),
]


class Refused(Exception):
    pass


class Model:
    """One receipt at Payme, and the line to it."""

    def __init__(self, schedule, world):
        self.card_pays, self.hold, self.billing = world
        self.schedule = iter(schedule)
        self.state = 0
        self.debits = 0
        self.late = []
        self.now = 0.0

    # What Payme does.

    def execute(self, method):
        if method == "receipts.get":
            return self.receipt()
        if method == "receipts.cancel":
            return self.cancel()
        if self.state != 0:
            raise Refused(-31602)
        if not self.card_pays:
            raise Refused(-31630)
        self.state = 5 if self.hold else 4
        self.debits += 1
        return self.receipt()

    def cancel(self):
        if self.state == 0:
            self.state = 50
        elif self.state in (4, 5):
            if self.billing == "refuses":
                raise Refused(-31007)
            self.state = 21
        return self.receipt()

    def receipt(self):
        body = {"_id": RECEIPT, "state": self.state, "amount": 5000, "create_time": 1}
        if self.state == 21 and self.billing == "takes back":
            self.state = 50
        return {"receipt": body}

    # What the line does.

    def perform(self, step):
        if isinstance(step, Sleep):
            self.now += step.seconds
            return None
        self.arrive()
        call = json.loads(step.body)
        fault = next(self.schedule, "served")
        step.sent = True
        if fault == "request lost":
            raise TransportError("reset", sent=True)
        if fault.startswith("late"):
            self.late.append([1 if fault.endswith("one") else 2, call["method"]])
            raise TransportError("timed out", sent=True)
        if fault == "half done":
            self.try_to(call["method"])
            return self.answer(call, error=-32400)
        if fault == "read refused" and call["method"] == "receipts.get":
            return self.answer(call, error=-32504)
        try:
            if fault == "served twice":
                self.try_to(call["method"])
            result = self.execute(call["method"])
        except Refused as refused:
            (code,) = refused.args
            return self.answer(call, error=code)
        finally:
            if fault == "answer lost":
                raise TransportError("reset", sent=True)
        return self.answer(call, result=result)

    def answer(self, call, error=None, **members):
        if error is not None:
            members = {"error": {"code": error, "message": "", "data": None}}
        return Reply(200, json.dumps({"id": call["id"], **members}).encode())

    def try_to(self, method):
        with contextlib.suppress(Refused):
            self.execute(method)

    def arrive(self):
        for one in self.late:
            one[0] -= 1
        for _, method in [one for one in self.late if one[0] < 0]:
            self.try_to(method)
        self.late = [one for one in self.late if one[0] >= 0]

    def end_of_time(self):
        for _, method in self.late:
            self.try_to(method)
        self.late = []
        self.receipt()


def last_word(model, rounds):
    """Pay, and resolve as a careful merchant does; gives what was said last."""
    runtime = Runtime(lambda: model.now, itertools.count(1).__next__, lambda low, high: high)
    session = Session(Credentials("id", "key"), Limits(max_attempts=2), runtime)
    pay = calls.receipts_pay(RECEIPT, "token", hold=model.hold)
    try:
        return driver.run(flows.start(pay, session), model.perform)
    except OutcomeUnknown as error:
        lost = error
    except (NotSent, Rejected) as error:
        return error
    for cancel in rounds:
        try:
            found = flows.resolve(lost, 0.25, session, cancel=cancel)
            return driver.run(found, model.perform)
        except OutcomeUnknown as error:
            lost = error
    return lost


def is_true(said, model):
    """Whether what was said holds at the end of time."""
    if isinstance(said, OutcomeUnknown):
        return True
    if isinstance(said, Rejected | NotSent):
        return model.state in (0, 50) and model.debits == 0
    if said.is_cancelled:
        return model.state == 50
    return said.state == model.state


def check(schedule, world, rounds):
    model = Model(schedule, world)
    said = last_word(model, rounds)
    model.end_of_time()
    assert is_true(said, model), f"{said!r} after {schedule} in {world}, but {model.state}"
    assert model.debits <= 1
    return said


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: "-".join(map(str, world)))
@pytest.mark.parametrize("rounds", [(True, False), (False, True, False)], ids=str)
def test_every_schedule_of_four_faults(world, rounds):
    said = [check(one, world, rounds) for one in itertools.product(FAULTS, repeat=4)]
    # A client that never knows anything would pass the rest.
    known = sum(not isinstance(one, OutcomeUnknown) for one in said)
    assert known > len(said) / 4


@pytest.mark.slow
def test_long_schedules_at_random():
    random = Random(20261124)
    for _ in range(20_000):
        schedule = random.choices(FAULTS, k=random.randint(5, 14))
        rounds = tuple(random.choices([True, False], k=random.randint(1, 4)))
        check(schedule, random.choice(WORLDS), rounds)
