"""Three hosts, a database and Payme on a network of their own; one host after the other is cut off.

Run by `test_disasters.py` in a network namespace (`unshare --net`), so that nothing of it is on
the machine's network, and everything is gone when it ends. Each host is a namespace inside.
"""

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from charges.kill_worker import CLIENT, POLICY, work
from charges.killing import MERCHANT, PAYME_KEY, Payme, count_the_money, submit, wait_for
from charges.ledgers import KEY
from payme.charges import ChargeState, SqlLedger
from support.postgres import OwnPostgres

DATABASE, PAYME = "10.77.0.1", "10.77.0.2"
STYLES = ["asyncio", "threads", "asyncio"]
CHARGES = 120


def run(*command):
    subprocess.run(command, check=True)


def make_switch():
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "switch", "type", "bridge")
    for address in (DATABASE, PAYME):
        run("ip", "address", "add", f"{address}/24", "dev", "switch")
    run("ip", "link", "set", "switch", "up")


class Host:
    """A namespace with one worker, plugged into the switch."""

    def __init__(self, number, *arguments):
        worker = [sys.executable, __file__, "worker", STYLES[number], *arguments]
        self._process = subprocess.Popen(
            ["unshare", "--net", *worker], stdin=subprocess.PIPE, text=True
        )
        self._pid = str(self._process.pid)
        cable = f"cable{number}"
        wait_for(lambda: Path(f"/proc/{self._pid}/ns/net").readlink() != own_namespace())
        run(*("ip", "link", "add", cable, "type", "veth"), *("peer", "eth0", "netns", self._pid))
        run("ip", "link", "set", cable, "master", "switch", "up")
        self._inside("address", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
        self._inside("link", "set", "eth0", "up")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def cut_off(self, url):
        """Let what is sent there go to nobody, without a word."""
        nobody = ("lladdr", "02:00:00:00:00:99", "nud", "permanent")
        assert self._reaches(url)
        self._inside("neighbour", "replace", urlsplit(url).hostname, *nobody, "dev", "eth0")
        assert not self._reaches(url)

    def heal(self, url):
        self._inside("neighbour", "delete", urlsplit(url).hostname, "dev", "eth0")
        assert self._reaches(url)

    def _reaches(self, url):
        where = urlsplit(url)
        code = f"import socket; socket.create_connection({(where.hostname, where.port)}, 1)"
        tried = ["nsenter", "--net", "--target", self._pid, sys.executable, "-c", code]
        return subprocess.run(tried, stderr=subprocess.DEVNULL).returncode == 0

    def is_alive(self):
        return self._process.poll() is None

    def end(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    def _inside(self, *command):
        run("nsenter", "--net", "--target", self._pid, "ip", *command)


def own_namespace():
    return Path("/proc/self/ns/net").readlink()


def submit_more(ledger, payme, start):
    for number in range(start, start + CHARGES // 4):
        submit(ledger, number, payme)


def wait_for_a_payment(ledger):
    wait_for(lambda: any(ledger.iterate(ChargeState.PAYING, 0.0)))


def cut_and_heal(hosts, ledger, payme, database):
    """Cut one host off from the database and one from Payme, in the middle of `pay`."""
    submit_more(ledger, payme, 0)
    wait_for_a_payment(ledger)
    submit_more(ledger, payme, CHARGES // 4)
    wait_for_a_payment(ledger)
    hosts[0].cut_off(database)
    hosts[1].cut_off(payme.url)
    submit_more(ledger, payme, CHARGES // 2)
    time.sleep(2 * POLICY.lease)
    submit_more(ledger, payme, 3 * CHARGES // 4)
    hosts[0].heal(database)
    hosts[1].heal(payme.url)
    # Then the other way round: who comes back has leases that are over.
    wait_for_a_payment(ledger)
    hosts[2].cut_off(database)
    time.sleep(POLICY.lease)
    hosts[2].heal(database)


def main(folder):
    make_switch()
    server = OwnPostgres(DATABASE, synchronous_commit="on")
    payme = Payme(folder / "sandbox.db", host=PAYME)
    ledger = SqlLedger(server.url, keys=[KEY])
    hosts = [Host(number, server.url, payme.url) for number in range(len(STYLES))]
    try:
        cut_and_heal(hosts, ledger, payme, server.url)
        wait_for(lambda: ledger.next_due() is None, 120)
        assert all(host.is_alive() for host in hosts)
    finally:
        for host in hosts:
            host.end()
        payme.kill()
    print(count_the_money(ledger, folder / "sandbox.db", CHARGES))
    ledger.close()
    server.stop()


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        sys.stdin.readline()
        CLIENT["allow_http"] = True
        work(*sys.argv[2:], MERCHANT, PAYME_KEY)
    else:
        main(Path(sys.argv[1]))
