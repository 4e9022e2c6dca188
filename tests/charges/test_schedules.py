"""Every schedule of faults over the real flow and a real ledger: no second debit, no false word.

`PAYME_TEST_LONG=1` makes the random ones 50,000.
"""

import contextlib
import itertools
import os
import warnings
from random import Random

import pytest
import sqlalchemy as sa

from charges.payme_model import (
    KINDS,
    STARTS,
    Model,
    Same,
    Worker,
    World,
    assert_true,
    begin,
)
from payme.charges import ChargeState, SqlLedger

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
DEPTH = {"new": 5, "open": 4}
WORLDS = [
    World(),
    World(card_pays=False),
    World(takes_back=False),
    World(refuses_second_pay=False),
    World(takes_back=False, refuses_second_pay=False),
]


@pytest.fixture(scope="module")
def ledger():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(sa.create_engine("sqlite://", poolclass=sa.StaticPool))
    ledger.create_all()
    yield ledger
    ledger.close()


def check(model, ledger, charge_id, start, schedule):
    begin(model, ledger, charge_id, start)
    charge = Worker(model, ledger).drive_to_the_end(charge_id)
    assert_true(charge, model, schedule)
    return charge


def every_different(depth):
    """Every schedule, but of those that do the same, one: all that begin as it went are told."""
    told = set()
    for schedule in itertools.product(KINDS, repeat=depth):
        if not any(schedule[:length] in told for length in range(1, depth + 1)):
            met = yield schedule
            told.add(schedule[:met])
            yield


def named(*parts):
    return ":".join(map(str, parts)).replace(" ", "")


def run_all(start, world, ledger):
    ends, schedules = [], every_different(DEPTH.get(start, 3))
    for schedule in schedules:
        model = Model(schedule, world)
        name = named(start, world, "".join(str(KINDS.index(kind)) for kind in schedule))
        with contextlib.suppress(Same):
            ends.append(check(model, ledger, name, start, schedule))
        schedules.send(model.met)
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS, ids=str)
@pytest.mark.parametrize("start", STARTS)
def test_every_schedule_of_faults(start, world, ledger):
    if not world.card_pays and STARTS[start][1] == 4:
        pytest.skip("a card that is refused has paid nothing")
    ends = run_all(start, world, ledger)
    attention = sum(charge.needs_attention for charge in ends)
    assert attention == 0 or not world.takes_back
    if not world.card_pays:
        assert {charge.state for charge in ends} <= {ChargeState.REFUSED, ChargeState.FAILED}
    elif start in ("new", "open"):
        assert sum(charge.is_paid for charge in ends) > len(ends) / 2


@pytest.fixture
def stored_in(request, ledger):
    if request.param == "sqlite":
        yield ledger
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ledger = SqlLedger(request.getfixturevalue("postgres"))
    yield ledger
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stored_in", "count"),
    [("sqlite", 45_000 if LONG else 3000), ("postgresql", 5000 if LONG else 150)],
    indirect=["stored_in"],
)
def test_long_schedules_at_random(stored_in, count):
    ledger, random = stored_in, Random(20261125)
    for number in range(count):
        start, world = random.choice(list(STARTS)), random.choice(WORLDS)
        if not world.card_pays and STARTS[start][1] == 4:
            continue
        schedule = random.choices(KINDS, k=random.randint(6, 25))
        model = Model(schedule, world, lenient=True)
        check(model, ledger, named("random", number), start, schedule)
