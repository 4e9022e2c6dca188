"""Asks both cash-boxes of the Django project that the documentation puts together, in its folder.

What it prints last is JSON: what each answered to the same transaction, and whose it was stored as.
"""

import json
import sys
import time
from pathlib import Path

from payme.conformance.exchange import basic


def main():
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client
    from shop.models import Order

    from payme.merchant.django.models import Transaction

    call_command("makemigrations", "shop", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("check", databases=["default"])
    now = time.time_ns() // 10**6
    told = {}
    for number, (box, given) in enumerate(settings.PAYME["BOXES"].items(), 7):
        Order.objects.create(pk=number, amount=50_000)
        made = {"id": "7" * 24, "time": now, "amount": 50_000, "account": {"order_id": number}}
        asked = {"id": 1, "method": "CreateTransaction", "params": made}
        (key,) = given["KEYS"]
        answers = [
            Client(SERVER_NAME="127.0.0.1")
            .post("/payme/", asked, "application/json", headers={"Authorization": basic(key)})
            .json()["result"]["state"]
            for _ in range(2)
        ]
        stored = Transaction.objects.filter(order_id=str(number)).values_list("box", flat=True)
        told[box] = {"answers": answers, "boxes": list(stored)}
    print(json.dumps(told))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main()
