"""Months on the sandbox: cards run dry and vanish, answers get lost, two schedulers run at once.

A short one always, a long one with PAYME_TEST_LONG=1.
"""

import os
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime

import pytest

from charges.ledgers import KEY as LEDGER_KEY
from payme import Payme
from payme.charges import Charges, Policy, SqlLedger
from payme.errors import PaymeError
from payme.recurring import PeriodState, Recurring, SubscriptionConflict, SubscriptionState
from payme.recurring.core import DAY
from payme.sandbox import Sandbox
from payme.transport.memory import MemoryTransport

KEY = "Rw712wMJspZBczFvrG09-bHkSNxnD4PY0n1C"
POOR = "8600318600000007"
POLICY = Policy(ask_for=0.05, look_for=0.05, first_pause=0.01, longest_pause=0.05, lease=2.0)
START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()
PRICE = 5_000_000
LONG = bool(os.environ.get("PAYME_TEST_LONG"))
SUBSCRIBERS, DAYS = (200, 365) if LONG else (12, 150)


class Host:
    """A process of its own: a client, a ledger, charges and a scheduler."""

    def __init__(self, sandbox, database, clock):
        transport = MemoryTransport(sandbox.handle)
        self.client = Payme(sandbox.merchant_id, KEY, environment="test", transport=transport)
        self.ledger = SqlLedger(database, keys=[LEDGER_KEY])
        self.charges = Charges(self.client, self.ledger, policy=POLICY)
        self.recurring = Recurring(self.charges, now=clock)
        self.recurring.create_all()

    def close(self):
        self.client.close()
        self.ledger.close()


class Year:
    def __init__(self, sandbox, database, seed):
        self.sandbox = sandbox
        self.random = random.Random(seed)
        self.now = START
        self.hosts = [Host(sandbox, database, lambda: self.now) for _ in range(2)]
        self.recurring = self.hosts[0].recurring
        self.ids = [f"club-{number}" for number in range(SUBSCRIBERS)]
        for number, name in enumerate(self.ids):
            # A third of them signed up before: their anchors lie all over the month.
            self.recurring.create(
                name, PRICE, {"member": number}, sandbox.add_card(), missed="latest",
                anchor=datetime.fromtimestamp(START - (number % 3) * 9 * DAY, UTC).date(),
            )  # fmt: skip

    def day(self):
        self.now += DAY
        self.at_once(lambda host: host.recurring.tick())
        for _ in range(200):
            self.at_once(lambda host: host.charges.recover())
            if self.hosts[0].ledger.next_due() is None:
                return
            time.sleep(0.01)
        raise AssertionError("charges do not come to rest")

    def at_once(self, act):
        errors = []

        def guarded(host):
            try:
                act(host)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=guarded, args=[host]) for host in self.hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []

    def happen(self):
        """Something that happens to a club."""
        what = self.random.choice(["dry", "vanish", "replace", "lose", "pause", "resume", "cancel"])
        name = self.random.choice(self.ids)
        if what == "lose":
            method = self.random.choice(["receipts.create", "receipts.pay", "receipts.get"])
            self.sandbox.faults.add(method, when="after", action="drop", times=2)
            return
        try:
            if what == "dry":
                self.recurring.use_card(name, self.sandbox.add_card(number=POOR))
            elif what == "vanish":
                token = self.sandbox.add_card()
                self.recurring.use_card(name, token)
                self.hosts[0].client.cards.remove(token)
            elif what == "replace":
                self.recurring.use_card(name, self.sandbox.add_card())
            elif what != "cancel" or self.random.random() < 0.3:
                getattr(self.recurring, what)(name)
        except SubscriptionConflict:
            pass

    def check(self):
        paid = []
        for name in self.ids:
            for period in self.recurring.periods(name):
                if period.state == PeriodState.SKIPPED:
                    continue
                charge = self.hosts[0].charges.get(period.charge_id)
                assert charge.rests
                assert charge.is_paid == (period.state == PeriodState.PAID)
                if charge.is_paid:
                    assert self.sandbox.debits(charge.receipt_id) == 1
                    paid.append(charge.receipt_id)
        signs = {"debit": 1, "refund": -1}
        standing = Counter()
        for entry in self.sandbox.ledger():
            standing[entry.receipt_id] += signs[entry.kind] * entry.amount
        assert {receipt for receipt, money in standing.items() if money} == set(paid)
        assert sum(standing.values()) == PRICE * len(paid)
        return len(paid)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_a_club_of_some_months_agrees_to_the_tiyin(database, seed):
    with Sandbox(key=KEY) as sandbox:
        year = Year(sandbox, database, seed)
        for _ in range(DAYS):
            if year.random.random() < 0.4:
                year.happen()
            year.day()
        # Whoever can pay again does.
        sandbox.faults.clear()
        for name in year.ids:
            if year.recurring.get(name).state != SubscriptionState.ENDED:
                year.recurring.use_card(name, sandbox.add_card())
        year.day()
        year.day()
        paid = year.check()
        states = Counter(year.recurring.get(name).state for name in year.ids)
        for host in year.hosts:
            host.close()
    assert paid > SUBSCRIBERS
    stuck = {SubscriptionState.PAST_DUE, SubscriptionState.RETRYING, SubscriptionState.PARKED}
    assert not stuck & set(states), states


def test_a_member_pays_and_sees_it(tmp_path):
    """The way of a sign-up: subscribe, and pay the first month while the member waits."""
    with Sandbox(key=KEY) as sandbox:
        host = Host(sandbox, f"sqlite:///{tmp_path / 'payme.db'}", lambda: START)
        host.recurring.create("club-17", PRICE, {"member": 17}, sandbox.add_card(), missed="skip")
        assert host.charges.advance("club-17:0").is_paid
        (period,) = host.recurring.periods("club-17")
        assert period.state == PeriodState.PAID
        with pytest.raises(PaymeError):
            host.charges.cancel("club-17:0")
        host.close()


def test_a_runner_ticks_and_drives(tmp_path):
    with Sandbox(key=KEY) as sandbox:
        host = Host(sandbox, f"sqlite:///{tmp_path / 'payme.db'}", lambda: START)
        for number in range(3):
            token = sandbox.add_card()
            host.recurring.create(f"club-{number}", PRICE, {"m": number}, token, missed="skip")
        host.recurring.run(drain=True)
        assert [host.charges.get(f"club-{number}:0").is_paid for number in range(3)] == [True] * 3
        stop = threading.Event()
        runner = threading.Thread(target=host.recurring.run, kwargs={"stop": stop})
        runner.start()
        host.recurring.create("club-9", PRICE, {"m": 9}, sandbox.add_card(), missed="skip")
        until = time.monotonic() + 10
        while not host.charges.get("club-9:0").is_paid and time.monotonic() < until:
            time.sleep(0.05)
        stop.set()
        runner.join(10)
        assert not runner.is_alive()
        assert host.recurring.get("club-9").debt is None
        host.close()
