"""One more database for the project of these tests, which the process forgets afterwards."""

from contextlib import contextmanager
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections


@contextmanager
def opened_alias(alias, where):
    """Have Django know a database.

    Args:
        alias: What it is called.
        where: As in `DATABASES`; PostgreSQL's may be a `url`.
    """
    where = dict(where)
    if "url" in where:
        parts = urlsplit(where.pop("url"))
        where |= {
            "NAME": parts.path[1:],
            "USER": parts.username or "",
            "PASSWORD": parts.password or "",
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
        }
    if where["ENGINE"].endswith("mysql"):
        import pymysql

        pymysql.install_as_MySQLdb()
    settings.DATABASES[alias] = where
    # Filled in as Django does for those that it reads.
    connections.settings = connections.configure_settings(settings.DATABASES)
    try:
        yield
    finally:
        connections[alias].close()
        del settings.DATABASES[alias]
        del connections[alias]
