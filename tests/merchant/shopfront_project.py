"""The Django project of the tests, which a process can have once: importing this sets it up."""

import json
import os
import sys
from contextlib import contextmanager
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

from django.test.utils import setup_test_environment, teardown_test_environment  # noqa: E402


@contextmanager
def pages_tell_their_context():
    """Whoever of the tests that share this project asks first sets it up, and ends it."""
    try:
        setup_test_environment()
    except RuntimeError:
        yield
        return
    yield
    teardown_test_environment()
