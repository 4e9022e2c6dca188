"""Hooks on the ORM work in the payment's transaction: Session, Flask-SQLAlchemy, AsyncSession."""

import asyncio
import json

import pytest
import sqlalchemy as sa
from scenarios import AUTH, KEY, START, Failure, Requests, code, number
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlshop import asyncio_url, blocking_url, patient, statements

from payme.merchant import AsyncMerchant, Merchant, Order
from payme.merchant.stores.sqlalchemy import (
    AsyncSessionOrders,
    AsyncSqlAlchemyStore,
    SessionOrders,
    SqlAlchemyStore,
    metadata,
)


class Base(DeclarativeBase):
    pass


class Row(Base):
    __tablename__ = "orm_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(16), default="waiting")


def described(row):
    return row and Order(id=str(row.id), amount=50_000, state=row.state)


class ShopOrders(SessionOrders):
    fails = None
    then = staticmethod(lambda session: None)

    def find(self, session, account, method):
        self.asked = method
        return described(session.get(Row, int(account["order_id"])))

    def paid(self, session, transaction):
        # Neither flushed nor added: the store does.
        session.get(Row, int(transaction.order_id)).state = "paid"
        self.then(session)
        if self.fails:
            raise self.fails

    def cancelled(self, session, transaction):
        session.get(Row, int(transaction.order_id)).state = "closed"


class AsyncShopOrders(AsyncSessionOrders):
    fails = None

    async def find(self, session, account):
        return described(await session.get(Row, int(account["order_id"])))

    async def paid(self, session, transaction):
        assert isinstance(session, AsyncSession)
        (await session.get(Row, int(transaction.order_id))).state = "paid"
        if self.fails:
            raise self.fails

    async def cancelled(self, session, transaction):
        (await session.get(Row, int(transaction.order_id))).state = "closed"


class Shop(Requests):
    def __init__(self, url, *, asynchronous):
        self.engine = sa.create_engine(blocking_url(url), **patient(url, {}))
        for tables in (metadata, Base.metadata):
            tables.create_all(self.engine)
        with Session(self.engine) as session:
            session.add_all([Row(id=7), Row(id=8)])
            session.commit()
        self.runner = asyncio.Runner() if asynchronous else None
        if asynchronous:
            self.async_engine = create_async_engine(asyncio_url(url), **patient(url, {}))
            self.orders = AsyncShopOrders()
            store = AsyncSqlAlchemyStore(self.async_engine, self.orders)
            self.merchant = AsyncMerchant(store, KEY, clock=lambda: self.now)
        else:
            self.orders = ShopOrders()
            store = SqlAlchemyStore(self.engine, self.orders)
            self.merchant = Merchant(store, KEY, clock=lambda: self.now)

    def answer(self, incoming):
        answer = self.merchant.answer(incoming)
        return self.runner.run(answer) if self.runner else answer

    def state(self, name):
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(Row.state).where(Row.id == name))

    def close(self):
        if self.runner:
            self.runner.run(self.async_engine.dispose())
            self.runner.close()
        self.engine.dispose()


@pytest.fixture(params=[False, True], ids=["blocking", "asyncio"])
def shop(request, url):
    shop = Shop(url, asynchronous=request.param)
    yield shop
    shop.close()


def test_life_of_an_order_on_the_orm(shop):
    shop.create(1, "7")
    assert shop.state(7) == "waiting"
    assert shop.perform(1)["result"]["state"] == 2
    assert shop.state(7) == "paid"
    assert shop.cancel(1)["result"]["state"] == -2
    assert shop.state(7) == "closed"
    assert code(shop.create(2, "9")) == -31050


def test_hook_that_fails_takes_the_objects_back(shop):
    shop.create(1, "7")
    shop.orders.fails = Failure()
    assert code(shop.perform(1)) == -32400
    assert (shop.state(7), shop.check(1)["result"]["state"]) == ("waiting", 1)


@pytest.fixture
def blocking(url):
    shop = Shop(url, asynchronous=False)
    yield shop
    shop.close()


def test_commit_of_the_session_commits_nothing(blocking):
    def commit_and_fail(session):
        session.commit()
        raise Failure

    blocking.create(1, "7")
    blocking.orders.then = commit_and_fail
    assert code(blocking.perform(1)) == -32400
    assert blocking.state(7) == "waiting"


def test_rollback_of_the_session_is_noticed(blocking):
    blocking.create(1, "7")
    blocking.orders.then = lambda session: session.rollback()
    assert code(blocking.perform(1)) == -32400
    assert (blocking.state(7), blocking.check(1)["result"]["state"]) == ("waiting", 1)


def test_error_that_shows_only_when_flushed_ends_the_request(blocking):
    blocking.create(1, "7")
    blocking.orders.then = lambda session: session.add(Row(id=8))
    assert code(blocking.perform(1)) == -32400
    assert blocking.state(7) == "waiting"


def test_find_is_told_the_method_and_what_it_changes_is_not_kept(blocking):
    find = blocking.orders.find

    def changing(session, account, method):
        found = find(session, account, method)
        session.get(Row, 8).state = "changed"
        session.query(Row).count()
        return found

    blocking.orders.find = changing
    blocking.merchant._store = SqlAlchemyStore(blocking.engine, blocking.orders)
    blocking.create(1, "7")
    assert blocking.orders.asked == "CreateTransaction"
    assert blocking.perform(1)["result"]["state"] == 2
    assert blocking.state(8) == "waiting"


def test_hooks_that_are_not_there_cost_nothing(blocking):
    blocking.create(1, "7")
    with statements(blocking.engine) as sent:
        blocking.cancel(1)
    assert not [one for one in sent if "orm_order" in one]


@pytest.fixture
def flask_shop(url):
    pytest.importorskip("flask_sqlalchemy")
    flask = pytest.importorskip("flask")
    from flask_sqlalchemy import SQLAlchemy

    from payme.merchant.flask import payme_blueprint

    db = SQLAlchemy()

    class FlaskOrder(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        state = db.Column(db.String(16), default="waiting")

    class Orders(SessionOrders):
        registry = db.session
        fails = None

        def find(self, session, account):
            assert db.session() is session
            return described(FlaskOrder.query.filter_by(id=int(account["order_id"])).first())

        def paid(self, session, transaction):
            db.session.get(FlaskOrder, int(transaction.order_id)).state = "paid"
            if Orders.fails:
                raise Orders.fails

        def cancelled(self, session, transaction):
            pass

    app = flask.Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = blocking_url(url)
    db.init_app(app)
    with app.app_context():
        store = SqlAlchemyStore(db.engine, Orders())
        store.create_all()
        db.create_all()
        db.session.add(FlaskOrder(id=7))
        db.session.commit()
        engine = db.engine
    app.register_blueprint(payme_blueprint(Merchant(store, KEY, clock=lambda: START)))

    @app.before_request
    def page_uses_its_own_session():
        flask.g.seen = db.session.get(FlaskOrder, 7)

    @app.after_request
    def and_has_it_back(response):
        assert flask.g.seen in db.session
        return response

    @app.get("/state")
    def state():
        return db.session.get(FlaskOrder, 7).state

    yield app.test_client(), Orders
    engine.dispose()


def test_flask_sqlalchemy_works_in_the_transaction_of_the_payment(flask_shop):
    client, shop_orders = flask_shop

    def call(method, **params):
        body = json.dumps({"method": method, "params": params, "id": 9})
        return client.post("/payme", data=body, headers={"Authorization": AUTH}).json

    account = {"order_id": "7"}
    created = call("CreateTransaction", id=number(1), time=START, amount=50_000, account=account)
    assert created["result"]["state"] == 1
    shop_orders.fails = Failure()
    assert code(call("PerformTransaction", id=number(1))) == -32400
    assert client.get("/state").text == "waiting"
    shop_orders.fails = None
    assert call("PerformTransaction", id=number(1))["result"]["state"] == 2
    assert client.get("/state").text == "paid"


def test_fastapi_with_an_async_session(url):
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    from payme.merchant.fastapi import payme_router

    shop = Shop(url, asynchronous=False)
    engine = create_async_engine(asyncio_url(url), **patient(url, {}), poolclass=sa.NullPool)
    merchant = AsyncMerchant(
        AsyncSqlAlchemyStore(engine, AsyncShopOrders()), KEY, clock=lambda: START
    )
    app = fastapi.FastAPI()
    app.include_router(payme_router(merchant))
    with testclient.TestClient(app) as client:

        def answer(incoming):
            headers = {"Authorization": incoming.authorization}
            return client.post("/payme", content=incoming.body, headers=headers).content

        shop.answer = answer
        shop.create(1, "7")
        assert shop.perform(1)["result"]["state"] == 2
    assert shop.state(7) == "paid"
    shop.close()
