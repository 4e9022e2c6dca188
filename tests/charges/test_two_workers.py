"""Two workers that drive one charge at once: every order of their steps, over the real ledger.

A lease keeps workers apart, and one that ran out lets them meet. Then the compare-and-set alone
stands between them: both load the charge, and every merge order of their steps is tried.
"""

import itertools
import json
import warnings
from random import Random

import pytest
import sqlalchemy as sa

from charges.payme_model import (
    LATE_1,
    LATE_2,
    LOST,
    OK,
    UNHEARD,
    Model,
    Worker,
    World,
    assert_true,
    begin,
)
from payme.charges import ChargeState, SqlLedger
from payme.charges.core import Overtaken
from payme.charges.ledger import rows, sql
from payme.transport.base import Request

FIRST, SECOND = 0, 1
FAULTS = [OK, LOST, UNHEARD, LATE_1, LATE_2]
STARTS_OF_TWO = ["new", "open", "paying, late", "paid unheard", "cancelling, both late"]
WORLDS = [World(), World(refuses_second_pay=False), World(card_pays=False)]


class Judge(Model):
    """Payme, on whose line only payments are lost; watches rules 3 and 4 as they are sent."""

    def __init__(self, faults, world):
        super().__init__((), world)
        self.faults = iter(faults)
        self.unanswered = set()
        self.method = ""

    def fault(self):
        return next(self.faults, OK) if self.method == "receipts.pay" else OK

    def send(self, request):
        call = json.loads(request.body)
        self.method = call["method"]
        if self.method != "receipts.pay":
            return super().send(request)
        receipt = call["params"]["id"]
        self.arrive()
        assert receipt not in self.unanswered, "rule 3: a second payment beside an unanswered one"
        others = {one for one, state in self.states.items() if state == 4} | self.unanswered
        able = [one for one in others if one != receipt and self.states[one] in (0, 4)]
        assert not able or self.states[receipt] == 50, "rule 4: another receipt can take money"
        self.unanswered.add(receipt)
        try:
            reply = super().send(request)
        finally:
            self.method = ""
        self.unanswered.discard(receipt)
        return reply


class Stepped:
    """A worker that makes one step whenever it is told to."""

    def __init__(self, model, ledger, charge_id):
        self.done = False
        self._steps = self._drive(Worker(model, ledger), charge_id)

    def step(self):
        if not self.done:
            self.done = next(self._steps, "done") == "done"

    def _drive(self, worker, charge_id):
        stored = worker.ledger.load(charge_id)
        yield
        flow, resume, came = worker.flow(stored), "send", None
        while True:
            try:
                step = getattr(flow, resume)(came)
            except (StopIteration, Overtaken):
                return
            try:
                resume, came = "send", worker.perform(step)
            except Exception as error:
                if isinstance(error, AssertionError | sa.exc.DBAPIError):
                    raise
                resume, came = "throw", error
            yield


@pytest.fixture(scope="module")
def ledger():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    ledger.create_all()
    yield ledger
    ledger.close()


NUMBERS = itertools.count()


def meet(ledger, start, world, faults, order):
    """Let two workers meet in this order, then let a third one end it; return what was reached."""
    charge_id = f"order-{next(NUMBERS)}"
    model = Judge(faults, world)
    begin(model, ledger, charge_id, start)
    if start.startswith("paying") or "both late" in start:
        model.unanswered.update(model.states)
    workers = [Stepped(model, ledger, charge_id) for _ in range(2)]
    for number, who in enumerate(order):
        if workers[who].done:
            met = number
            break
        workers[who].step()
    else:
        met = len(order)
    for worker in workers:
        while not worker.done:
            worker.step()
    charge = Worker(model, ledger).drive_to_the_end(charge_id)
    assert_true(charge, model, (start, faults, order))
    versions = [event.version for event in ledger.history(charge_id)]
    assert versions == list(range(charge.version + 1))
    return charge, met


def orders(depth):
    """Every merge order, but of those in which the one told is done already, one."""
    told = set()
    for order in itertools.product((FIRST, SECOND), repeat=depth):
        if not any(order[:length] in told for length in range(1, depth + 1)):
            met = yield order
            if met < depth:
                told.add(order[: met + 1])
            yield


def switching(depth, most):
    """Every order that goes from one worker to the other a few times, however late."""
    for count in range(most + 1):
        for places in itertools.combinations(range(1, depth), count):
            yield tuple(sum(place <= n for place in places) % 2 for n in range(depth))


def faults_of(world):
    pairs = itertools.product(FAULTS, repeat=2)
    return [pair for pair in pairs if world.card_pays or LATE_2 not in pair]


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=str)
@pytest.mark.parametrize("start", STARTS_OF_TWO)
def test_every_order_of_their_steps(start, world, ledger):
    if not world.card_pays and start == "paid unheard":
        pytest.skip("a card that is refused has paid nothing")
    for fault in FAULTS:
        every = orders(7)
        for order in every:
            _, met = meet(ledger, start, world, (fault,), order)
            every.send(met)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_order_with_few_switches_goes_far(fault, ledger):
    ends = set()
    for order in switching(18, 2):
        charge, _ = meet(ledger, "new", World(refuses_second_pay=False), (fault, fault), order)
        ends.add(charge.state)
    assert ends == {ChargeState.PAID}


@pytest.mark.slow
def test_long_orders_at_random(ledger):
    random = Random(20261125)
    for _ in range(800):
        world = random.choice(WORLDS)
        start = random.choice([one for one in STARTS_OF_TWO if one != "paid unheard"])
        order = random.choices((FIRST, SECOND), k=30)
        meet(ledger, start, world, random.choice(faults_of(world)), tuple(order))


# The checks can fail.


def without_version(monkeypatch):
    blind = sa.update(sql.charges).where(sql.charges.c.id == sa.bindparam("b_id"))
    monkeypatch.setattr(sql, "_SAVE", blind)


def test_without_the_version_in_the_update_it_is_seen(ledger, monkeypatch):
    """Even then the key of the events, which holds the version, keeps one of the two out."""
    without_version(monkeypatch)

    def meet_in_every_order():
        for order in switching(18, 2):
            meet(ledger, "new", World(), (OK,), order)

    with pytest.raises(sa.exc.IntegrityError, match="payme_charge_event"):
        meet_in_every_order()


def test_without_any_compare_and_set_money_is_taken_twice(ledger, monkeypatch):
    def save_blindly(_self, connection, change, means):
        blind = sa.update(sql.charges).where(sql.charges.c.id == change.after.id)
        connection.execute(blind, rows.charge_row(change.after))

    monkeypatch.setattr(sql.Rows, "save", save_blindly)
    broken = set()
    for order in switching(18, 2):
        try:
            meet(ledger, "new", World(refuses_second_pay=False), (OK,), order)
        except AssertionError as error:
            broken.add(str(error)[:6])
    assert "rule 4" in broken


def test_only_payments_are_lost():
    model = Judge([LOST], World())
    body = json.dumps({"id": 1, "method": "receipts.create", "params": {}}).encode()
    assert b"receipt" in model.send(Request("", body, 1.0, 1.0, 1.0)).body
