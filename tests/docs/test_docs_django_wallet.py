"""The project that the page on saved cards puts together for Django does what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from payme.sandbox import Sandbox

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "wallet.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(PAGE))

ACT = """
import json, sys
import django
django.setup()
from types import SimpleNamespace
from django.test import RequestFactory
from shop import views
from payme.charges.django import charges, wallet

name, user, given = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
request = RequestFactory().post("/", given)
request.user = SimpleNamespace(pk=user)
answer = getattr(views, name)(request)
print(answer.status_code, answer.content.decode())
"""


@pytest.mark.slow
def test_a_customer_binds_a_card_pays_with_it_and_removes_it(tmp_path):
    assert {*FILES} == {"project/settings.py", "shop/views.py"}
    with Sandbox() as box:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
            "PAYME_MERCHANT_ID": box.merchant_id,
            "PAYME_KEY": box.key,
            "PAYME_BASE_URL": box.url,
            "PAYME_LEDGER_KEYS": "A" * 43 + "=",
        }
        environment.pop("PAYME_ENVIRONMENT", None)

        def run(*command):
            done = subprocess.run(
                [sys.executable, *command],
                cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        def act(name, user, given):
            return run("-c", ACT, name, user, given)

        run("-m", "django", "startproject", "project", ".")
        for path, text in FILES.items():
            target = tmp_path / path
            target.parent.mkdir(exist_ok=True)
            with target.open("a", encoding="utf-8") as file:
                file.write(text)
        (tmp_path / "shop" / "__init__.py").touch()
        run("manage.py", "migrate", "--verbosity", "0")
        run("manage.py", "check", "--database", "default")
        token = box.add_card()
        bound = act("bind", "17", f'{{"token": "{token}"}}')
        card_id = re.search(r"card[0-9a-f]{20}", bound)[0]
        assert bound.startswith("200")
        assert "860006******6311" in bound
        assert act("buy", "17", "{}") == '200 {"paid": true}\n'
        assert [entry.kind for entry in box.ledger()] == ["debit"]
        assert act("remove", "18", f'{{"card": "{card_id}"}}').startswith("404")
        assert not any(card.removed for card in box.cards())
        assert act("remove", "17", f'{{"card": "{card_id}"}}').startswith("204")
        assert [card.token for card in box.cards() if card.removed] == [token]
