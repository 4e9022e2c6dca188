"""The docstring examples of `payme.merchant` run, and do what they are there for.

Each has what it needs in `EXAMPLES`: a function that makes its names, does what comes between its
statements, and asks afterwards. Those of Django are in `test_django_docstrings.py`.
"""

import asyncio
import contextlib
import http.client
import importlib
import json
import os
import threading
import wsgiref.simple_server
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from scenarios import AUTH, KEY, Requests, code
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session

import payme.merchant.stores.sqlalchemy as stored_by_sqlalchemy
from payme import merchant as api
from payme.errors.catalogue import Text
from payme.merchant.boxes import Merchants
from payme.merchant.core import EXPIRY_MS
from payme.merchant.outbox import Jobs, Relayed
from payme.merchant.service import AsyncMerchant, Incoming, Merchant, now_ms
from payme.merchant.stores.memory import MemoryStore
from support.docstrings import Example, examples_in, examples_of, run_example
from support.servers import serving_asgi, serving_wsgi

FOUND = {example.name: example for example in examples_of("payme.merchant")}
DJANGO = "payme.merchant.django."


class Asked(Requests):
    """A merchant as Payme asks it; `key` is that of its cash-box."""

    def __init__(self, merchant, auth=AUTH):
        self.merchant, self.auth, self.now = merchant, auth, now_ms()

    def answer(self, incoming):
        answered = self.merchant.answer(incoming._replace(authorization=self.auth))
        return answered if isinstance(answered, bytes) else asyncio.run(answered)

    def allows(self, **account):
        params = {"amount": 50_000, "account": account}
        return self.call("CheckPerformTransaction", **params)


def pay(requests, count=1):
    assert requests.create(count, "7")["result"]["state"] == 1
    assert requests.perform(count)["result"]["state"] == 2


def keeps_the_order(requests):
    """A whole life of an order; whoever names none is told so."""
    assert requests.allows(order_id="7")["result"] == {"allow": True}
    for account in ({}, {"order_id": "nobody"}, {"order_id": 8.5}, {"order_id": ["7"]}):
        assert -31099 <= code(requests.allows(**account)) <= -31050, account
    pay(requests)
    assert code(requests.create(2, "7")) in range(-31099, -31007)
    assert requests.cancel(1, reason=5)["result"]["state"] == -2


# What the shop of the examples has.


class Base(DeclarativeBase):
    """Tables of the shop."""


class OrderRow(Base):
    __tablename__ = "orders"
    number: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    state: Mapped[str] = mapped_column(default="waiting")

    @property
    def id(self):
        return self.number


TABLE = OrderRow.__table__


@contextlib.contextmanager
def shop_on_sqlite(path):
    engine = sa.create_engine(f"sqlite:///{path}/shop.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(OrderRow(number="7", amount=50_000))
    yield engine
    engine.dispose()


def state_of_7(engine):
    with engine.connect() as connection:
        return connection.scalar(sa.select(TABLE.c.state))


class ShopOrders(stored_by_sqlalchemy.Orders):
    def find(self, connection, account):
        return order_of_7(account)

    def paid(self, connection, transaction):
        pass

    def cancelled(self, connection, transaction):
        pass


class AsyncShop(stored_by_sqlalchemy.AsyncOrders):
    async def find(self, connection, account):
        return order_of_7(account)

    async def paid(self, connection, transaction):
        pass

    async def cancelled(self, connection, transaction):
        pass


def order_of_7(account):
    return api.Order(id="7", amount=50_000) if account.get("order_id") == "7" else None


def in_memory(**options):
    return Merchant(MemoryStore(order_of_7, lambda *_: None), KEY, **options)


def on_sqlite(engine, orders):
    store = stored_by_sqlalchemy.SqlAlchemyStore(engine, orders)
    store.create_all()
    return Asked(Merchant(store, KEY))


def asked_over(port, path="/payme"):
    body = json.dumps({"id": 1, "method": "CheckTransaction", "params": {"id": "f" * 24}})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", path, body, {"Authorization": AUTH})
        return code(json.loads(connection.getresponse().read()))


# One for each example.


def entrance(run, tmp_path):
    keeps_the_order(Asked(run()["merchant"]))


def memory(run, tmp_path):
    keeps_the_order(Asked(Merchant(run()["store"], KEY)))


def starlette(run, tmp_path):
    from starlette.applications import Starlette
    from starlette.routing import Route

    scope = run(Starlette=Starlette, Route=Route, merchant=in_memory())
    with serving_asgi(scope["app"]) as port:
        assert asked_over(port) == -31003


def fastapi(run, tmp_path):
    from fastapi import FastAPI

    with serving_asgi(run(FastAPI=FastAPI, merchant=in_memory())["app"]) as port:
        assert asked_over(port) == -31003


def flask(run, tmp_path):
    from flask import Flask

    with serving_wsgi(run(Flask=Flask, merchant=in_memory())["app"]) as port:
        assert asked_over(port) == -31003


def wsgi(run, tmp_path):
    answers = []

    def make_server(host, port, app):
        assert (host, port) == ("127.0.0.1", 8000)
        return SimpleNamespace(serve_forever=lambda: serve(app))

    def serve(app):
        with serving_wsgi(app) as port:
            answers.append(asked_over(port))

    with pytest.MonkeyPatch.context() as patch:
        # Port 8000 may be somebody's, and nobody would end it.
        patch.setattr(wsgiref.simple_server, "make_server", make_server)
        run(merchant=in_memory())
    assert answers == [-31003]


def boxes(run, tmp_path):
    from fastapi import FastAPI

    from payme.merchant.fastapi import payme_router

    teas, books = (MemoryStore(order_of_7, lambda *_: None) for _ in range(2))
    scope = run(teas=teas, books=books, app=FastAPI(), payme_router=payme_router)
    assert isinstance(scope["merchant"], Merchants)
    pay(Asked(scope["merchant"], basic(os.environ["TEA_KEY"])))
    (paid,) = teas.transactions_of("7")
    assert (paid.box, books.transactions_of("7")) == ("5e730e8e0b852a417aa49ceb", [])
    with serving_asgi(scope["app"]) as port:
        assert asked_over(port) == -32504


def basic(key):
    from base64 import b64encode

    return "Basic " + b64encode(f"Paycom:{key}".encode()).decode()


def account_error(run, tmp_path):
    orders = {"901234567": api.Order(id="901234567", amount=50_000)}
    scope = run(Text=Text, blocklist={"907654321"}, orders=orders)
    asked = Asked(Merchant(MemoryStore(scope["find"], lambda *_: None), KEY))
    answer = asked.allows(phone="907654321")["error"]
    assert (answer["code"], answer["data"]) == (-31060, "phone")
    assert answer["message"]["en"] == "The number is blocked."
    assert asked.allows(phone="901234567")["result"] == {"allow": True}


def refuse(run, tmp_path):
    left = ["the last one"]
    stock = SimpleNamespace(reserve=lambda order_id: left.pop() if left else None)
    created = run(Text=Text, stock=stock)["created"]
    orders = {"7": api.Order(id="7", amount=50_000), "8": api.Order(id="8", amount=50_000)}
    store = MemoryStore(
        lambda account: orders.get(account["order_id"]), lambda *_: None, created=created
    )
    asked = Asked(Merchant(store, KEY))
    assert asked.create(1, "7")["result"]["state"] == 1
    answer = asked.create(2, "8")["error"]
    assert (answer["code"], answer["message"]["ru"]) == (-31008, "Последний продан.")


def limits(run, tmp_path):
    given = run()["limits"]
    assert (given.request_timeout, given.at_once) == (8, 4)
    MemoryStore(order_of_7, print, limits=given)


def orders_without_connection(run, tmp_path):
    rows = {"7": SimpleNamespace(id=7, amount=50_000, state="waiting")}
    change = SimpleNamespace(
        get=rows.get,
        mark_paid=lambda order_id: setattr(rows[order_id], "state", "paid"),
        close=lambda order_id: setattr(rows[order_id], "state", "closed"),
    )
    shop = run(shop=change)["ShopOrders"]()
    keeps_the_order(Asked(Merchant(MemoryStore(shop.find, told_to(shop)), KEY)))
    assert rows["7"].state == "closed"


def told_to(orders):
    def hook(event, transaction):
        getattr(orders, event, lambda _: None)(transaction)

    return hook


def jobs(run, tmp_path):
    mailed = []
    outbox = Jobs(lease=300.0)
    run(outbox=outbox, mail=mailed.append)["send_receipt"](order_id="7")
    assert mailed == ["7"]


def merchant(run, tmp_path):
    store = MemoryStore(order_of_7, lambda *_: None)
    body = b'{"id": 3, "method": "CheckTransaction", "params": {"id": "1"}}'
    for headers, expected in (({"Authorization": AUTH}, -31003), ({}, -32504)):
        request = SimpleNamespace(method="POST", body=body, headers=headers)
        scope = run(store=store, request=request, Incoming=Incoming)
        assert code(json.loads(scope["body"])) == expected


def expire(run, tmp_path):
    def hook(event, transaction):
        if transaction.order_id == "2":
            raise RuntimeError

    def find(account):
        return api.Order(id=account["order_id"], amount=50_000)

    served = Merchant(MemoryStore(find, hook), KEY, clock=lambda: asked.now)
    asked = Asked(served)
    for count in (1, 2, 3):
        asked.create(count, str(count))
    asked.now += EXPIRY_MS + 1
    run(merchant=served)


def transactions_of(run, tmp_path):
    served = in_memory()
    pay(Asked(served))
    run(merchant=served)


def stored_transactions(run, tmp_path):
    with shop_on_sqlite(tmp_path) as engine:
        store = stored_by_sqlalchemy.SqlAlchemyStore(engine, ShopOrders())
        store.create_all()
        asked = Asked(Merchant(store, KEY))
        assert asked.create(1, "7")["result"]["state"] == 1
        assert run(store=store)["paid"] == []
        asked.perform(1)
        assert [one.order_id for one in run(store=store)["paid"]] == ["7"]


def sqlalchemy_package(run, tmp_path):
    with shop_on_sqlite(tmp_path) as engine:

        def tables():
            stored_by_sqlalchemy.SqlAlchemyStore(engine, ShopOrders()).create_all()

        names = {"select": sa.select, "update": sa.update, "orders": TABLE, "engine": engine}
        scope = run(**names, before={"merchant =": tables})
        keeps_the_order(Asked(scope["merchant"]))
        assert state_of_7(engine) == "closed"


def sqlalchemy_orders(run, tmp_path):
    def order_by_id(number):
        return sa.select(TABLE).where(TABLE.c.number == str(number))

    class Row:
        def __init__(self, connection):
            self.connection = connection

        def execute(self, statement):
            columns = [TABLE.c.number.label("id"), TABLE.c.amount]
            return self.connection.execute(statement.with_only_columns(*columns))

    orders = run(order_by_id=order_by_id)["ShopOrders"]

    class Whole(orders):
        def find(self, connection, account):
            return super().find(Row(connection), account)

        paid = cancelled = ShopOrders.paid

    with shop_on_sqlite(tmp_path) as engine:
        keeps_the_order(on_sqlite(engine, Whole()))


def sqlalchemy_sessions(run, tmp_path):
    with shop_on_sqlite(tmp_path) as engine:
        database = SimpleNamespace(session=scoped_session(lambda: Session(engine)))
        scope = run(db=database, models=SimpleNamespace(Order=OrderRow))
        keeps_the_order(on_sqlite(engine, scope["ShopOrders"]()))
        assert state_of_7(engine) == "closed"


def sqlalchemy_store(run, tmp_path):
    with shop_on_sqlite(tmp_path) as engine:
        scope = run(create_engine=instead(engine, sa.create_engine), ShopOrders=ShopOrders)
        keeps_the_order(Asked(scope["merchant"]))


def sqlalchemy_async_store(run, tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db", poolclass=sa.NullPool)
    make = instead(engine, create_async_engine)
    scope = run(create_async_engine=make, Shop=AsyncShop, AsyncMerchant=AsyncMerchant)
    keeps_the_order(Asked(scope["merchant"]))


def instead(engine, makes):
    """An example names a server; its driver is there, and another database is used."""

    def make(url):
        assert makes(url).dialect.driver == "psycopg"
        return engine

    return make


def sqlalchemy_outbox(run, tmp_path):
    with shop_on_sqlite(tmp_path) as engine:
        scope = {}

        def payment():
            scope["outbox"].create_all()

            class Whole(scope["ShopOrders"], ShopOrders):
                """With what the example leaves out."""

            pay(on_sqlite(engine, Whole()))

        run(scope=scope, engine=engine, before={"outbox.relay()": payment})


def upgrade(run, tmp_path):
    import payme
    from payme.merchant.stores.sqlalchemy import transactions

    with shop_on_sqlite(tmp_path) as engine, engine.begin() as connection:
        columns = [column.name for column in transactions.c if column.name != "box"]
        names = ", ".join("holds" if name == "reserves" else name for name in columns)
        connection.exec_driver_sql(f"CREATE TABLE payme_transaction ({names})")
        connection.exec_driver_sql(
            "CREATE UNIQUE INDEX payme_transaction_holds ON payme_transaction (holds)"
        )
        run(payme=payme, op=SimpleNamespace(get_bind=lambda: connection))["upgrade"]()
        found = sa.inspect(connection)
        assert "box" in {column["name"] for column in found.get_columns("payme_transaction")}


def celery_tasks(run, tmp_path):
    celery = pytest.importorskip("celery")
    ends = SimpleNamespace(expire=api.Expired, relay=Relayed)
    names = {"app": celery.Celery("shop"), "make_merchant": lambda: ends}
    tasks = run(**names, make_outbox=lambda: ends)["tasks"]
    assert tasks.expire.apply().get() == {"found": 0, "expired": 0, "failed": 0}
    assert tasks.relay.apply().get() == {"done": 0, "failed": 0}


def procrastinate_tasks(run, tmp_path):
    procrastinate = pytest.importorskip("procrastinate")
    from procrastinate.testing import InMemoryConnector

    called = []
    ends = SimpleNamespace(expire=lambda: called.append(threading.current_thread()))
    app = procrastinate.App(connector=InMemoryConnector())
    tasks = run(app=app, make_merchant=lambda: ends)["tasks"]
    asyncio.run(tasks.expire.func(timestamp=0))
    assert len(called) == 1


def procrastinate_defer(run, tmp_path):
    pytest.importorskip("procrastinate")
    asked = []

    class Task:
        """Stands for a task: the connector that stores a job has tests of its own."""

        def configure(self, *, connection):
            asked.append(type(connection).__module__.partition(".")[0])
            return SimpleNamespace(defer=lambda **arguments: asked.append(arguments))

    driver = type("Connection", (), {"__module__": "psycopg"})()
    connection = SimpleNamespace(connection=SimpleNamespace(driver_connection=driver))
    orders = run(Orders=ShopOrders, send_receipt=Task())["ShopOrders"]()
    orders.paid(connection, SimpleNamespace(order_id="7"))
    assert asked == ["psycopg", {"order_id": "7"}]


EXAMPLES = {
    "payme.merchant": entrance,
    "payme.merchant.asgi": starlette,
    "payme.merchant.boxes.Merchants": boxes,
    "payme.merchant.engines.celery.CeleryTasks": celery_tasks,
    "payme.merchant.engines.procrastinate.ProcrastinateTasks": procrastinate_tasks,
    "payme.merchant.engines.procrastinate.defer": procrastinate_defer,
    "payme.merchant.entities.AccountError": account_error,
    "payme.merchant.entities.Refuse": refuse,
    "payme.merchant.fastapi": fastapi,
    "payme.merchant.flask": flask,
    "payme.merchant.limits.Limits": limits,
    "payme.merchant.orders.Orders": orders_without_connection,
    "payme.merchant.outbox.Jobs.job": jobs,
    "payme.merchant.service.Merchant": merchant,
    "payme.merchant.service.Merchant.expire": expire,
    "payme.merchant.service.Merchant.transactions_of": transactions_of,
    "payme.merchant.stores.memory.MemoryStore": memory,
    "payme.merchant.stores.sqlalchemy": sqlalchemy_package,
    "payme.merchant.stores.sqlalchemy.orders.Orders": sqlalchemy_orders,
    "payme.merchant.stores.sqlalchemy.outbox.SqlAlchemyOutbox": sqlalchemy_outbox,
    "payme.merchant.stores.sqlalchemy.sessions.SessionOrders": sqlalchemy_sessions,
    "payme.merchant.stores.sqlalchemy.store.AsyncSqlAlchemyStore": sqlalchemy_async_store,
    "payme.merchant.stores.sqlalchemy.store.SqlAlchemyStore": sqlalchemy_store,
    "payme.merchant.stores.sqlalchemy.store.SqlAlchemyStore.transactions_of": stored_transactions,
    "payme.merchant.stores.sqlalchemy.upgrade.upgrade": upgrade,
    "payme.merchant.wsgi": wsgi,
}


def test_every_example_is_run_here_or_with_django():
    assert {name for name in FOUND if not name.startswith(DJANGO)} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_does_what_it_says(name, tmp_path, monkeypatch):
    for variable in ("PAYME_KEY", "TEA_KEY", "BOOK_KEY"):
        monkeypatch.setenv(variable, KEY if variable == "PAYME_KEY" else f"{variable}-of-the-tests")

    def run(*, before=None, scope=None, **names):
        """Run it with the names of the package, of its module, of the shop, and `os`."""
        scope = {} if scope is None else scope
        scope.update({one: getattr(api, one) for one in api.__all__})
        module = importlib.import_module(FOUND[name].module)
        scope.update(vars(module))
        if module.__name__.startswith(stored_by_sqlalchemy.__name__):
            scope.update(vars(stored_by_sqlalchemy))
        scope.update(names, os=os)
        run_example(FOUND[name], scope, before or {})
        return scope

    EXAMPLES[name](run, tmp_path)


# What runs them notices what is wrong.


@pytest.mark.parametrize(
    "written",
    [
        ">>> nobody\n",
        ">>> 1 + 1\n3\n",
        ">>> 1 + 1\n",
        ">>> None\n2\n",
        ">>> class Broken(:\n...     pass\n",
        "nobody\n",
        ">>> raise ValueError\n",
        ">>> await nobody()\n",
        "",
    ],
)
def test_an_example_that_can_not_be_run_is_noticed(written):
    with pytest.raises((AssertionError, NameError, SyntaxError, ValueError)):
        run_example(Example("shop", "broken", written), {}, {})


def test_an_example_without_the_statement_that_is_waited_for_is_noticed():
    with pytest.raises(AssertionError, match="no statement"):
        run_example(Example("shop", "changed", ">>> 1\n1\n"), {}, {"pay(": print})


def test_both_forms_of_examples_are_found():
    told = """Say it.

    Example:
        >>> one()
        1

        >>> two()

    And more.

    Examples:
        one()

        two()

    Returns:
        Nothing.
    """
    assert examples_in(told) == [">>> one()\n1\n\n>>> two()\n", "one()\n\ntwo()\n"]
