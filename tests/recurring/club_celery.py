"""An app of Celery's that runs a club: `celery -A recurring.club_celery …`."""

import os
from pathlib import Path

from charges.celery_worker import make as make_charges
from charges.celery_worker import make_app
from payme.recurring import Recurring
from payme.recurring.engines.celery import CeleryRecurringEngine
from recurring.club_worker import SharedClock


def make_recurring():
    clock = SharedClock(Path(os.environ["TEST_CLOCK"]))
    return Recurring(make_charges(), now=lambda: clock.value)


def make_engine(broker, prefix):
    app = make_app(broker, prefix)
    return app, CeleryRecurringEngine(app, make_recurring, sweep_every=1.0, sweep_limit=50)


if "TEST_CLOCK" in os.environ:
    app, engine = make_engine(os.environ["TEST_BROKER"], os.environ["TEST_PREFIX"])
