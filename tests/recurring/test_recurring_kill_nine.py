"""`kill -9` while four processes run a club: each period has one debit, and each notice one row.

Payme is a sandbox in a process of its own that loses, delays and duplicates, and whose clock the
months pass on. `PAYME_TEST_LONG=1` makes it 150 kills in a year of 60 members, in place of 40 in
three months of 12.
"""

import multiprocessing
import os
import time
from random import Random

import pytest

from charges.killing import MERCHANT, PAYME_KEY, WORKERS, wait_for
from recurring.club_books import HOUR, Club, sent_notices, written_notices
from recurring.club_worker import work

LONG = os.environ.get("PAYME_TEST_LONG") == "1"
KILLS, MEMBERS, DAYS = (150, 60, 365) if LONG else (40, 12, 95)
POOR = {3, 8}


class Runners:
    """Four processes, each of which is replaced when it is killed."""

    def __init__(self, *arguments):
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["recurring.club_worker"])
        self._arguments = arguments
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


def kill_while_they_work(club, runners):
    random = Random(20261128)
    met = 0
    for kill in range(KILLS):
        # Never a whole month, and often enough a day on which nothing is due.
        club.clock.move(random.uniform(0.2, 1.8) * DAYS / KILLS * 24 * HOUR)
        time.sleep(random.uniform(0.02, 0.4))
        met += not club.is_quiet
        runners.kill(random.randrange(len(WORKERS)))
        if kill % 5 == 4:
            # However slow the machine, nobody misses so many periods that a person must decide.
            club.rest()
    assert met > KILLS / 4, "they were killed while they had nothing to do"
    return met


@pytest.mark.slow
def test_whoever_is_killed_each_period_is_paid_once_and_told_once(database, tmp_path):
    started, post = time.monotonic(), tmp_path / "post"
    club = Club(database, tmp_path, MEMBERS, POOR)
    runners = Runners(post, database, club.clock.shared, club.payme.url, MERCHANT, PAYME_KEY)
    try:
        met = kill_while_they_work(club, runners)
        club.catch_up()
        wait_for(lambda: not club.recurring.outbox())
    finally:
        runners.end()
        club.close()
    paid, written, sent = club.check(), written_notices(club.ledger), sent_notices(post)
    assert set(sent) == set(written), "a notice was never sent, or one that nobody wrote"
    assert paid >= MEMBERS * (DAYS // 31)
    print(
        f"{KILLS} kills, {met} at work, {paid} periods paid, {written.total()} notices, "
        f"{sent.total() - len(sent)} sent twice, {time.monotonic() - started:.1f} s"
    )
    club.ledger.close()
