"""Charges on Procrastinate's Django connector; run with the URL of a database and of a sandbox.

What it prints last is JSON: how many jobs waited after each step, and what became of the charge.
"""

import json
import sys

import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

from charges.ledgers import KEY
from payme import Payme
from payme.charges import Charges, SqlLedger

LABELS = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def main(database, url, merchant_id, key, token):
    given = conninfo_to_dict(database)
    names = {LABELS[name]: str(value) for name, value in given.items()}
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **names}},
        INSTALLED_APPS=["procrastinate.contrib.django"],
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    from payme.charges.engines.procrastinate import ProcrastinateEngine

    call_command("migrate", verbosity=0)
    ledger = SqlLedger(database, keys=[KEY])

    def make():
        return Charges(Payme(merchant_id, key, base_url=url, proxy=""), ledger)

    engine = ProcrastinateEngine(app, make, cron="0 0 1 1 *")
    told = {}

    def waiting(step):
        told[step] = ProcrastinateJob.objects.filter(status="todo").count()

    try:
        with transaction.atomic():
            engine.defer("order-106")
            raise RuntimeError
    except RuntimeError:
        waiting("rolled back")
    engine.defer("order-106")
    engine.defer("order-106")
    waiting("twice")
    with transaction.atomic():
        engine.defer("order-106")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            told["goes on"] = cursor.fetchone()[0]
    waiting("inside atomic")
    make().submit("order-106", 50_000, {"order_id": 106}, token)
    call_command("procrastinate", "worker", "--one-shot", "--delete-jobs", "successful")
    told["state"] = make().get("order-106").state
    ledger.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
