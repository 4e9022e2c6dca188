"""The page on moving: transactions that are carried over are known to Payme's calls."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = (DOCS / "en" / "moving.md").read_text(encoding="utf-8")
FILES = dict(FILE.findall(PAGE))

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["payme.merchant.django", "shop"]
PAYME = {"KEYS": ["a key of the shop"], "ORDERS": "shop.orders.Orders"}
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
ROOT_URLCONF = "project.urls"
ALLOWED_HOSTS = ["*"]
"""
URLS = """
from django.urls import include, re_path
urlpatterns = [re_path("^payme/?", include("payme.merchant.django.urls"))]
"""
ORDERS = """
class Orders:
    def find(self, account): return None
    def paid(self, transaction): raise AssertionError
    def cancelled(self, transaction): raise AssertionError
"""
RUN = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test import Client
from shop import carry
from payme.conformance.exchange import basic

call_command("migrate", verbosity=0)
table, reason, waits = sys.argv[1:4]
with connection.schema_editor() as editor:
    editor.create_model(carry.Old)
made = dict(created_at="2026-01-01T00:00:00+00:00")
done = dict(made, performed_at="2026-01-01T00:01:00+00:00")
rows = [
    carry.Old(transaction_id="a" * 24, account_id="7", amount=500, state=2, **done),
    carry.Old(transaction_id="b" * 24, account_id="8", amount=500, state=-2, reason=5,
              cancelled_at="2026-01-02T00:00:00+00:00", **done),
]
if waits == "waits":
    rows.append(carry.Old(transaction_id="c" * 24, account_id="9", amount=5, state=1, **made))
carry.Old.objects.bulk_create(rows)
try:
    carry.carry()
except RuntimeError as error:
    print(json.dumps(str(error)))
    raise SystemExit


def ask(method, **params):
    body = {"id": 1, "method": method, "params": params}
    headers = {"Authorization": basic("a key of the shop")}
    return Client().post("/payme/", body, content_type="application/json", headers=headers).json()


paid = ask("CheckTransaction", id="a" * 24)["result"]
back = ask("CheckTransaction", id="b" * 24)["result"]
statement = ask("GetStatement", **{"from": 0, "to": 2_000_000_000_000})["result"]["transactions"]
print(json.dumps([paid, back, [[row["amount"], row["account"]] for row in statement]]))
"""


@pytest.fixture
def run(tmp_path):
    files = {"project/settings.py": SETTINGS, "project/urls.py": URLS, "shop/orders.py": ORDERS}
    for path, text in {**files, **FILES}.items():
        target = tmp_path / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def ran(*arguments):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "project.settings",
                "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ran


def test_payme_is_told_of_transactions_that_were_carried_over(run):
    paid, back, statement = run("payme_transactions", "cancel_reason", "rests")
    minute = 60_000
    assert (paid["state"], paid["perform_time"] - paid["create_time"]) == (2, minute)
    assert (back["state"], back["reason"]) == (-2, 5)
    assert back["cancel_time"] > back["perform_time"]
    assert statement == [[500, {"order_id": "7"}], [500, {"order_id": "8"}]]


def test_nothing_is_carried_over_while_a_transaction_waits(run):
    assert run("payme_transactions", "cancel_reason", "waits").startswith("a transaction still")


def test_the_page_has_one_file():
    assert {*FILES} == {"shop/carry.py"}


def test_the_page_names_the_versions_that_the_benches_measure():
    from bench.client import contestants

    source = Path(contestants.__file__).read_text(encoding="utf-8")
    for name, version in re.findall(r'"(tolov|payme-pkg|paytechuz)==([\d.]+)"', source):
        assert f"{name} {version}" in PAGE


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("aiogram") is None, reason="pip install aiogram: no aiogram"
)
def test_the_telegram_bot_sends_a_link_and_tells_when_it_is_paid(tmp_path, monkeypatch):
    import asyncio

    from aiogram import Bot
    from aiogram.client.session.base import BaseSession
    from aiogram.methods import SendMessage, TelegramMethod
    from aiogram.types import Update

    from payme import AsyncPayme, Payme
    from payme.sandbox import Sandbox

    class Telegram(BaseSession):
        sent: ClassVar[list[SendMessage]] = []

        async def make_request(self, bot: Bot, method: TelegramMethod, timeout=None):
            self.sent.append(method)

        async def close(self):
            return

        async def stream_content(self, *args, **kwargs):
            yield b""

    page = (DOCS / "en" / "recipes" / "telegram.md").read_text(encoding="utf-8")
    ((name, code),) = FILE.findall(page)
    (tmp_path / f"telegram_{name}").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    async def buy(box, minutes, pays):
        import telegram_bot as bot

        bot.MINUTES, Telegram.sent = minutes, []
        asked = {
            "message_id": 5,
            "date": 0,
            "chat": {"id": 9, "type": "private"},
            "text": "/buy",
            "entities": [{"type": "bot_command", "offset": 0, "length": 4}],
        }
        update = Update.model_validate({"update_id": 1, "message": asked})
        async with AsyncPayme(box.merchant_id, box.key, base_url=box.url) as payme:
            telegram = Bot("42:TOKEN", session=Telegram())
            await bot.dispatcher.feed_update(telegram, update, payme=payme)
            button = Telegram.sent[0].reply_markup.inline_keyboard[0][0]
            assert button.url.startswith(box.url.removesuffix("api"))
            receipt = button.url.rpartition("/")[2]
            if pays:
                with Payme(box.merchant_id, box.key, base_url=box.url) as payer:
                    payer.receipts.pay(receipt, box.add_card())
            await asyncio.wait_for(asyncio.gather(*bot.running), 20)
        return Telegram.sent[-1].text, box.debits(receipt)

    with Sandbox() as box:
        monkeypatch.setenv("PAYME_BASE_URL", box.url)
        assert asyncio.run(buy(box, 1, pays=True)) == ("Toʻlandi, rahmat!", 1)
        assert asyncio.run(buy(box, 0.01, pays=False)) == ("Hisob bekor qilindi.", 0)
