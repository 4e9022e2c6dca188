"""Serves and grades the Django project that the documentation puts together; run in its folder.

What it prints last is JSON: the report, the order's state and events, what is answered when Payme
asks for the order again, the state of a transaction whose order somebody closed while it was being
paid, whether the admin has transactions, and whether the receiver of a signal was told.
"""

import json
import os
import sys
from pathlib import Path

from payme.conformance import grade
from payme.conformance.exchange import basic
from support.servers import serving_wsgi


def ask(key, method, **params):
    from django.test import Client

    answer = Client(SERVER_NAME="127.0.0.1").post(
        "/payme/",
        {"id": 1, "method": method, "params": params},
        content_type="application/json",
        headers={"Authorization": basic(key)},
    )
    return answer.json()


def closed_while_it_is_paid(key):
    """Close an order between `find` and `paid`: a trigger acts on the store's own write."""
    from django.db import connection
    from shop.models import Order

    Order.objects.create(pk=8, amount=50_000)
    made = {"id": "8" * 24, "time": 2 * 10**12, "amount": 50_000, "account": {"order_id": 8}}
    ask(key, "CreateTransaction", **made)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER somebody AFTER UPDATE ON payme_transaction WHEN NEW.order_id = '8'"
            " BEGIN UPDATE shop_order SET state = 'closed' WHERE id = 8; END"
        )
    ask(key, "PerformTransaction", id="8" * 24)
    return ask(key, "CheckTransaction", id="8" * 24)["result"]["state"]


def main(key):
    import django

    django.setup()
    from django.contrib import admin
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    from payme.merchant.django.models import Transaction

    call_command("makemigrations", "shop", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("check", databases=["default"])
    import shop.receivers
    from django.core.cache import cache
    from shop.models import Order, Outbox

    assert shop.receivers
    cache.set("totals:7", 1)
    Order.objects.create(pk=7, amount=50_000)
    Order.objects.create(pk=9, amount=50_000)
    with serving_wsgi(get_wsgi_application()) as port:
        url = f"http://127.0.0.1:{port}/payme"
        report = grade(url, key, account=[{"order_id": 7}, {"order_id": 9}], amount=50_000)
    account = {"amount": 50_000, "account": {"order_id": "7"}}
    again = ask(key, "CheckPerformTransaction", **account)
    told = {
        "asked_again": again["error"]["code"],
        "broken": "" if report.complete and not report.broken else report.text(kept=False),
        "state": Order.objects.get(pk=7).state,
        "events": list(
            Outbox.objects.filter(order_id=7).order_by("pk").values_list("event", flat=True)
        ),
        "closed_while_it_is_paid": closed_while_it_is_paid(key),
        "forgotten": cache.get("totals:7") is None,
        "admin": admin.site.is_registered(Transaction),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(os.environ["PAYME_KEY"])
