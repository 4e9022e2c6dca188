"""An app of Celery's with the engine, for worker processes: `celery -A charges.celery_worker …`.

What it works on comes from the environment, since `celery` starts it.
"""

import os
from pathlib import Path

from celery import Celery

from charges.kill_worker import CLIENT, POLICY
from charges.ledgers import KEY
from payme import Payme
from payme.charges import Charges, SqlLedger
from payme.charges.engines.celery import CeleryEngine

_GIVEN = os.environ


def make_app(broker, prefix, **conf):
    app = Celery("shop", broker=broker, set_as_current=False)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        broker_transport_options={"global_keyprefix": prefix},
        task_default_queue=f"{prefix}payme",
        worker_prefetch_multiplier=1,
        **conf,
    )
    return app


def make():
    merchant_id, key = _GIVEN["TEST_MERCHANT"], _GIVEN["TEST_PAYME_KEY"]
    client = {**CLIENT, "timeout": float(_GIVEN.get("TEST_TIMEOUT", CLIENT["timeout"]))}
    payme = Payme(merchant_id, key, base_url=_GIVEN["TEST_PAYME_URL"], **client)
    # It says that a process has begun its first task, and whose child it is.
    Path(_GIVEN["TEST_AT_WORK"], f"{os.getppid()}-{os.getpid()}").touch()
    return Charges(payme, SqlLedger(_GIVEN["TEST_LEDGER"], keys=[KEY]), policy=POLICY)


if "TEST_BROKER" in _GIVEN:
    limits = {"soft_time_limit": 1.0} if "TEST_SOFT_LIMIT" in _GIVEN else {}
    limits |= {"time_limit": 1.0} if "TEST_HARD_LIMIT" in _GIVEN else {}
    app = make_app(
        _GIVEN["TEST_BROKER"],
        _GIVEN["TEST_PREFIX"],
        task_annotations={"payme.charges.advance": limits},
    )
    # A limit that the workers can manage in two seconds: more of it would only expire.
    engine = CeleryEngine(app, make, sweep_every=2.0, sweep_limit=50)
