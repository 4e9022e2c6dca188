"""A year in a minute: the books agree, and whatever is wrong with them is seen.

Sixty members always; a thousand with PAYME_TEST_LONG=1.
"""

import os
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date
from itertools import pairwise

import pytest
from msgspec.structs import replace

from payme.demo.year import books, plan, proof
from payme.demo.year.plan import What
from payme.demo.year.run import prove
from payme.demo.year.world import World
from payme.sandbox.engine import LedgerEntry

LONG = bool(os.environ.get("PAYME_TEST_LONG"))
SUBSCRIBERS, MONTHS, SEED = (1000, 12, 1) if LONG else (60, 12, 3)
START = date(2025, 2, 1)


pytestmark = pytest.mark.slow  # a year of a club is played first


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    planned = plan.make(START, MONTHS, SUBSCRIBERS, SEED)
    world = World(planned, tmp_path_factory.mktemp("year"), SEED)
    try:
        world.pass_year()
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def found(world):
    """What the proof finds; first of all tests, since it lets the year come to its end."""
    return prove(world)


@pytest.fixture
def database(world, found, tmp_path):
    """A copy of the shop's database, to be spoiled."""
    copy = tmp_path / "spoiled.db"
    with (
        closing(sqlite3.connect(world.database)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def spoil(database, sql, *values):
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        assert connection.execute(sql, values).rowcount == 1


def kinds(world, database):
    """What is found now, in one word each."""
    read = books.read(world.sandbox, database, world.shop.customers)
    return {finding.kind for finding in proof.findings(read, world.plan)}


def one(database, sql):
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchone()


PAID = "SELECT subscription, n FROM payme_period WHERE state = 'paid' LIMIT 1"


def test_the_books_agree_to_the_tiyin(world, found):
    assert found == []


def test_the_year_was_no_quiet_one(world, found):
    """A year in which nothing happened would prove nothing."""
    read = world.read()
    states = books.states(read)
    assert sum(states.values()) == SUBSCRIBERS
    assert world.counted.kills == MONTHS * plan.KILLS_A_MONTH
    assert world.counted.adopted >= world.counted.lost > 0
    assert world.counted.behind == 2
    total = Counter()
    for _, counted in books.table(read):
        total.update(counted)
    assert total["taken"] > SUBSCRIBERS * MONTHS * 0.7
    assert total["refused"] > total["recovered"] > 0
    assert total["churned"] == states["ended"] > 0


def test_the_table_adds_up_to_what_the_sandbox_took(world, found):
    signs = {"debit": 1, "refund": -1}
    kept = sum(signs[entry.kind] * entry.amount for entry in world.sandbox.ledger())
    read = world.read()
    (ours,) = one(world.database, "SELECT sum(amount) FROM payme_period WHERE state = 'paid'")
    assert ours == kept
    assert sum(counted["amount"] for _, counted in books.table(read)) == kept


def test_no_period_was_given_more_than_one_standing_debit(world, found):
    read = world.read()
    assert {debited.debits for debited in read.debited.values()} <= {0, 1}
    paid = sum(row.state == "paid" for rows in read.periods.values() for row in rows)
    assert sum(debited.debits for debited in read.debited.values()) == paid


def test_a_second_debit_is_seen(world, database):
    debit = next(
        entry
        for entry in world.sandbox.ledger()
        if entry.kind == "debit" and len(world.sandbox.entries(entry.receipt_id)) == 1
    )
    world.sandbox._run(lambda state: state.add_entry(debit))
    try:
        assert kinds(world, database) == {"double debit", "sum"}
    finally:
        forget = "DELETE FROM ledger WHERE number = (SELECT max(number) FROM ledger)"
        world.sandbox._run(lambda state: state._execute(forget))
    assert kinds(world, database) == set()


def test_money_that_nobody_asked_for_is_seen(world, database):
    stray = world.sandbox.add_receipt(amount=100)
    entry = LedgerEntry(receipt_id=stray, card="-", amount=100, kind="debit", time=0)
    world.sandbox._run(lambda state: state.add_entry(entry))
    try:
        assert kinds(world, database) == {"unknown debit"}
    finally:
        world.sandbox._run(
            lambda state: state._execute("DELETE FROM ledger WHERE receipt_id = ?", (stray,))
        )
        world.sandbox._run(
            lambda state: state._execute("DELETE FROM receipt WHERE id = ?", (stray,))
        )


def test_a_lost_debit_is_seen(world, database):
    debit = next(entry for entry in world.sandbox.ledger() if entry.kind == "debit")
    lose = "DELETE FROM ledger WHERE receipt_id = ? AND number IN (SELECT min(number) FROM ledger)"
    world.sandbox._run(lambda state: state._execute(lose, (debit.receipt_id,)))
    try:
        assert kinds(world, database) == {"sum"}
    finally:
        world.sandbox._run(lambda state: state.add_entry(debit))
    assert kinds(world, database) == set()


def test_a_lost_charge_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(database, "DELETE FROM payme_charge WHERE id = ?", f"{name}:{n}")
    assert {"sum", "state"} <= kinds(world, database)


def test_an_amount_that_differs_by_a_tiyin_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(database, "UPDATE payme_charge SET amount = amount + 1 WHERE id = ?", f"{name}:{n}")
    assert kinds(world, database) == {"sum", "price"}


def test_a_forgotten_period_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(database, "DELETE FROM payme_period WHERE subscription = ? AND n = ?", name, n)
    assert kinds(world, database) == {"forgotten period", "lost period"}


def test_a_period_that_was_never_opened_is_seen(world, database):
    """As if no scheduler had looked at one subscription in the last two months."""
    name, next_n = one(
        database,
        "SELECT id, next_n FROM payme_subscription WHERE state = 'active' LIMIT 1",
    )
    spoil(database, "UPDATE payme_subscription SET next_n = next_n - 1 WHERE id = ?", name)
    spoil(
        database,
        "DELETE FROM payme_period WHERE subscription = ? AND n = ?",
        name,
        next_n - 1,
    )
    assert "forgotten period" in kinds(world, database)


def test_a_subscription_that_never_wakes_is_seen(world, database):
    spoil(
        database,
        "UPDATE payme_subscription SET wakes = NULL WHERE id ="
        " (SELECT id FROM payme_subscription WHERE state = 'active' LIMIT 1)",
    )
    assert kinds(world, database) == {"stuck"}


def test_a_debt_without_a_reason_is_seen(world, database):
    (name,) = one(
        database,
        "SELECT id FROM payme_subscription WHERE state = 'active' AND debt IS NULL LIMIT 1",
    )
    spoil(database, "UPDATE payme_subscription SET state = 'past_due' WHERE id = ?", name)
    assert kinds(world, database) == {"stuck"}


def test_a_period_in_the_wrong_state_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(
        database,
        "UPDATE payme_period SET state = 'unpaid' WHERE subscription = ? AND n = ?",
        name,
        n,
    )
    assert {"state", "debt"} <= kinds(world, database)


def test_a_payment_that_nobody_was_told_of_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(
        database,
        "DELETE FROM payme_notice WHERE subscription = ? AND n = ? AND kind = 'charged'",
        name,
        n,
    )
    assert kinds(world, database) == {"notice"}


def test_a_date_that_slips_is_seen(world, database):
    name, n = one(database, PAID)
    spoil(
        database,
        "UPDATE payme_period SET start = start - 86400 WHERE subscription = ? AND n = ?",
        name,
        n,
    )
    assert kinds(world, database) == {"date"}


READY = "SELECT id FROM payme_card WHERE state = 'ready' LIMIT 1"


@pytest.mark.parametrize(
    "sql",
    [
        f"UPDATE payme_card SET number = '860006******0000' WHERE id = ({READY})",
        f"UPDATE payme_card SET fingerprint = 'another' WHERE id = ({READY})",
        f"UPDATE payme_card SET customer = 'somebody' WHERE id = ({READY})",
        f"DELETE FROM payme_card WHERE id = ({READY})",
    ],
)
def test_a_card_that_differs_is_seen(world, database, sql):
    spoil(database, sql)
    assert kinds(world, database) == {"card"}


def test_a_card_that_is_gone_at_payme_is_seen(world, database):
    token = next(token for token in world.shop.live)
    world.sandbox._run(lambda state: state.put_card(replace(state.get_card(token), removed=True)))
    try:
        assert kinds(world, database) == {"card"}
    finally:
        world.sandbox._run(
            lambda state: state.put_card(replace(state.get_card(token), removed=False))
        )


def test_a_subscription_of_nobody_is_seen(world, database):
    spoil(
        database,
        "UPDATE payme_subscription SET id = 'club-x' WHERE id ="
        " (SELECT id FROM payme_subscription LIMIT 1)",
    )
    assert {"unknown", "lost subscription"} <= kinds(world, database)


def test_an_unknown_receipt_is_seen_by_the_audit(world, found):
    receipt = world.sandbox.add_receipt(amount=100)
    try:
        (difference,) = world.audit(cancel=False)
        assert (difference.kind, difference.receipt_id) == ("only payme", receipt)
    finally:
        world.sandbox._run(
            lambda state: state._execute("DELETE FROM receipt WHERE id = ?", (receipt,))
        )


def test_a_backup_forgets_and_an_audit_does_not(world, found, tmp_path):
    """The restored copy by itself would have been found out."""
    copy = tmp_path / "backup.db"
    shutil.copy(world._copy, copy)
    assert {"sum", "stuck"} <= kinds(world, copy)


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_one(seed):
    planned = plan.make(START, 12, 200, seed)
    assert planned == plan.make(START, 12, 200, seed)
    assert planned.end == date(2026, 2, 1)
    assert planned.start < planned.backup < planned.disaster < planned.end
    seen = Counter(event.what for day in planned.events.values() for event in day)
    assert seen[What.JOIN] == 200
    assert set(seen) == set(What)
    for day, events in planned.events.items():
        assert all(event.day == day for event in events)
        assert planned.start <= day < planned.end


def test_what_happens_to_a_member_has_an_order():
    """Nobody brings a card before one was missing, or has joined twice or after leaving."""
    planned = plan.make(START, 24, 300, random.randrange(10**6))
    lives = {member.number: [] for member in planned.members}
    for day in sorted(planned.events):
        for event in planned.events[day]:
            lives[event.member].append(event.what)
    for life in lives.values():
        assert life[0] == What.JOIN
        assert life.count(What.JOIN) == 1
        assert What.LEAVE not in life[:-1]
        for before, after in pairwise(life):
            assert (after == What.REFILL) <= (before == What.RUN_DRY)
            assert (after == What.RESUME) <= (before == What.PAUSE)
            assert (before == What.PAUSE) <= (after == What.RESUME)


def test_dates_are_those_of_the_calendar():
    member = plan.Member(0, date(2027, 1, 31), 1)
    assert [member.due(n) for n in range(4)] == [
        date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30),
    ]  # fmt: skip
    assert member.due(13) == date(2028, 2, 29)


def test_a_storm_takes_nothing_twice(tmp_path):
    """Every fifth payment loses its answer, and most questions about it lose theirs.

    So payments are given up whose money was taken: it goes back, and is taken anew.
    """
    faults = [
        "receipts.pay after drop probability=0.2",
        "receipts.get before drop probability=0.7",
    ]
    stormy = World(plan.make(START, 3, 40, SEED), tmp_path, SEED, faults)
    try:
        stormy.pass_year()
        assert prove(stormy) == []
        assert books.returned(stormy.read()) > 0
    finally:
        stormy.close()
