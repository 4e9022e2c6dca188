"""Months of a club whose runners are processes: the clock, the members, and the count."""

import json
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime

import sqlalchemy as sa

from charges.kill_worker import CLIENT
from charges.killing import MERCHANT, PAYME_KEY, Payme
from charges.ledgers import KEY
from payme import Payme as Client
from payme.charges import Charges, SqlLedger
from payme.recurring import PeriodState, Recurring
from payme.recurring.core import DAY, Notice, SubscriptionState
from payme.recurring.ledger import waking
from payme.recurring.sql import notices
from payme.sandbox import Sandbox
from recurring.club_worker import SharedClock

START = datetime(2026, 1, 31, 6, tzinfo=UTC).timestamp()  # 11:00 in Tashkent
HOUR = 3600.0
STUCK = {SubscriptionState.PAST_DUE, SubscriptionState.RETRYING, SubscriptionState.PARKED}


def price_of(number):
    return 5_000_000 + 100 * number


def set_up(recurring, payme, count, poor=(), *, same_day=False):
    """Let members in, whose anchors lie all over the month; some have a card without money."""
    recurring.create_all()
    for number in range(count):
        token = payme.poor if number in poor else payme.good
        earlier = 0 if same_day else number % 28 * DAY
        recurring.create(
            f"club-{number}", price_of(number), {"member": number}, token, missed="all",
            anchor=datetime.fromtimestamp(START - earlier, UTC).date(),
            description="Club",
        )  # fmt: skip


class Clock:
    """The time of the club, and of its sandbox, whose clock moves along."""

    def __init__(self, path, payme: Payme):
        self.shared = SharedClock(path)
        self.shared.value = START
        self._control = payme.url.replace("/api", "/_sandbox/clock")
        self._ask(freeze=datetime.fromtimestamp(START, UTC).isoformat())
        self._ask(resume=True)

    def move(self, seconds):
        self._ask(advance=int(seconds * 1000))
        self.shared.value += seconds

    def _ask(self, **body):
        request = urllib.request.Request(
            self._control, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


class Club:
    """A club of which a test sees every book; who runs it are other processes.

    Args:
        database: URL of its ledger.
        folder: Takes the sandbox and the clock.
        members: How many there are.
        poor: The numbers of those whose card has no money.
    """

    def __init__(self, database, folder, members, poor=()):
        self.count = members
        self._db = folder / "sandbox.db"
        self.payme = Payme(self._db)
        self.clock = Clock(folder / "clock", self.payme)
        self._client = Client(MERCHANT, PAYME_KEY, base_url=self.payme.url, **CLIENT)
        self.ledger = SqlLedger(database, keys=[KEY])
        charges = Charges(self._client, self.ledger)
        self.recurring = Recurring(charges, now=lambda: self.clock.shared.value)
        set_up(self.recurring, self.payme, members, poor)

    @property
    def is_quiet(self):
        """Nothing is due, and no charge is under way."""
        due = self.recurring._keeper.read(waking, self.clock.shared.value)
        return not due and self.ledger.next_due() is None

    def rest(self, seconds=120):
        until = time.monotonic() + seconds
        while not self.is_quiet:
            assert time.monotonic() < until, "it never comes to rest"
            time.sleep(0.05)

    def catch_up(self):
        """Go on, with cards that have money, until everybody has paid what is due."""
        for _ in range(20):
            self.rest()
            behind = [one for one in self._members() if self._is_behind(one)]
            if not behind:
                return
            for one in behind:
                if one.state in STUCK:
                    self.recurring.use_card(one.id, self.payme.good)
            self.rest()
            # One missed period is opened a day, and what another card does not mend is tried again.
            self.clock.move(30 * HOUR)
        raise AssertionError(f"they never pay what is due: {behind}")

    def _members(self):
        return [self.recurring.get(f"club-{number}") for number in range(self.count)]

    def _is_behind(self, one):
        return one.state in STUCK or one.due(one.next_n) <= self.clock.shared.value

    def check(self):
        """Each period has one debit, and each notice was written once; gives how many were paid."""
        paid = count_the_club(self.recurring, self._db, self.count)
        written = written_notices(self.ledger)
        assert written - past_due(written) == expected_notices(self.recurring, self.count)
        return paid

    def close(self):
        self.payme.kill()
        self._client.close()


class Books:
    """What stands on the card for each charge, by the ledger that the sandbox left."""

    def __init__(self, db):
        sandbox = Sandbox(db=db)
        words = {receipt.id: receipt.description for receipt in sandbox.receipts(10**6)}
        self.money, self.debits = Counter(), Counter()
        for entry in sandbox.ledger():
            sign = {"debit": 1, "refund": -1}[entry.kind]
            charge_id = words[entry.receipt_id].removeprefix("Club (").removesuffix(")")
            self.money[charge_id] += sign * abs(entry.amount)
            self.debits[charge_id] += sign
        sandbox.stop()


def count_the_club(recurring, db, count):
    """Each period has one row and one debit, and both books agree to the tiyin.

    Returns:
        How many periods were paid.
    """
    books, now, paid = Books(db), recurring._now(), []
    for number in range(count):
        subscription = recurring.get(f"club-{number}")
        periods = recurring.periods(subscription.id)
        assert [period.n for period in periods] == list(range(subscription.next_n))
        assert subscription.due(subscription.next_n) > now, "a period that is due was not opened"
        assert {period.state for period in periods} == {PeriodState.PAID}
        for period in periods:
            assert books.debits[period.charge_id] == 1, period.charge_id
            assert books.money[period.charge_id] == period.amount == price_of(number)
            paid.append(period.charge_id)
    assert len(paid) == len(set(paid))
    assert {name for name, debits in books.debits.items() if debits} == set(paid)
    assert sum(books.money.values()) == sum(price_of(int(name[5:].split(":")[0])) for name in paid)
    return len(paid)


def expected_notices(recurring, count):
    """What the members had to be told, from what became of their periods."""
    told = Counter()
    for number in range(count):
        subscription = recurring.get(f"club-{number}")
        # Who signs up less than three days before the first payment has just been told of it.
        soon = subscription.due(0) - 3 * DAY < subscription.created
        for n in range(1 if soon else 0, subscription.told + 1):
            told[subscription.id, n, Notice.UPCOMING.value] += 1
        for period in recurring.periods(subscription.id):
            told[subscription.id, period.n, Notice.CHARGED.value] += 1
            if period.refusals:
                told[subscription.id, period.n, Notice.REFUSED.value] += 1
    return told


def written_notices(ledger: SqlLedger):
    """What is in the outbox, sent or not."""
    which = (notices.c.subscription, notices.c.n, notices.c.kind)
    with ledger._engine.connect() as connection:
        return Counter(tuple(row) for row in connection.execute(sa.select(*which)))


def sent_notices(post):
    """What was sent, from the file that the runners wrote to."""
    lines = post.read_text(encoding="utf-8").split("\n")[:-1]
    return Counter((name, int(n), kind) for name, n, kind in map(str.split, lines))


def past_due(counted):
    """Those of the notices whose number depends on the days on which retries fell."""
    return Counter({key: n for key, n in counted.items() if key[2] == Notice.PAST_DUE.value})
