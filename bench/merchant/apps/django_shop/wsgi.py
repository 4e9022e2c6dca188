"""The application that gunicorn runs; it makes its tables first."""

from __future__ import annotations

import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.merchant.apps.django_shop.settings")
application = get_wsgi_application()
call_command("migrate", run_syncdb=True, verbosity=0)
connections.close_all()
