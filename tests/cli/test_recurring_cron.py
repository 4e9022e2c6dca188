"""`payme recurring run --drain` as a cron job: runs that overlap, are stopped, killed, or fail."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import time as clock_time

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.recurring import PeriodState, Recurring
from payme.recurring.sql import subscriptions
from payme.sandbox import Sandbox

PRICE, MEMBERS = 5_000_000, 12
COMMAND = [
    sys.executable,
    "-c",
    "from payme.cli import main; main()",
    "recurring",
    "run",
    "--drain",
]


class Host:
    """A host with a ledger in SQLite, and its environment."""

    def __init__(self, box, folder):
        self.box = box
        self.url = f"sqlite:///{folder}/ledger.db"
        key = Fernet.generate_key().decode()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAYME_")},
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PAYME_MERCHANT_ID": box.merchant_id,
            "PAYME_KEY": box.key,
            "PAYME_BASE_URL": box.url,
            "PAYME_LEDGER": self.url,
            "PAYME_LEDGER_KEYS": key,
        }
        self.ledger = SqlLedger(self.url, keys=[key])
        self.client = Payme(box.merchant_id, box.key, base_url=box.url)
        self.recurring = Recurring(Charges(self.client, self.ledger))
        self.recurring.create_all()
        for number in range(MEMBERS):
            token = box.add_card()
            self.recurring.create(
                f"club-{number}", PRICE, {"member": number}, token, missed="latest",
                at=clock_time(0),  # due at any hour at which this is run
            )  # fmt: skip

    def start(self, *before, **environment):
        return subprocess.Popen(
            [*before, *COMMAND], env=self.environment | environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def end(self, process, code=0):
        output, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        return output + errors

    def states(self):
        ids = [f"club-{number}" for number in range(MEMBERS)]
        return [one.state for name in ids for one in self.recurring.periods(name)]

    def check(self):
        assert self.states() == [PeriodState.PAID] * MEMBERS
        entries = self.box.ledger()
        assert [entry.kind for entry in entries] == ["debit"] * MEMBERS
        assert {entry.amount for entry in entries} == {PRICE}

    def hold_up(self):
        """Let Payme answer a payment late, so that a run is under way for a while."""
        self.box.faults.add("receipts.pay", when="before", action="delay", delay_ms="2s", times=4)


@pytest.fixture
def host(tmp_path):
    with Sandbox() as box:
        host = Host(box, tmp_path)
        yield host
        host.client.close()
        host.ledger.close()


def wait_until_it_drives(host):
    until = time.monotonic() + 30
    while not host.box.receipts():
        assert time.monotonic() < until, "it never began"
        time.sleep(0.02)


@pytest.mark.slow
def test_runs_that_overlap_take_each_period_once_and_end_with_0(host):
    host.hold_up()
    for run in [host.start() for _ in range(3)]:
        host.end(run)
    host.check()


def test_a_run_that_has_nothing_to_do_ends_with_0(host):
    host.end(host.start())
    assert host.end(host.start()) == "0 had something due\n"
    host.check()


@pytest.mark.slow
def test_sigterm_ends_it_with_0_after_what_is_under_way_and_the_next_run_goes_on(host):
    host.hold_up()
    run = host.start()
    wait_until_it_drives(host)
    run.send_signal(signal.SIGTERM)
    host.end(run)
    host.end(host.start())
    host.check()


def test_a_refused_key_ends_it_with_1_and_takes_nothing(host):
    assert "Payme refuses" in host.end(host.start(PAYME_KEY="k" * 36), code=1)
    assert host.box.ledger() == []


def test_a_subscription_that_fails_is_told_and_holds_no_run_up(host):
    host.end(host.start())
    with host.ledger._engine.begin() as connection:
        # As a hand in the database might leave it: its first period is there, and not known of.
        broken = sa.update(subscriptions).where(subscriptions.c.id == "club-3")
        connection.execute(broken.values(next_n=0, openings="[]", wakes=1.0))
        another = sa.update(subscriptions).where(subscriptions.c.id == "club-4")
        connection.execute(another.values(wakes=2.0))
    told = host.end(host.start())
    assert "subscription club-3 could not be ticked" in told
    assert told.startswith("1 had something due\n")
    assert host.recurring.get("club-4").wakes > 2.0
    host.check()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock: apt-get install util-linux")
def test_flock_leaves_the_work_to_the_run_before(host, tmp_path):
    """As the page says: `flock -n -E 0 FILE payme recurring run --drain`."""
    host.hold_up()
    lock = ["flock", "-n", "-E", "0", str(tmp_path / "lock")]
    first = host.start(*lock)
    wait_until_it_drives(host)
    assert host.end(host.start(*lock)) == ""
    host.end(first)
    host.check()
