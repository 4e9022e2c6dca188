"""Workers of Procrastinate's with the engine, in processes of their own, which are killed."""

from procrastinate import App, PsycopgConnector

from charges.kill_worker import CLIENT, POLICY
from charges.ledgers import KEY
from payme import AsyncPayme, Payme
from payme.charges import AsyncCharges, AsyncSqlLedger, Charges, SqlLedger
from payme.charges.engines.procrastinate import ProcrastinateEngine

# A worker is silent for a second at most, so three are enough to call it dead.
WORKER = {
    "fetch_job_polling_interval": 0.2,
    "update_heartbeat_interval": 1.0,
    "stalled_worker_timeout": 3.0,
    "delete_jobs": "successful",
}


def maker(style, database, url, merchant_id, key, policy=POLICY):
    """Give a function that makes charges, blocking or not."""

    def make():
        client = {"base_url": url, **CLIENT}
        if style == "asyncio":
            ledger = AsyncSqlLedger(database, keys=[KEY])
            return AsyncCharges(AsyncPayme(merchant_id, key, **client), ledger, policy=policy)
        return Charges(
            Payme(merchant_id, key, **client), SqlLedger(database, keys=[KEY]), policy=policy
        )

    return make


def make_app(database, make, **options):
    app = App(connector=PsycopgConnector(conninfo=database, min_size=1, max_size=4))
    # A limit that the workers can manage in two seconds: more of it would only be looked at again.
    options = {"cron": "* * * * * */2", "sweep_limit": 50, "stalled_after": 3.0, **options}
    return app, ProcrastinateEngine(app, make, **options)


def work(style, at_work, database, *payme):
    """Run a worker until it is killed; it says when its first job has begun."""
    make = maker(style, database, *payme)

    def make_and_tell():
        at_work.set()
        return make()

    app, _ = make_app(database, make_and_tell)
    app.run_worker(concurrency=5 if style == "threads" else 10, **WORKER)
