"""The project that the page on subscriptions puts together for Django takes the first month."""

from pathlib import Path

import pytest

from payme.sandbox import Sandbox
from support.page_files import django_project, files_of

PAGE = (Path(__file__).parents[2] / "docs" / "en" / "recurring.md").read_text(encoding="utf-8")
FILES = files_of(PAGE)

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


@pytest.mark.slow
def test_a_member_joins_and_pays_the_first_month(tmp_path):
    assert {*FILES} >= {"project/settings.py", "club/models.py", "club/views.py"}
    with Sandbox() as box:
        run = django_project(FILES, "club", tmp_path, box)
        assert run("-c", ACT, "join") == '{"club": "club-1"}\n'
        run("-c", ACT, "tick")
        run("manage.py", "payme_recurring", "run", "--drain")
        assert run("-c", ACT, "look") == 'Aziza paid {"open": true}\n'
        assert [entry.kind for entry in box.ledger()] == ["debit"]
