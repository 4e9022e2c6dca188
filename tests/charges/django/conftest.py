"""The Django project of the merchant's tests, on SQLite, PostgreSQL and MariaDB."""

import copy
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

MERCHANT = Path(__file__).parents[2] / "merchant"
sys.path[:0] = [one for one in (str(MERCHANT), str(MERCHANT / "django")) if one not in sys.path]

import shopfront_project  # noqa: E402 - before anything of the shop's
from conftest_of_charges import KEY, InThread  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.admin.models import LogEntry  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from shopfront import routing  # noqa: E402
from shopfront.hooks import changed  # noqa: E402
from shopfront.models import Event, Order  # noqa: E402

from payme.charges.django.configuration import forget  # noqa: E402
from payme.charges.django.ledger import DjangoLedger  # noqa: E402
from payme.charges.django.models import Card, Charge, ChargeEvent  # noqa: E402
from payme.recurring.django.models import Mark, Notice, Period, Subscription  # noqa: E402
from payme.sandbox import Sandbox  # noqa: E402
from support.mariadb import mariadb_database  # noqa: E402
from support.postgres import postgres_database  # noqa: E402

pytest.register_assert_rewrite(
    "charges.test_ledger", "wallet.test_card_ledger", "recurring.test_recurring"
)


@pytest.fixture(scope="session", autouse=True)
def _pages_tell_their_context():
    with shopfront_project.pages_tell_their_context():
        yield


def _prepare(alias, **where):
    """Make a database known to Django, which reads its settings once, and make its tables."""
    settings.DATABASES.setdefault(alias, {}).update(where)
    # Filled in as Django does for those that it reads.
    connections.settings = connections.configure_settings(settings.DATABASES)
    before, routing.chosen = routing.chosen, alias
    call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
    routing.chosen = before


def _server(url):
    parts = urlsplit(url)
    return {
        "NAME": parts.path[1:],
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


@pytest.fixture(scope="session")
def charges_sqlite(tmp_path_factory):
    place = str(tmp_path_factory.mktemp("charges") / "shop.sqlite3")
    engine = "django.db.backends.sqlite3"
    _prepare("charges_sqlite", ENGINE=engine, NAME=place, OPTIONS={"timeout": 30})
    yield "charges_sqlite"
    connections["charges_sqlite"].close()


@pytest.fixture(scope="session")
def charges_postgresql():
    # The merchant's tests may have stopped the server of this session before.
    with suppress(psycopg.OperationalError), postgres_database() as url:
        engine = "django.db.backends.postgresql"
        _prepare("charges_postgresql", ENGINE=engine, **_server(url))
        yield "charges_postgresql"
        connections["charges_postgresql"].close()


@pytest.fixture(scope="session")
def charges_mariadb():
    with mariadb_database() as server:
        import pymysql

        pymysql.install_as_MySQLdb()
        _prepare("charges_mariadb", ENGINE="django.db.backends.mysql", **server)
        yield "charges_mariadb"
        connections["charges_mariadb"].close()
        # Others in this process make migrations, and ask every database that is known.
        del settings.DATABASES["charges_mariadb"]


OURS = (Charge, ChargeEvent, Card, Subscription, Period, Notice, Mark)
OTHERS = (Order, Event, LogEntry)


def empty():
    # In SQL: the ORM of ten models takes as long as most tests.
    connection = connections[routing.chosen]
    with transaction.atomic(using=routing.chosen), connection.cursor() as cursor:
        for model in (*OURS, *OTHERS):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


DATABASES = ["charges_sqlite", "charges_postgresql", "charges_mariadb"]


@pytest.fixture(params=DATABASES)
def alias(request):
    """Empty tables in one of the databases, which everything uses from here on."""
    before, routing.chosen = routing.chosen, request.getfixturevalue(request.param)
    empty()
    yield request.param
    changed.then = None
    forget()
    connections[request.param].close()
    routing.chosen = before


@pytest.fixture
def open_ledger(alias):
    made = []

    async def open_one(**options):
        ledger = InThread(DjangoLedger(**{"keys": [KEY], **options}))
        made.append(ledger)
        return ledger

    yield open_one
    for ledger in made:
        ledger.close()


@pytest.fixture
def ledger(alias):
    ledger = InThread(DjangoLedger(keys=[KEY]))
    yield ledger
    ledger.close()


@pytest.fixture
def cards(ledger):
    """The cards of the ledger, in threads enough to get in each other's way."""
    cards = InThread(ledger._inner.cards, threads=6)
    yield cards
    cards.close()


@pytest.fixture
def box():
    with Sandbox() as box:
        yield box


@pytest.fixture
def shop(alias, box):
    """Settings with a sandbox, and empty tables; gives the sandbox."""
    setting = copy.copy(settings.PAYME_CHARGES)
    setting |= {"MERCHANT_ID": box.merchant_id, "KEY": box.key, "BASE_URL": box.url}
    with override_settings(PAYME_CHARGES=setting):
        box.token = box.add_card()
        yield box
