"""The shop's pages, with Payme at `/payme`."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import sqlalchemy as sa
from flask import Flask, request

from examples.guard import HOSTS, LONGEST_BODY, json_object
from examples.saved_cards import SavedCards
from examples.shop_flask.cards import CardPayments
from examples.shop_flask.customer import customer_pages, find, place
from examples.shop_flask.orders import ShopOrders
from examples.tables import metadata
from payme import InvalidArgument, Payme
from payme.checkout import link
from payme.merchant import Merchant
from payme.merchant.flask import payme_blueprint
from payme.merchant.stores.sqlalchemy import SqlAlchemyStore
from payme.money import tiyin

Json = dict[str, Any]


def create_app(
    database: str,
    key: str,
    merchant_id: str,
    checkout_url: str | None,
    cards: SavedCards | None = None,
) -> tuple[Flask, AbstractContextManager[None]]:
    """Make the shop.

    Args:
        database: `sqlite:///shop.db` or `postgresql://…`.
        key: Key of the cash-box.
        merchant_id: Id of the cash-box, for checkout links.
        checkout_url: Address of a sandbox's checkout; None for Payme's own.
        cards: The customers' saved cards; None to take none.

    Returns:
        The application, and what runs beside it.
    """
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
    store = SqlAlchemyStore(engine, ShopOrders())
    store.create_all()
    metadata.create_all(engine)

    def checkout(order: Any) -> str:
        return link(merchant_id, {"order_id": order.id}, order.amount, base_url=checkout_url)

    by_card = CardPayments(engine, Payme(merchant_id, key), cards) if cards else None
    app = Flask("shop")
    app.config["TRUSTED_HOSTS"] = HOSTS  # from Flask 3.1 on
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    app.register_blueprint(payme_blueprint(Merchant(store, keys=key)))
    app.register_blueprint(customer_pages(engine, checkout, by_card))

    @app.errorhandler(InvalidArgument)
    def bad_request(error: InvalidArgument) -> tuple[Json, int]:
        return {"error": str(error)}, 400

    @app.post("/orders")
    def create_order() -> tuple[Json, int]:
        sent = json_object(request.content_type, request.get_data())
        amount = tiyin(sent.get("amount"))
        return {"id": place(engine, amount)}, 201

    @app.get("/orders/<order_id>")
    def show_order(order_id: str) -> Json | tuple[Json, int]:
        order = find(engine, order_id)
        if order is None:
            return {"error": "no such order"}, 404
        return {
            "state": order.state,
            "paid_events": order.paid_events,
            "cancelled_events": order.cancelled_events,
            "checkout": checkout(order) if order.state == "waiting" else None,
        }

    return app, by_card.in_background() if by_card else nullcontext()
