"""Worker and beat of Celery's in processes of their own, on a broker that answers."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from charges.celery_worker import make, make_app
from charges.killing import MERCHANT, PAYME_KEY
from payme.charges.engines.celery import CeleryEngine

REDIS = "redis://127.0.0.1:6379/11"
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"
TESTS = Path(__file__).parents[1]


def skip_without(broker):
    port, package = {REDIS: (6379, "redis-server"), RABBITMQ: (5672, "rabbitmq-server")}[broker]
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError:
        pytest.skip(f"needs a broker on port {port}: apt-get install {package}, and start it")


class Broker:
    """What is ours on a broker: keys and queues whose names begin with a prefix of this run."""

    def __init__(self, url):
        self.url = url
        self.prefix = f"payme-test-{uuid.uuid4().hex[:8]}-"
        self.app = make_app(url, self.prefix)
        self.engine = CeleryEngine(self.app, make)

    def empty(self):
        """Lose every message; returns how many keys or messages there were."""
        if self.url != REDIS:
            with self.app.connection_for_write() as connection:
                return connection.default_channel.queue_purge(f"{self.prefix}payme")
        import redis

        with redis.Redis.from_url(REDIS) as client:
            keys = list(client.scan_iter(f"{self.prefix}*", count=1000))
            return client.delete(*keys) if keys else 0

    def messages(self):
        """The messages that wait in Redis, as text."""
        import redis

        with redis.Redis.from_url(REDIS) as client:
            return [text.decode() for text in client.lrange(self._queue(), 0, -1)]

    def _queue(self):
        return f"{self.prefix}{self.prefix}payme"

    def close(self):
        self.empty()
        if self.url != REDIS:
            with self.app.connection_for_write() as connection:
                connection.default_channel.queue_delete(f"{self.prefix}payme")
        self.app.close()


class Processes:
    """Workers and beat of the app in `module`; `folder` takes their logs."""

    def __init__(
        self, broker, ledger, payme_url, folder, module="charges.celery_worker", **environment
    ):
        self.folder = folder
        self._module = module
        self._at_work = folder / "at-work"
        self._at_work.mkdir()
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
            "TEST_BROKER": broker.url,
            "TEST_PREFIX": broker.prefix,
            "TEST_MERCHANT": MERCHANT,
            "TEST_PAYME_KEY": PAYME_KEY,
            "TEST_PAYME_URL": payme_url,
            "TEST_LEDGER": ledger,
            "TEST_AT_WORK": str(self._at_work),
            **environment,
        }
        self.running = []

    def worker(self, *options):
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self._start("worker", "--loglevel", "INFO", *quiet, *options)

    def beat(self, name=""):
        schedule = str(self.folder / f"beat{name}")
        return self._start("beat", "--schedule", schedule, "--pidfile", "")

    def _start(self, *arguments):
        command = [sys.executable, "-m", "celery", "-A", self._module, *arguments]
        with (self.folder / "celery.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self._environment, cwd=self.folder,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    def at_work(self, *workers):
        """Children that have begun a task, by worker."""
        pairs = [path.name.split("-") for path in self._at_work.iterdir()]
        mine = {worker.pid for worker in workers}
        return [(int(parent), int(child)) for parent, child in pairs if int(parent) in mine]

    def forget(self, parent, child):
        (self._at_work / f"{parent}-{child}").unlink()

    def kill(self, process):
        """Kill a worker with its children, as a machine that loses its power."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def end(self):
        for process in list(self.running):
            self.kill(process)

    @property
    def log(self):
        return (self.folder / "celery.log").read_text(encoding="utf-8", errors="replace")
