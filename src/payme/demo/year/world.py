"""A year that passes in a minute: the sandbox's clock is moved from day to day."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from cryptography.fernet import Fernet

from payme.charges import SqlLedger
from payme.charges.audit import Audit, Difference, Kind
from payme.charges.pace import play_at, play_now
from payme.cli.sql_books import SqlBooks
from payme.demo.year import books
from payme.demo.year.books import Books
from payme.demo.year.hosts import Hosts, Settings
from payme.demo.year.plan import Plan
from payme.demo.year.shop import Shop
from payme.errors import NotSent, OutcomeUnknown
from payme.recurring import LedgerBehind
from payme.recurring.ledger import LostReceipt
from payme.sandbox import Sandbox
from payme.sandbox.clock import SandboxClock

FAULTS: Final = (
    "receipts.create after drop probability=0.01",
    "receipts.pay before drop probability=0.005",
    "receipts.pay after drop probability=0.02",
    "receipts.pay after duplicate probability=0.01",
    "receipts.pay after rpc_error probability=0.005",
    "receipts.get before drop probability=0.2",
    "receipts.cancel after drop probability=0.1",
)
"""How answers are lost, all year."""

TASHKENT: Final = timezone(timedelta(hours=5))
_MOST_ROUNDS: Final = 300
_MOST_AUDITS: Final = 10
# Longer than a payment is asked about before its receipt is given up.
_A_WHILE: Final = 45.0


class Counted(NamedTuple):
    """What befell the processes.

    Attributes:
        kills: How many were killed at work.
        rounds: How often the hosts were let work.
        days: On how many days.
        driven: How many charges they drove; one that was driven twice counts twice.
        cpu: Processor's seconds that they took.
        orphans: Unpaid receipts that an audit cancelled: their ids were lost with the answer.
        lost: Payments whose charges the restored backup did not know.
        behind: How many hosts refused to work with it.
        adopted: Receipts that were taken in before they did.
    """

    kills: int = 0
    rounds: int = 0
    days: int = 0
    driven: int = 0
    cpu: float = 0.0
    orphans: int = 0
    lost: int = 0
    behind: int = 0
    adopted: int = 0


class World:
    """The sandbox, the shop, its hosts and its database.

    Args:
        plan: What will happen.
        folder: Where the shop's database is.
        seed: Chance of the faults.
        faults: How answers are lost.
    """

    def __init__(self, plan: Plan, folder: Path, seed: int, faults: Sequence[str] = FAULTS) -> None:
        self.plan = plan
        self.database = folder / "shop.db"
        self._copy = folder / "backup.db"
        self.key = Fernet.generate_key()
        self.counted = Counted()
        self._random = Random(seed)  # noqa: S311 - nothing here guards anything
        clock = SandboxClock(start=_at(plan.start - timedelta(days=1)))
        # Receipts that show for whom they are: by that an audit tells an orphan for certain.
        self.sandbox = Sandbox(clock=clock, seed=seed, account_fields={"member": "Member"})
        self.sandbox.start()
        for fault in faults:
            self.sandbox.faults.add_text(fault)
        self._follow_the_clock()
        self.shop = Shop(self.sandbox, self._ledger(), plan.members)
        self.hosts = Hosts(
            Settings(
                self.url,
                self.key,
                self.sandbox.url,
                self.sandbox.merchant_id,
                self.sandbox.key,
            )
        )

    def close(self) -> None:
        """Stop everything."""
        self.hosts.stop()
        self.shop.client.close()
        self.shop.ledger.close()
        self.sandbox.stop()
        play_now()

    def end(self) -> None:
        """Come to the end: no answer is lost any more, and the shop looks at all its cards."""
        self.sandbox.faults.clear()
        self._let_rest()
        self.audit(cancel=True)
        for member in self.plan.members:
            for card in self.shop.wallet.list(member.customer):
                self.shop.wallet.refresh(card.id)

    @property
    def now(self) -> float:
        """The sandbox's time in seconds since 1970."""
        return self.sandbox.clock.now() / 1000

    def pass_year(self, passed: Callable[[date], None] = lambda _: None) -> None:
        """Let all days pass.

        Args:
            passed: Called after each day.
        """
        day = self.plan.start
        while day < self.plan.end:
            if self._is_due(day):
                self._pass_day(day)
                passed(day)
            day += timedelta(days=1)

    def _is_due(self, day: date) -> bool:
        if day in self.plan.events or day in self.plan.kills:
            return True
        with closing(sqlite3.connect(self.database)) as connection:
            (wakes,) = connection.execute("SELECT min(wakes) FROM payme_subscription").fetchone()
        return wakes is not None and wakes <= _at(day).timestamp()

    def _pass_day(self, day: date) -> None:
        self._move_to(_at(day))
        for event in self.plan.events.get(day, ()):
            self.shop.happen(event)
        kills = day in self.plan.kills
        self._work(kill_after=self._random.uniform(0.005, 0.08) if kills else None)
        self._let_rest()
        counted = self.counted
        self.counted = counted._replace(kills=counted.kills + kills, days=counted.days + 1)
        if day == self.plan.backup:
            self._back_up()
        if day == self.plan.disaster:
            self._lose_everything_since(self.plan.backup)

    def _back_up(self) -> None:
        """Copy the database, as a nightly job does."""
        with (
            closing(sqlite3.connect(self.database)) as source,
            closing(sqlite3.connect(self._copy)) as copy,
        ):
            source.backup(copy)

    def _lose_everything_since(self, backup: date) -> None:
        """Kill all hosts, put the copy in the place of the database, and come to terms with it.

        Payme knows of payments that the copy doesn't: the hosts refuse to work until they are taken
        in, and what members did meanwhile is asked of the shop again.
        """
        self.hosts.stop()
        self.shop.ledger.close()
        for path in self.database.parent.glob(f"{self.database.name}*"):
            path.unlink()
        shutil.copy(self._copy, self.database)
        self.shop.use(self._ledger())
        self.hosts.start()
        lost = len(books.lost(self.read()))
        did = self.hosts.work(self._follow_the_clock())
        behind = sum(one.is_behind for one in did)
        found = self._found_lost()
        for receipt in found:
            self._adopt(receipt)
        self.counted = self.counted._replace(lost=lost, adopted=len(found), behind=behind)
        self._mend()
        days = sorted(day for day in self.plan.events if backup < day <= self.plan.disaster)
        self.shop.happened([event for day in days for event in self.plan.events[day]])
        self._work()
        self._let_rest()

    def read(self) -> Books:
        """Read all books as they are."""
        return books.read(self.sandbox, self.database, self.shop.customers)

    def _adopt(self, receipt: LostReceipt) -> None:
        while True:
            # Payme is asked about the receipt, and that answer may be lost, too.
            with suppress(OutcomeUnknown, NotSent):
                self.shop.recurring.adopt(receipt.receipt_id)
                return

    def _found_lost(self) -> tuple[LostReceipt, ...]:
        """Return what Payme has taken and the ledger does not know."""
        try:
            self.shop.recurring.check()
        except LedgerBehind as behind:
            return behind.receipts
        return ()

    def _mend(self) -> None:
        """Mend what an audit finds, until it finds nothing; what can't be mended the proof tells.

        Unpaid receipts of periods that the ledger knows nothing of are cancelled; a charge that was
        refused when the copy was made and is paid by now finds that out when it is tried again.
        """
        for _ in range(_MOST_AUDITS):
            found = self.audit(cancel=True)
            if not found:
                return
            for one in found:
                self._mend_one(one)
            self.sandbox.clock.advance("1m")
            self._follow_the_clock()

    def _mend_one(self, one: Difference) -> None:
        if one.kind is Kind.STATE:
            self.shop.charges.retry(str(one.charge_id))
        elif one.payme is not None and one.payme.state == "CREATED":
            # Should the answer be lost, the next audit sees what came of it.
            with suppress(OutcomeUnknown):
                self.shop.client.receipts.cancel(str(one.receipt_id))

    def audit(self, *, cancel: bool) -> list[Difference]:
        """Compare Payme's receipts of all the time with the ledger.

        Args:
            cancel: Cancel orphans: unpaid receipts whose ids were lost with an answer.
        """
        while True:
            # The answer to one of its own questions may be lost; then it is begun again.
            with suppress(OutcomeUnknown, NotSent):
                return self._audit(cancel=cancel)

    def _audit(self, *, cancel: bool) -> list[Difference]:
        start = _at(self.plan.start) - timedelta(days=2)
        end = datetime.fromtimestamp(self.now, TASHKENT) + timedelta(minutes=1)
        with (
            SqlBooks(self.url, [self.key.decode()]) as ledger,
            Audit(self.shop.client, ledger, (start, end), cancel=cancel) as audit,
        ):
            found: list[Difference] = []
            for one in audit.differences():
                found += [] if one.cancelled else [one]
                orphans = self.counted.orphans + one.cancelled
                self.counted = self.counted._replace(orphans=orphans)
            return found

    def _let_rest(self) -> None:
        """Let the hosts go on until nothing is under way; what has to wait is waited for."""
        for _ in range(_MOST_ROUNDS):
            due = self.shop.ledger.next_due()
            if due is None:
                return
            self.sandbox.clock.advance(timedelta(seconds=max(due - self.now, _A_WHILE)))
            self._work()
        raise RuntimeError("charges never come to rest")

    def _work(self, kill_after: float | None = None) -> None:
        did = self.hosts.work(self._follow_the_clock(), kill_after=kill_after)
        counted = self.counted
        self.counted = counted._replace(
            rounds=counted.rounds + 1,
            driven=counted.driven + sum(one.driven for one in did),
            cpu=counted.cpu + sum(one.cpu for one in did),
        )

    def _move_to(self, moment: datetime) -> None:
        ahead = moment.timestamp() - self.now
        if ahead > 0:
            self.sandbox.clock.advance(timedelta(seconds=ahead))
        self._follow_the_clock()

    def _follow_the_clock(self) -> float:
        """Let this process be at the sandbox's time, so that the shop is."""
        play_at(now := self.now)
        return now

    @property
    def url(self) -> str:
        """Address of the shop's database."""
        return f"sqlite:///{self.database}"

    def _ledger(self) -> SqlLedger:
        return SqlLedger(self.url, keys=[self.key])


def _at(day: date) -> datetime:
    """Return the moment at which a day's work is done: a little after payments are due."""
    return datetime(day.year, day.month, day.day, 10, 5, tzinfo=TASHKENT)
