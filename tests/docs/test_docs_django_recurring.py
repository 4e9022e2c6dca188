"""The project that the page on subscriptions puts together for Django takes the first month."""

import os
import re
import subprocess
import sys
from pathlib import Path

from payme.sandbox import Sandbox

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "recurring.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```python file\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = dict(FILE.findall(PAGE))

ACT = """
import os, sys
import django
django.setup()
from datetime import datetime, timedelta, UTC
from django.test import RequestFactory
from club import views
from club.models import Member
from payme.recurring.django import models, recurring

if sys.argv[1] == "join":
    request = RequestFactory().post("/", {"token": os.environ["CARD"], "name": "Aziza"})
    print(views.join(request).content.decode())
elif sys.argv[1] == "tick":
    # The first payment is due at 10:00 in Tashkent, today or tomorrow.
    recurring().tick((datetime.now(UTC) + timedelta(days=1)).timestamp())
else:
    request = RequestFactory().get("/", {"club": "club-1"})
    states = [period.state for period in models.Period.objects.all()]
    print(Member.objects.get().name, *states, views.door(request).content.decode())
"""


def test_a_member_joins_and_pays_the_first_month(tmp_path):
    assert {*FILES} >= {"project/settings.py", "club/models.py", "club/views.py"}
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
                cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        run("-m", "django", "startproject", "project", ".")
        for path, text in FILES.items():
            target = tmp_path / path
            target.parent.mkdir(exist_ok=True)
            with target.open("a", encoding="utf-8") as file:
                file.write(text)
        run("manage.py", "makemigrations", "club")
        run("manage.py", "migrate", "--verbosity", "0")
        run("manage.py", "check", "--database", "default")
        assert run("-c", ACT, "join") == '{"club": "club-1"}\n'
        run("-c", ACT, "tick")
        run("manage.py", "payme_recurring", "run", "--drain")
        assert run("-c", ACT, "look") == 'Aziza paid {"open": true}\n'
        assert [entry.kind for entry in box.ledger()] == ["debit"]
