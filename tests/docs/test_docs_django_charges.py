"""The project that the page of charges puts together for Django takes money once."""

from pathlib import Path

import pytest

from payme.sandbox import Sandbox
from support.page_files import django_project, files_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "en" / "charges.md").read_text(encoding="utf-8")
# Other parts of the page have files of their own, some of the same name.
FILES = files_of(PAGE.partition("\n## Django\n")[2].partition("\n## ")[0])
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


@pytest.mark.slow
def test_an_order_is_stored_with_its_charge_and_paid_by_run(tmp_path):
    assert {*FILES} == NAMES
    with Sandbox() as box:
        run = django_project(FILES, "shop", tmp_path, box)
        run("-c", BUY, "buy")
        assert run("manage.py", "payme_charges", "run", "--drain") == "1 paid\n"
        state, receipt = run("-c", BUY, "look").split()
        assert state == "paid"
        assert box.debits(receipt) == 1
