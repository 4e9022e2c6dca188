"""A subscription in memory: what the core decides is stored, and its charges end as a test says."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import msgspec

from payme.charges.core import Charge, ChargeState
from payme.recurring import core
from payme.recurring.core import APART, DAY, Notice, PeriodState, SubscriptionState
from payme.recurring.rule import check_rule, check_timezone

HOUR = 3600.0
PRICE = 50_000_00
START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()  # 11:00 in Tashkent

PAID, SOFT, HARD, UNKNOWN = "paid", "soft", "hard", "unknown"
CODES = {SOFT: (-31630, "Недостаточно средств на карте"), HARD: (-31400, "Карта не найдена")}

DEFAULTS = {
    "missed": "latest",
    "every": (1, "month"),
    "anchor": None,
    "at": time(10),
    "timezone": "Asia/Tashkent",
    "trial_until": None,
    "ends": None,
    "late_after": timedelta(days=1),
    "max_catch_up": 1,
    "retries": None,
    "grace_days": 8,
    "after_retries": "past_due",
    "notice_days": None,
    "description": None,
}


def made(start=START, amount=PRICE, account=None, **options):
    options = {**DEFAULTS, **options}
    check_timezone(options["timezone"])
    today = date.fromisoformat(str(datetime.fromtimestamp(start + 5 * HOUR, UTC).date()))
    return check_rule(today, amount, {"club": 17} if account is None else account, **options)


class Club:
    """One subscriber."""

    def __init__(self, start=START, **options):
        self.now, self.looked = start, None
        self.outcome = PAID
        self.periods, self.charges = {}, {}
        self.notices, self.debits, self.attempts, self.announced = [], [], [], {}
        self.by_a_person = False
        self.card = 0
        rule, terms = made(start, **options)
        self.sub = None
        self.store(core.create("club-17", rule, terms, start))

    # What the ledger does.

    @property
    def debt(self):
        return None if self.sub.debt is None else self.periods[self.sub.debt]

    def store(self, change):
        if change is None:
            return False
        assert change.before == self.sub
        self.sub = change.after
        for period in change.periods:
            known = self.periods.get(period.n)
            assert known is None or period.n < self.sub.next_n
            if known is not None:
                frozen = ("start", "end", "amount", "opened")
                assert all(getattr(known, name) == getattr(period, name) for name in frozen)
            self.periods[period.n] = period
        for told in change.told:
            if told in self.notices:
                # The outbox has one row for each, whatever happens again.
                assert told.kind != Notice.UPCOMING
                continue
            self.notices.append(told)
            if told.kind == Notice.UPCOMING:
                self.announced[told.n] = self.sub.amount(told.n)
        if change.submit is not None:
            self.submit(change.submit)
        if change.ask is not None:
            self.ask(change.ask, change.periods[-1])
        debts = [one for one in self.periods.values() if one.is_debt]
        assert [one.n for one in debts] == ([] if self.sub.debt is None else [self.sub.debt])
        return True

    def submit(self, period):
        assert period.n not in self.charges
        self.charges[period.n] = Charge(
            id=period.charge_id, amount=period.amount, account={"club": 17}, due=self.now
        )
        self.attempts.append((period.n, self.now, self.by_a_person, self.card))

    def ask(self, word, period):
        charge = self.charges[period.n]
        if word == "retry":
            assert charge.state in (ChargeState.REFUSED, ChargeState.FAILED)
            self.charges[period.n] = msgspec.structs.replace(charge, state=ChargeState.OPEN)
            self.attempts.append((period.n, self.now, self.by_a_person, self.card))
            return
        members = {"given_up": True}
        if charge.state != ChargeState.PAYING:
            members["state"] = ChargeState.FAILED
        self.charges[period.n] = msgspec.structs.replace(charge, **members)

    # What drives charges.

    def drive(self):
        for n, charge in self.charges.items():
            if not charge.rests:
                self.end(n, charge)

    def end(self, n, charge):
        states = {PAID: ChargeState.PAID, UNKNOWN: ChargeState.PAYING}
        state = states.get(self.outcome, ChargeState.REFUSED)
        if charge.given_up and state != ChargeState.PAID:
            state = ChargeState.FAILED
        code, message = CODES.get(self.outcome, (None, None))
        ended = msgspec.structs.replace(charge, state=state, code=code, message=message, receipts=1)
        self.charges[n] = ended
        if state == ChargeState.PAID:
            self.debits.append((n, charge.amount, self.now))
        if ended.rests:
            self.store(core.learn(self.sub, self.periods[n], ended, self.now))

    # Time.

    def tick(self):
        for _ in range(100):
            charge = None if self.sub.debt is None else self.charges[self.sub.debt]
            if not self.store(core.tick(self.sub, self.debt, charge, self.now)):
                return
        raise AssertionError(f"{self.sub!r} never comes to rest at {self.now}")

    def run(self, days, step=HOUR, down=False):
        until = self.now + days * DAY
        while self.now < until:
            self.now = min(self.now + step, until)
            if not down:
                self.tick()
                self.drive()
                self.tick()
                self.looked = self.now

    def say(self, word, **options):
        """Do what a person asks, if it is allowed."""
        self.by_a_person, self.looked = True, None
        if word == "use_card":
            self.card += 1
        try:
            return self.store(getattr(core, word)(self.sub, self.debt, self.now, **options))
        except core.SubscriptionConflict:
            return False
        finally:
            self.by_a_person = False

    # What must hold, whatever happened.

    def check(self):
        numbers = [n for n, _, _ in self.debits]
        assert len(numbers) == len(set(numbers)), "a period was debited twice"
        paid = {n for n, one in self.periods.items() if one.state == PeriodState.PAID}
        assert set(numbers) == paid
        for n, amount, _ in self.debits:
            assert amount == self.periods[n].amount
            assert amount == self.announced.get(n, amount)
        assert sorted(self.periods) == list(range(self.sub.next_n))
        starts = [self.periods[n].start for n in sorted(self.periods)]
        assert starts == sorted(set(starts))
        self.check_attempts()
        if self.sub.wakes is None:
            rests = {SubscriptionState.PAST_DUE, SubscriptionState.PARKED, SubscriptionState.ENDED}
            assert self.sub.state in rests or self.debt is not None
        elif self.looked == self.now:
            assert self.sub.wakes > self.now, "it was left alone"

    def check_attempts(self):
        for n in self.periods:
            mine = [one for one in self.attempts if one[0] == n]
            for before, after in pairwise(mine):
                by_a_person = after[2] or after[3] != before[3]
                assert by_a_person or after[1] - before[1] >= APART
            for _, at, _, _ in mine:
                window = [one for one in mine if at - 30 * DAY < one[1] <= at]
                assert len(window) <= 15
