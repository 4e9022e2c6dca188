"""The pages that a customer sees: buy, and pay with the saved card or at the checkout."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from examples import pages
from examples.guard import HEADERS, is_from_here
from examples.shop_fastapi.cards import CardPayments
from examples.tables import number, orders


async def place(engine: AsyncEngine, amount: int) -> int:
    """Take an order; gives its number."""
    async with engine.begin() as connection:
        new = sa.insert(orders).values(amount=amount).returning(orders.c.id)
        return (await connection.execute(new)).scalar_one()


async def find(engine: AsyncEngine, order_id: str) -> Any:
    """Find an order.

    Raises:
        HTTPException: There is none.
    """
    async with engine.connect() as connection:
        wanted = sa.select(orders).where(orders.c.id == number(order_id))
        row = (await connection.execute(wanted)).one_or_none()
    if row is None:
        raise HTTPException(404, "no such order")
    return row


def check_origin(
    host: Annotated[str | None, Header()] = None, origin: Annotated[str | None, Header()] = None
) -> None:
    """Refuse a form that another site sent."""
    if not is_from_here(origin, host):
        raise HTTPException(403, "sent by another site")


def customer_pages(
    engine: AsyncEngine, checkout: Callable[[Any], str], by_card: CardPayments | None
) -> APIRouter:
    """Make the pages.

    Args:
        engine: The shop's database.
        checkout: Makes the address where an order is paid at Payme's checkout.
        by_card: Takes payments by a saved card; None for a shop without.
    """
    router = APIRouter(dependencies=[Depends(check_origin)], default_response_class=HTMLResponse)

    @router.get("/")
    async def front_page() -> HTMLResponse:
        return HTMLResponse(pages.front(), headers=HEADERS)

    @router.post("/")
    async def buy() -> RedirectResponse:
        return RedirectResponse(f"/orders/{await place(engine, pages.AMOUNT)}/pay", 303)

    @router.get("/orders/{order_id}/pay")
    async def order_page(order_id: str) -> HTMLResponse:
        order = await find(engine, order_id)
        charge, card = await by_card.find(order.id) if by_card else (None, None)
        page = pages.order(order.id, order.state, charge, card, checkout(order))
        return HTMLResponse(page, headers=HEADERS)

    @router.post("/orders/{order_id}/pay")
    async def pay_by_card(order_id: str, request: Request) -> RedirectResponse:
        order = await find(engine, order_id)
        sent = parse_qs((await request.body()).decode("ascii", "replace"))
        if by_card:
            await by_card.pay(order.id, sent.get("seen", [""])[0])
        return RedirectResponse(f"/orders/{order.id}/pay", 303)

    return router
