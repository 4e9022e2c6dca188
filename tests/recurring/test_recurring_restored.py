"""A ledger that was restored from a backup: it refuses, takes in what Payme took, and goes on."""

import json
import threading
from collections import Counter
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from charges.ledgers import KEY as LEDGER_KEY
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, ChargeState, Policy, SqlLedger
from payme.charges.audit import Audit, Kind
from payme.charges.ledger.metadata import metadata as charge_tables
from payme.cli.sql_books import SqlBooks
from payme.errors import InvalidArgument
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState
from payme.recurring import (
    AsyncRecurring,
    LedgerBehind,
    PeriodState,
    Recurring,
    SubscriptionConflict,
    SubscriptionNotFound,
    SubscriptionState,
    asked,
    behind,
)
from payme.recurring.core import DAY
from payme.recurring.sql import SqlRows
from payme.recurring.sql import metadata as tables
from payme.sandbox import Sandbox
from payme.transport.memory import AsyncMemoryTransport, MemoryTransport

P, S = PeriodState, SubscriptionState
KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
POLICY = Policy(ask_for=0.05, look_for=0.05, first_pause=0.01, longest_pause=0.05, lease=2.0)
START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()
PRICE = 5_000_000
NAMES = ["club-1", "club-2", "club-3"]


class Town:
    """The sandbox on a clock of its own, a database, and processes that come and go."""

    def __init__(self, sandbox, database):
        self.sandbox, self.database = sandbox, database
        self.now = START
        self.hosts, self.calls = [], Counter()
        self.before = lambda method: None

    def handle(self, body, auth):
        method = json.loads(body)["method"]
        self.calls[method] += 1
        self.before(method)
        return self.sandbox.handle(body, auth)

    def host(self):
        self.hosts.append(Host(self))
        return self.hosts[-1]

    def snapshot(self):
        """Remember every row."""
        kept = {}
        with self.hosts[0].ledger._engine.connect() as connection:
            for table in self.tables():
                kept[table] = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        return kept

    def restore(self, kept):
        """Put every row back as it was."""
        with self.hosts[0].ledger._engine.begin() as connection:
            for table, rows in kept.items():
                connection.execute(sa.delete(table))
                if rows:
                    connection.execute(sa.insert(table), rows)

    def tables(self):
        return [*charge_tables.sorted_tables, *tables.sorted_tables]

    def debits(self):
        """Count the debits of each charge, by what receipts say."""
        signs = {"debit": 1, "refund": 0}
        counted = Counter()
        for entry in self.sandbox.ledger():
            described = self.sandbox.receipt(entry.receipt_id).description
            counted[behind.carried_id(described)] += signs[entry.kind]
        return counted

    def audit(self):
        period = tuple(datetime.fromtimestamp(at, UTC) for at in (START - DAY, self.now + DAY))
        with (
            SqlBooks(self.database, [LEDGER_KEY]) as books,
            Audit(self.hosts[0].client, books, period) as audit,
        ):
            return [(one.kind, one.receipt_id) for one in audit.differences()]


class Host:
    def __init__(self, town):
        self.town = town
        self.client = Payme(
            town.sandbox.merchant_id, KEY, environment="test",
            transport=MemoryTransport(town.handle),
        )  # fmt: skip
        self.ledger = SqlLedger(town.database, keys=[LEDGER_KEY])
        self.charges = Charges(self.client, self.ledger, policy=POLICY)
        self.recurring = Recurring(self.charges, now=lambda: town.now)
        self.recurring.create_all()

    def create(self, name, **options):
        options = {"missed": "latest", **options}
        token = self.town.sandbox.add_card()
        self.recurring.create(name, PRICE, {"member": 17}, token, **options)

    def day(self, days=1):
        """Let days pass, as a runner sees them."""
        for _ in range(days):
            self.town.now += DAY
            self.recurring.tick()
            self.charges.recover()

    def states(self, name="club-1"):
        return [period.state for period in self.recurring.periods(name)]

    def close(self):
        self.client.close()
        self.ledger.close()


@pytest.fixture
def town(database):
    clock = []
    with Sandbox(key=KEY, clock=lambda: int(clock[0].now * 1000) if clock else 0) as sandbox:
        town = Town(sandbox, database)
        clock.append(town)
        yield town
        for host in town.hosts:
            host.close()


@pytest.fixture
def host(town):
    """A club of three that has paid its first period."""
    host = town.host()
    for name in NAMES:
        host.create(name, description=f"Club {name}")
    host.charges.recover()
    host.day()
    return host


def lost(town, host, days=40):
    """Let days pass that the ledger forgets."""
    kept = town.snapshot()
    host.day(days)
    town.restore(kept)


def take_in(recurring):
    with pytest.raises(LedgerBehind) as refused:
        recurring.check()
    for one in refused.value.receipts:
        recurring.adopt(one.receipt_id)
    recurring.check()


def test_snapshot_run_restore_run_refuses_audit_goes_on(town, host):
    lost(town, host)
    fresh = town.host()
    town.calls.clear()
    for act in (fresh.recurring.tick, lambda: fresh.recurring.run(drain=True), fresh.recurring.run):
        with pytest.raises(LedgerBehind, match="the ledger is behind: Payme shows 3 receipts"):
            act()
    assert set(town.calls) == {"receipts.get_all"}, "nothing was opened or driven"
    assert fresh.states() == [P.PAID]
    found = town.audit()
    assert [kind for kind, _ in found] == [Kind.ONLY_PAYME] * 3
    take_in(fresh.recurring)
    assert town.audit() == []
    assert [fresh.states(name) for name in NAMES] == [[P.PAID, P.PAID]] * 3
    fresh.day(60)
    assert set(town.debits().values()) == {1}, "no period was taken twice"
    assert all(fresh.states(name) == [P.PAID] * 4 for name in NAMES)
    assert len(town.debits()) == 12
    assert town.audit() == []


def test_without_the_look_every_period_would_be_taken_twice(town, host, monkeypatch):
    def blind(watch, session, now):
        yield from ()

    lost(town, host)
    monkeypatch.setattr(asked, "watching", blind)
    town.host().day()
    assert max(town.debits().values()) == 2


def test_a_process_that_lives_on_notices_that_the_ledger_went_back(town, host):
    lost(town, host)
    with pytest.raises(LedgerBehind):
        host.day()


def test_a_runner_that_lives_on_stops(town, host, monkeypatch):
    monkeypatch.setattr(asked, "LOOK_AGAIN", 0.01)
    kept = town.snapshot()
    host.day(40)
    errors = []

    def runs():
        try:
            host.recurring.run()
        except LedgerBehind as error:
            errors.append(error)

    runner = threading.Thread(target=runs)
    runner.start()
    town.restore(kept)
    runner.join(30)
    assert [len(error.receipts) for error in errors] == [3]
    assert set(town.debits().values()) == {1}


def test_a_charge_that_was_submitted_before_the_backup_is_taken_in(town, host):
    town.now += 30 * DAY
    host.recurring.tick()
    kept = town.snapshot()
    host.charges.recover()
    town.restore(kept)
    fresh = town.host()
    assert fresh.charges.get("club-1:1").state == ChargeState.NEW
    take_in(fresh.recurring)
    assert fresh.charges.get("club-1:1").is_paid
    assert fresh.states() == [P.PAID, P.PAID]
    fresh.day(2)
    assert set(town.debits().values()) == {1}
    evidence = [event.evidence for event in fresh.charges.history("club-1:1")]
    assert evidence == ["submitted", "merchant: adopt; receipts.get: PAID"]


def test_the_shop_is_told_of_what_is_taken_in(town, host):
    lost(town, host)
    seen = []
    ledger = SqlLedger(
        town.database, keys=[LEDGER_KEY],
        changed=lambda connection, charge: seen.append((charge.id, charge.state)),
    )  # fmt: skip
    recurring = Recurring(Charges(host.client, ledger), now=lambda: town.now)
    take_in(recurring)
    told = {(one.subscription, one.n, one.kind) for one in recurring.outbox(1000)}
    ledger.close()
    assert sorted(seen) == [(f"{name}:1", ChargeState.PAID) for name in NAMES]
    assert ("club-1", 1, "charged") not in told, "the member was told then"


def test_what_was_given_back_is_not_taken_again(town, host):
    kept = town.snapshot()
    host.day(40)
    host.charges.refund("club-1:1", deadline=0.1)
    town.now += 60
    while not host.charges.get("club-1:1").rests:
        host.charges.advance("club-1:1")
    assert host.charges.get("club-1:1").state == ChargeState.REFUNDED
    town.restore(kept)
    fresh = town.host()
    take_in(fresh.recurring)
    assert fresh.states() == [P.PAID, P.REFUNDED]
    assert fresh.charges.get("club-1:1").state == ChargeState.REFUNDED
    fresh.day(2)
    assert set(town.debits().values()) == {1}


def test_periods_in_between_that_have_no_receipt_are_skipped(town):
    host = town.host()
    host.create("club-1", every=(1, "day"))
    host.charges.recover()
    kept = town.snapshot()
    host.recurring.pause("club-1")
    host.day(3)
    host.recurring.resume("club-1")
    host.day(2)
    town.restore(kept)
    take_in(town.host().recurring)
    assert host.states() == [P.PAID, P.SKIPPED, P.SKIPPED, P.SKIPPED, P.PAID, P.PAID]
    assert host.recurring.get("club-1").debt is None


def test_the_amount_is_the_one_that_was_taken(town, host):
    kept = town.snapshot()
    host.recurring.change("club-1", amount=PRICE * 2)
    host.day(40)
    town.restore(kept)
    fresh = town.host()
    take_in(fresh.recurring)
    assert [period.amount for period in fresh.recurring.periods("club-1")] == [PRICE, PRICE * 2]
    assert fresh.charges.get("club-1:1").amount == PRICE * 2
    assert town.audit() == []


def test_receipts_of_others_are_no_alarm(town, host):
    before = town.sandbox.receipts()
    for words in ("inv:12", "Club (other-1:1)", "Club", "club-1", "club-1:x", "club-1:1 again"):
        receipt = host.client.receipts.create(PRICE, {"member": 17}, description=words)
        host.client.receipts.pay(receipt.id, town.sandbox.add_card())
    # Nor is one that nobody has paid, such as the orphan of a lost answer.
    host.client.receipts.create(PRICE, {"member": 17}, description="Club club-1 (club-1:1)")
    assert len(town.sandbox.receipts()) == len(before) + 7
    town.host().recurring.check()


def test_a_receipt_that_another_process_pays_meanwhile_is_no_alarm(town, host):
    other = town.host()
    town.now += 29 * DAY

    def pays(method):
        if method == "receipts.get_all":
            town.before = lambda method: None
            other.recurring.tick()
            other.charges.recover()

    fresh = town.host()
    town.before = pays
    fresh.recurring.check()
    assert other.states() == [P.PAID, P.PAID]


def test_a_second_receipt_that_is_paid_needs_a_person(town, host):
    twice = host.client.receipts.create(PRICE, {"member": 17}, description="Club (club-1:0)")
    host.client.receipts.pay(twice.id, town.sandbox.add_card())
    fresh = town.host()
    with pytest.raises(LedgerBehind):
        fresh.recurring.tick()
    with pytest.raises(SubscriptionConflict, match=r"has another receipt, .* which is PAID"):
        fresh.recurring.adopt(twice.id)
    host.client.receipts.cancel(twice.id)
    town.now += 60
    fresh.recurring.check()


def test_a_person_may_say_that_it_is_another_ledgers(town, host):
    lost(town, host, days=28)
    town.now += 1
    town.host().recurring.check(dismiss=True)
    for _ in range(2):
        # Also by those that start soon after it, and whose marks it must outlive.
        town.host().recurring.tick()


@pytest.mark.parametrize("write", ["save", "add_periods", "save_charge"])
def test_a_crash_while_it_is_taken_in_leaves_nothing(town, host, write, monkeypatch):
    lost(town, host)
    fresh = town.host()

    def dies(rows, *arguments):
        raise KeyboardInterrupt

    with pytest.raises(LedgerBehind) as refused:
        fresh.recurring.check()
    (one, *_) = refused.value.receipts
    with monkeypatch.context() as patch:
        patch.setattr(SqlRows, write, dies)
        with pytest.raises(KeyboardInterrupt):
            fresh.recurring.adopt(one.receipt_id)
    assert len(list(fresh.charges.iterate())) == 3
    adopted = fresh.recurring.adopt(one.receipt_id)
    assert fresh.recurring.adopt(one.receipt_id) == adopted, "asked again, it is the same"


def test_what_can_be_no_period_is_refused(town, host):
    pay = host.client.receipts
    unpaid = pay.create(PRICE, {"member": 17}, description="club-1:1")
    for receipt_id, words in ((unpaid.id, "a receipt that took money"), ("x" * 300, "receipt_id")):
        with pytest.raises(InvalidArgument, match=words):
            host.recurring.adopt(receipt_id)
    refused = {"club-9:1": SubscriptionNotFound, "club-1:500": SubscriptionConflict}
    for words, error in refused.items():
        receipt = pay.create(PRICE, {"member": 17}, description=words)
        pay.pay(receipt.id, town.sandbox.add_card())
        with pytest.raises(error):
            host.recurring.adopt(receipt.id)
    assert host.states() == [P.PAID]


def test_who_goes_on_asks_payme_once(town, host):
    town.calls.clear()
    host.day(28)
    assert town.calls["receipts.get_all"] == 0
    fresh = town.host()
    fresh.recurring.tick()
    assert town.calls["receipts.get_all"] == 1


def test_a_start_reads_the_receipts_since_the_mark_alone(town, host, monkeypatch):
    host.day(20)
    asked_from = []
    paginator = behind.Paginator

    def noted(start, end):
        asked_from.append(start / 1000)
        return paginator(start, end)

    monkeypatch.setattr(behind, "Paginator", noted)
    town.host().recurring.tick()
    assert town.now - asked_from[0] <= behind.MARKS + behind.SKEW


def test_after_an_error_of_the_database_it_looks_again(town, host, monkeypatch):
    host.day()
    town.calls.clear()

    def fails(rows, *arguments):
        raise sa.exc.OperationalError("", None, ZeroDivisionError())

    with monkeypatch.context() as patch:
        patch.setattr(SqlRows, "due", fails)
        with pytest.raises(sa.exc.OperationalError):
            host.recurring.tick()
    host.recurring.tick()
    assert town.calls["receipts.get_all"] == 1


def test_a_runner_waits_for_payme_before_it_opens_anything(town, host, monkeypatch, caplog):
    monkeypatch.setattr(asked, "OUTAGE", 0.01)
    monkeypatch.setattr(asked, "LOOK_AGAIN", 0.01)
    town.now += 30 * DAY
    fresh, stop, failed = town.host(), threading.Event(), []

    def away(method):
        failed.append(method)
        if len(failed) < 4:
            raise Unreachable

    town.before = away
    runner = threading.Thread(target=fresh.recurring.run, kwargs={"stop": stop})
    runner.start()
    for _ in range(500):
        if fresh.states() == [P.PAID, P.PAID]:
            break
        stop.wait(0.05)
    stop.set()
    runner.join(30)
    assert fresh.states() == [P.PAID, P.PAID]
    assert set(failed[:4]) == {"receipts.get_all"}, "nothing was driven before"
    assert "can't be asked whether the ledger is behind" in caplog.text


class Unreachable(Exception):
    sent = False


def test_the_marks_of_a_clock_that_was_ahead_are_not_believed(town, host):
    town.now += 100 * DAY
    host.recurring._keeper.do(lambda rows: rows.save_mark(town.now))
    town.now -= 100 * DAY
    kept = town.snapshot()
    host.day(40)
    town.restore(kept)
    town.now += DAY
    fresh = town.host()
    fresh.recurring._keeper.do(lambda rows: rows.save_mark(START))
    with pytest.raises(LedgerBehind):
        fresh.recurring.tick()


async def both(town):
    client = AsyncPayme(
        town.sandbox.merchant_id, KEY, environment="test",
        transport=AsyncMemoryTransport(town.handle),
    )  # fmt: skip
    ledger = AsyncSqlLedger(town.database, keys=[LEDGER_KEY])
    charges = AsyncCharges(client, ledger, policy=POLICY)
    recurring = AsyncRecurring(charges, now=lambda: town.now)
    for act in (recurring.tick, recurring.run, recurring.check):
        with pytest.raises(LedgerBehind) as refused:
            await act()
    for one in refused.value.receipts:
        await recurring.adopt(one.receipt_id)
    await recurring.check()
    await recurring.run(drain=True)
    await client.aclose()
    await ledger.close()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_under_asyncio_it_is_the_same(town, host, anyio_backend):
    lost(town, host)
    await both(town)
    assert host.states() == [P.PAID, P.PAID]
    assert set(town.debits().values()) == {1}


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip)
IDS = st.from_regex(r"[!-9;-~]{1,30}:(0|[1-9][0-9]{0,5})", fullmatch=True)


@given(IDS, st.none() | WORDS)
def test_an_id_is_read_from_the_words_that_a_charge_is_given(charge_id, words):
    description = f"{words} ({charge_id})" if words else charge_id
    if words is None and charge_id.endswith(")"):
        return
    assert behind.carried_id(description) == charge_id


@given(WORDS, st.sampled_from(list(ReceiptState)), st.integers(0, 1))
def test_what_took_no_money_is_never_lost(words, state, paid):
    receipt = Receipt(
        id="a" * 24, state=state, amount=1, create_time=0, pay_time=paid, description=words
    )
    found = behind.read_receipt(receipt)
    if state is ReceiptState.CREATED or (state is ReceiptState.CANCELLED and not paid):
        assert found is None
    carried = behind.read_receipt(
        Receipt(id="a" * 24, state=state, amount=1, create_time=0, pay_time=paid, description="a:1")
    )
    nothing = state is ReceiptState.CREATED or (state is ReceiptState.CANCELLED and not paid)
    assert (carried is None) == nothing
