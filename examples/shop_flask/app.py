"""The shop's pages, with Payme at `/payme`."""

from typing import Any

import sqlalchemy as sa
from flask import Flask, request

from examples.shop_flask.orders import ShopOrders
from examples.tables import metadata, number, orders
from payme import InvalidArgument
from payme.checkout import link
from payme.merchant.flask import payme_blueprint
from payme.merchant.service import Merchant
from payme.merchant.stores.sqlalchemy import SqlAlchemyStore
from payme.money import tiyin

Json = dict[str, Any]


def create_app(database: str, key: str, merchant_id: str, checkout_url: str | None) -> Flask:
    """Make the shop.

    Args:
        database: `sqlite:///shop.db` or `postgresql://…`.
        key: Key of the cash-box.
        merchant_id: Id of the cash-box, for checkout links.
        checkout_url: Address of a sandbox's checkout; None for Payme's own.

    Returns:
        The application.
    """
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
    store = SqlAlchemyStore(engine, ShopOrders())
    store.create_all()
    metadata.create_all(engine)

    app = Flask("shop")
    app.register_blueprint(payme_blueprint(Merchant(store, keys=key)))

    @app.errorhandler(InvalidArgument)
    def bad_request(error: InvalidArgument) -> tuple[Json, int]:
        return {"error": str(error)}, 400

    @app.post("/orders")
    def create_order() -> tuple[Json, int]:
        sent = request.get_json(silent=True)
        amount = tiyin(sent.get("amount") if isinstance(sent, dict) else None)
        with engine.begin() as connection:
            made = connection.execute(
                sa.insert(orders).values(amount=amount).returning(orders.c.id)
            )
            return {"id": made.scalar_one()}, 201

    @app.get("/orders/<order_id>")
    def show_order(order_id: str) -> Json | tuple[Json, int]:
        wanted = sa.select(orders).where(orders.c.id == number(order_id))
        with engine.connect() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return {"error": "no such order"}, 404
        pay = link(merchant_id, {"order_id": row.id}, row.amount, base_url=checkout_url)
        return {
            "state": row.state,
            "paid_events": row.paid_events,
            "cancelled_events": row.cancelled_events,
            "checkout": pay if row.state == "waiting" else None,
        }

    return app
