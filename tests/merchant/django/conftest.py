"""One Django project per process, on SQLite and on PostgreSQL."""

import copy
from urllib.parse import urlsplit

import pytest
import shopfront_project  # before anything of the shop's
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from scenarios import AUTH, Requests
from shopfront import routing
from shopfront.models import Event, Order
from shopfront.orders import Orders

from payme.merchant.django.configuration import configured
from payme.merchant.django.models import OrderLock, Transaction
from support.mariadb import mariadb_database
from support.postgres import postgres_database


@pytest.fixture(scope="session", autouse=True)
def _pages_tell_their_context():
    with shopfront_project.pages_tell_their_context():
        yield


def _server(url):
    parts = urlsplit(url)
    return {
        "NAME": parts.path[1:],
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


def _prepare(alias, **where):
    settings.DATABASES[alias].update(where)
    before, routing.chosen = routing.chosen, alias
    call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
    routing.chosen = before


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    _prepare("sqlite", NAME=str(tmp_path_factory.mktemp("shopfront") / "shop.sqlite3"))
    yield "sqlite"
    connections["sqlite"].close()


@pytest.fixture(scope="session")
def postgresql(postgres_server):
    with postgres_database() as url:
        _prepare("postgresql", **_server(url))
        yield "postgresql"
        connections["postgresql"].close()


def empty():
    for model in (Transaction, Order, Event):
        model.objects.all().delete()


@pytest.fixture(params=["sqlite", "postgresql"])
def alias(request):
    """Empty tables in one of the databases, which everything uses from here on."""
    routing.chosen = request.getfixturevalue(request.param)
    empty()
    yield request.param
    Orders.fails = Orders.then = None


class Shop(Requests):
    """The shop seen from Payme's side, its diary, and its time."""

    def __init__(self, *names):
        self.client = Client(enforce_csrf_checks=True)
        configured()._clock = lambda: self.now
        Order.objects.create(name="gone", state="closed")
        Order.objects.bulk_create(Order(name=name) for name in names)

    def with_client(self, client):
        """The same shop, called through another client, for another thread."""
        other = copy.copy(self)
        other.client = client
        return other

    def answer(self, incoming):
        return self.send(incoming.body, incoming.authorization, incoming.method)

    def send(self, body, auth=AUTH, method="POST", **extra):
        headers = {} if auth is None else {"HTTP_AUTHORIZATION": auth}
        response = self.client.generic(
            method, "/payme/", body, "text/json; charset=UTF-8", **headers, **extra
        )
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json; charset=utf-8"
        return response.content

    def events(self):
        return list(Event.objects.order_by("pk").values_list("event", "name"))

    def state(self, name):
        return Order.objects.get(pk=name).state

    def forget(self, name):
        Order.objects.filter(pk=name).update(state="waiting")

    @property
    def fails(self):
        return Orders.fails

    @fails.setter
    def fails(self, failure):
        Orders.fails = failure


@pytest.fixture
def shop(alias):
    return Shop("a", "b")


@pytest.fixture(scope="session")
def mariadb():
    with mariadb_database() as server:
        import pymysql

        pymysql.install_as_MySQLdb()
        engine = "django.db.backends.mysql"
        settings.DATABASES.setdefault("merchant_mariadb", {}).update(ENGINE=engine, **server)
        # Filled in as Django does for those that it reads.
        connections.settings = connections.configure_settings(settings.DATABASES)
        _prepare("merchant_mariadb")
        yield "merchant_mariadb"
        connections["merchant_mariadb"].close()
        # Others in this process make migrations, and ask every database that is known.
        del settings.DATABASES["merchant_mariadb"]


@pytest.fixture
def mariadb_shop(mariadb):
    before, routing.chosen = routing.chosen, mariadb
    empty()
    OrderLock.objects.all().delete()
    yield Shop("a", "b")
    Orders.fails = Orders.then = None
    connections[mariadb].close()
    routing.chosen = before


class ShopOfPayments(Shop):
    """With the diary where the machine `Payments` looks for it."""

    @property
    def events(self):
        return super().events()


@pytest.fixture
def make_shop(alias):
    """Make a new shop in the same database, with what the former one left gone."""

    def make():
        empty()
        return ShopOfPayments("a", "b")

    return make


@pytest.fixture
def make_merchant():
    """Make a shop in the database that was chosen, which other tables were made in."""
    return Shop
