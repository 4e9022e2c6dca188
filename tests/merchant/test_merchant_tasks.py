"""The sweep and the relay as tasks of Celery and Procrastinate."""

import asyncio
import socket
import uuid

import pytest

from payme.errors import ConfigurationError, InvalidArgument
from payme.merchant import Expired
from payme.merchant.outbox import Relayed

REDIS = "redis://127.0.0.1:6379/11"


class Counting:
    """Stands for the merchant and the outbox."""

    def __init__(self):
        self.calls = []

    def expire(self):
        self.calls.append("expire")
        return Expired(3, 2, 1)

    def relay(self):
        self.calls.append("relay")
        return Relayed(4, 0)


class AsyncCounting(Counting):
    async def expire(self):
        return super().expire()

    async def relay(self):
        return super().relay()


# Celery asks Redis in a way that is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_celery_runs_both_on_redis():
    celery = pytest.importorskip("celery")
    from celery.contrib.testing.worker import start_worker

    from payme.merchant.engines.celery import CeleryTasks

    try:
        socket.create_connection(("127.0.0.1", 6379), 2).close()
    except OSError:
        pytest.skip("no Redis answers on port 6379")
    app = celery.Celery("shop", broker=REDIS, backend=REDIS)
    prefix = f"payme-test-{uuid.uuid4().hex[:8]}-"
    app.conf.broker_transport_options = {"global_keyprefix": prefix}
    app.conf.result_backend_transport_options = {"global_keyprefix": prefix}
    app.conf.task_default_queue = f"{prefix}queue"
    world, made = Counting(), []

    def make():
        made.append(1)
        return world

    tasks = CeleryTasks(app, merchant=make, outbox=make, expire_every=60, relay_every=2)
    entries = {entry["task"]: entry["options"]["expires"] for entry in _schedule(app)}
    assert entries == {"payme.merchant.expire": 60.0, "payme.merchant.relay": 2.0}
    assert not made
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR"):
            expired = tasks.expire.delay().get(timeout=30)
            relayed = tasks.relay.delay().get(timeout=30)
    finally:
        import redis

        with redis.Redis.from_url(REDIS) as client:
            for key in client.scan_iter(f"{prefix}*"):
                client.delete(key)
    assert expired == {"found": 3, "expired": 2, "failed": 1}
    assert relayed == {"done": 4, "failed": 0}
    assert world.calls == ["expire", "relay"]
    assert len(made) == 2


def _schedule(app):
    app.finalize()
    return app.conf.beat_schedule.values()


@pytest.mark.parametrize("kind", [Counting, AsyncCounting])
def test_procrastinate_runs_both(kind):
    procrastinate = pytest.importorskip("procrastinate")
    from procrastinate.testing import InMemoryConnector

    from payme.merchant.engines.procrastinate import ProcrastinateTasks

    app = procrastinate.App(connector=InMemoryConnector())
    world = kind()
    tasks = ProcrastinateTasks(app, merchant=lambda: world, outbox=lambda: world)

    async def work():
        async with app.open_async():
            await tasks.expire.defer_async(timestamp=0)
            await tasks.relay.defer_async(timestamp=0)
            await app.run_worker_async(
                wait=False, install_signal_handlers=False, queues=["payme"], concurrency=1
            )

    asyncio.run(work())
    assert sorted(world.calls) == ["expire", "relay"]
    periodic = {one.task.name: one.cron for one in app.periodic_registry.periodic_tasks.values()}
    assert periodic == {
        "payme.merchant.expire": "*/5 * * * *",
        "payme.merchant.relay": "* * * * *",
    }


def test_engine_that_would_do_nothing_is_refused():
    celery = pytest.importorskip("celery")
    procrastinate = pytest.importorskip("procrastinate")
    from payme.merchant.engines.celery import CeleryTasks
    from payme.merchant.engines.procrastinate import ProcrastinateTasks

    with pytest.raises(ConfigurationError, match="merchant, outbox: got neither"):
        CeleryTasks(celery.Celery("shop"))
    with pytest.raises(ConfigurationError, match="merchant, outbox: got neither"):
        ProcrastinateTasks(procrastinate.Blueprint())
    with pytest.raises(InvalidArgument, match="merchant: got 'Counting'"):
        CeleryTasks(celery.Celery("shop"), merchant=Counting())
    for kind in (CeleryTasks, ProcrastinateTasks):
        with pytest.raises(InvalidArgument, match="app: got 'int'"):
            kind(5, merchant=Counting)
    for option in ("expire_cron", "relay_cron"):
        app = procrastinate.Blueprint()
        with pytest.raises(InvalidArgument, match=f"{option}: got '61 . . . .', expected five"):
            ProcrastinateTasks(app, merchant=Counting, **{option: "61 * * * *"})
        assert app.tasks == {}
    tasks = CeleryTasks(celery.Celery("shop"), merchant=lambda: None, outbox=lambda: 5)
    with pytest.raises(InvalidArgument, match="merchant: got 'NoneType', expected a function that"):
        tasks.expire.run()
    with pytest.raises(InvalidArgument, match="outbox: got 'int', expected a function that"):
        tasks.relay.run()
