"""The pages that a customer sees: buy, and pay with the saved card or at the checkout."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, redirect, request

from examples import pages
from examples.guard import HEADERS, is_from_here
from examples.shop_flask.cards import CardPayments
from examples.tables import number, orders


def place(engine: sa.Engine, amount: int) -> int:
    """Take an order; gives its number."""
    with engine.begin() as connection:
        new = sa.insert(orders).values(amount=amount).returning(orders.c.id)
        return connection.execute(new).scalar_one()


def find(engine: sa.Engine, order_id: str) -> Any:
    """Find an order; None if there is none."""
    with engine.connect() as connection:
        wanted = sa.select(orders).where(orders.c.id == number(order_id))
        return connection.execute(wanted).one_or_none()


def customer_pages(
    engine: sa.Engine, checkout: Callable[[Any], str], by_card: CardPayments | None
) -> Blueprint:
    """Make the pages.

    Args:
        engine: The shop's database.
        checkout: Makes the address where an order is paid at Payme's checkout.
        by_card: Takes payments by a saved card; None for a shop without.
    """
    blueprint = Blueprint("customer", __name__)

    @blueprint.before_app_request
    def check_origin() -> None:
        if not is_from_here(request.headers.get("Origin"), request.host):
            abort(403)

    @blueprint.get("/")
    def front_page() -> Response:
        return Response(pages.front(), headers=HEADERS)

    @blueprint.post("/")
    def buy() -> Any:
        return redirect(f"/orders/{place(engine, pages.AMOUNT)}/pay", 303)

    @blueprint.get("/orders/<order_id>/pay")
    def order_page(order_id: str) -> Response:
        order = find(engine, order_id) or abort(404)
        charge, card = by_card.find(order.id) if by_card else (None, None)
        page = pages.order(order.id, order.state, charge, card, checkout(order))
        return Response(page, headers=HEADERS)

    @blueprint.post("/orders/<order_id>/pay")
    def pay_by_card(order_id: str) -> Any:
        order = find(engine, order_id) or abort(404)
        if by_card:
            by_card.pay(order.id, request.form.get("seen", ""))
        return redirect(f"/orders/{order.id}/pay", 303)

    return blueprint
