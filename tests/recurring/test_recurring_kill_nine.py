"""`kill -9` while four processes run a club: each period has one debit, and each notice one row.

Payme is a sandbox in a process of its own that loses, delays and duplicates, and whose clock the
months pass on. `PAYME_TEST_LONG=1` makes it 150 kills in a year of 60 members, in place of 40 in
three months of 12.
"""

import multiprocessing
import os
import time
from random import Random

from charges.kill_worker import CLIENT
from charges.killing import MERCHANT, PAYME_KEY, WORKERS, Payme
from charges.ledgers import KEY
from payme import Payme as Client
from payme.charges import Charges, SqlLedger
from payme.recurring import Recurring
from payme.recurring.core import SubscriptionState
from recurring.club_books import (
    HOUR,
    Clock,
    count_the_club,
    expected_notices,
    is_quiet,
    past_due,
    sent_notices,
    set_up,
    wait_until_quiet,
    written_notices,
)
from recurring.club_worker import work

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, MEMBERS, DAYS = (150, 60, 365) if LONG else (40, 12, 95)
POOR = {3, 8}
STUCK = {SubscriptionState.PAST_DUE, SubscriptionState.RETRYING, SubscriptionState.PARKED}


class Runners:
    """Four processes, each of which is replaced when it is killed."""

    def __init__(self, context, *arguments):
        self._context, self._arguments = context, arguments
        self._running = [self._start(style) for style in WORKERS]

    def _start(self, style):
        process = self._context.Process(target=work, args=(style, *self._arguments), daemon=True)
        process.start()
        return process

    def kill(self, number):
        assert self._running[number].is_alive(), "a runner ended by itself"
        self._running[number].kill()
        self._running[number].join()
        self._running[number] = self._start(WORKERS[number])

    def end(self):
        for process in self._running:
            process.kill()
            process.join()


class Club:
    """A club of which a test sees every book."""

    def __init__(self, database, tmp_path):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["recurring.club_worker"])
        self.db, self.post = tmp_path / "sandbox.db", tmp_path / "post"
        self.payme = Payme(self.db)
        self.clock = Clock(context, self.payme)
        self.client = Client(MERCHANT, PAYME_KEY, base_url=self.payme.url, **CLIENT)
        self.ledger = SqlLedger(database, keys=[KEY])
        self.recurring = Recurring(
            Charges(self.client, self.ledger), now=lambda: self.clock.shared.value
        )
        set_up(self.recurring, self.payme, MEMBERS, POOR)
        self.runners = Runners(
            context, self.post, database, self.clock.shared, self.payme.url, MERCHANT, PAYME_KEY
        )

    def rest(self):
        wait_until_quiet(self.recurring, self.ledger)

    def catch_up(self):
        """Go on, with cards that have money, until everybody has paid what is due."""
        for _ in range(20):
            self.rest()
            behind = [one for one in self.members() if self.is_behind(one)]
            if not behind:
                return
            for one in behind:
                if one.state in STUCK:
                    self.recurring.use_card(one.id, self.payme.good)
            self.rest()
            # One missed period is opened a day, and what another card does not mend is tried again.
            self.clock.move(30 * HOUR)
        raise AssertionError(f"they never pay what is due: {behind}")

    def members(self):
        return [self.recurring.get(f"club-{number}") for number in range(MEMBERS)]

    def is_behind(self, one):
        return one.state in STUCK or one.due(one.next_n) <= self.clock.shared.value

    def close(self):
        self.runners.end()
        self.payme.kill()
        self.client.close()


def kill_while_they_work(club):
    random = Random(20261128)
    met = 0
    for _ in range(KILLS):
        # Never a whole month, and often enough a day on which nothing is due.
        club.clock.move(random.uniform(0.2, 1.8) * DAYS / KILLS * 24 * HOUR)
        time.sleep(random.uniform(0.02, 0.4))
        met += not is_quiet(club.recurring, club.ledger)
        club.runners.kill(random.randrange(len(WORKERS)))
    assert met > KILLS / 4, "they were killed while they had nothing to do"
    return met


def test_whoever_is_killed_each_period_is_paid_once_and_told_once(database, tmp_path):
    started = time.monotonic()
    club = Club(database, tmp_path)
    try:
        met = kill_while_they_work(club)
        club.catch_up()
    finally:
        club.close()
    paid = count_the_club(club.recurring, club.db, MEMBERS)
    written, sent = written_notices(club.ledger), sent_notices(club.post)
    assert written - past_due(written) == expected_notices(club.recurring, MEMBERS)
    assert set(sent) == set(written), "a notice was never sent, or one that nobody wrote"
    assert paid >= MEMBERS * (DAYS // 31)
    print(
        f"{KILLS} kills, {met} at work, {paid} periods paid, {written.total()} notices, "
        f"{sent.total() - len(sent)} sent twice, {time.monotonic() - started:.1f} s"
    )
    club.ledger.close()
