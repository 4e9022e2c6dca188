"""What all shops agree on. It runs under every interpreter: the standard library alone."""

from __future__ import annotations

import json
import os
import time
from importlib.metadata import version

DATABASE = "BENCH_DATABASE"
"""Variable that names the database, as a libpq URL."""

THREADS = 16
"""Threads of a WSGI server, and connections that an engine keeps."""

ACCOUNT_FIELD = "id"
SOM, TIYIN = 500, 50_000
LOGIN, KEY = "Paycom", "benchmark-key-" * 3
PATH, CPU_PATH = "/payme", "/cpu"


def database() -> str:
    """Return the URL of the database."""
    return os.environ[DATABASE]


def sqlalchemy_url() -> str:
    """Return the same for SQLAlchemy, with psycopg as its driver."""
    return database().replace("postgresql://", "postgresql+psycopg://")


def used(*packages: str) -> bytes:
    """Return the CPU time of this process in ns, and what it runs on, as JSON."""
    versions = {name: version(name) for name in packages}
    return json.dumps({"cpu_ns": time.process_time_ns(), "versions": versions}).encode()
