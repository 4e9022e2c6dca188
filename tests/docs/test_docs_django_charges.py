"""The project that the page of charges puts together for Django takes money once."""

import os
import re
import subprocess
import sys
from pathlib import Path

from payme.sandbox import Sandbox

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = (DOCS / "en" / "charges.md").read_text(encoding="utf-8")
# Other parts of the page have files of their own, some of the same name.
FILES = dict(FILE.findall(PAGE.partition("\n## Django\n")[2].partition("\n## ")[0]))
NAMES = {"project/settings.py", "shop/models.py", "shop/views.py", "shop/payments.py"}

BUY = """
import os, sys
import django
django.setup()
from django.test import RequestFactory
from shop.models import Order
from shop.views import buy
from payme.charges.django import charges

if sys.argv[1] == "buy":
    buy(RequestFactory().post("/", {"token": os.environ["CARD"]}))
else:
    print(Order.objects.get().state, charges().get("order-1").receipt_id)
"""


def test_an_order_is_stored_with_its_charge_and_paid_by_run(tmp_path):
    assert {*FILES} == NAMES
    with Sandbox() as box:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            "PAYME_MERCHANT_ID": box.merchant_id,
            "PAYME_KEY": box.key,
            "PAYME_BASE_URL": box.url,
            "PAYME_LEDGER_KEYS": "A" * 43 + "=",
            "CARD": box.add_card(),
        }
        environment.pop("PAYME_ENVIRONMENT", None)

        def run(*command):
            done = subprocess.run(
                [sys.executable, *command],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run("-m", "django", "startproject", "project", ".")
        for path, text in FILES.items():
            target = tmp_path / path
            target.parent.mkdir(exist_ok=True)
            with target.open("a", encoding="utf-8") as file:
                file.write(text)
        run("manage.py", "makemigrations", "shop")
        run("manage.py", "migrate", "--verbosity", "0")
        run("manage.py", "check", "--database", "default")
        run("-c", BUY, "buy")
        assert run("manage.py", "payme_charges", "run", "--drain") == "1 paid\n"
        state, receipt = run("-c", BUY, "look").split()
        assert state == "paid"
        assert box.debits(receipt) == 1
