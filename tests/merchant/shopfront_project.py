"""The Django project of the tests, which a process can have once: importing this sets it up."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "django"))
os.environ["DJANGO_SETTINGS_MODULE"] = "shopfront.settings"
# Where they are is filled in by the fixtures, before the first connection.
os.environ["SHOPFRONT_DATABASES"] = json.dumps(
    {
        "sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": "", "OPTIONS": {"timeout": 30}},
        "postgresql": {"ENGINE": "django.db.backends.postgresql"},
    }
)

import django

django.setup()
