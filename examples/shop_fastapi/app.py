"""The shop's pages, with Payme at `/payme`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.middleware.trustedhost import TrustedHostMiddleware

from examples.guard import HOSTS, LONGEST_BODY
from examples.saved_cards import SavedCards
from examples.shop_fastapi.cards import CardPayments
from examples.shop_fastapi.customer import check_origin, customer_pages, find, place
from examples.shop_fastapi.orders import ShopOrders
from examples.tables import metadata
from payme import AsyncPayme
from payme.checkout import link
from payme.merchant import AsyncMerchant
from payme.merchant.fastapi import payme_router
from payme.merchant.stores.sqlalchemy import AsyncSqlAlchemyStore


class NewOrder(BaseModel):
    """What a customer sends: an amount in tiyin, a whole number and not a text or a float."""

    amount: int = Field(gt=0, lt=2**53, strict=True)


def create_app(
    database: str,
    key: str,
    merchant_id: str,
    checkout_url: str | None,
    cards: SavedCards | None = None,
) -> FastAPI:
    """Make the shop.

    Args:
        database: `sqlite:///shop.db` or `postgresql://…`.
        key: Key of the cash-box.
        merchant_id: Id of the cash-box, for checkout links.
        checkout_url: Address of a sandbox's checkout; None for Payme's own.
        cards: The customers' saved cards; None to take none.

    Returns:
        The application.
    """
    engine = create_async_engine(_asynchronous(database))
    store = AsyncSqlAlchemyStore(engine, ShopOrders())
    payme = AsyncPayme(merchant_id, key) if cards else None
    by_card = CardPayments(engine, payme, cards) if payme and cards else None

    def checkout(order: Any) -> str:
        return link(merchant_id, {"order_id": order.id}, order.amount, base_url=checkout_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.create_all()
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        async with AsyncExitStack() as stack:
            if payme and by_card:
                await stack.enter_async_context(payme)
                await by_card.prepare()
                await stack.enter_async_context(by_card.in_background())
            yield
        await engine.dispose()

    app = FastAPI(title="Shop", lifespan=lifespan, max_body_size=LONGEST_BODY)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)
    app.include_router(payme_router(AsyncMerchant(store, keys=key)))
    app.include_router(customer_pages(engine, checkout, by_card))

    @app.exception_handler(RequestValidationError)
    async def bad_request(_: Request, error: RequestValidationError) -> JSONResponse:
        # FastAPI's own answer repeats what was sent, and fails at what JSON has no form for.
        wrong = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
        return JSONResponse({"detail": wrong}, 422)

    @app.post("/orders", status_code=201, dependencies=[Depends(check_origin)])
    async def create_order(new: NewOrder) -> dict[str, int]:
        return {"id": await place(engine, new.amount)}

    @app.get("/orders/{order_id}")
    async def show_order(order_id: str) -> dict[str, Any]:
        order = await find(engine, order_id)
        return {
            "state": order.state,
            "paid_events": order.paid_events,
            "cancelled_events": order.cancelled_events,
            "checkout": checkout(order) if order.state == "waiting" else None,
        }

    return app


def _asynchronous(database: str) -> str:
    """Name the asyncio driver of a database."""
    scheme, _, rest = database.partition("://")
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
    return f"{drivers.get(scheme, scheme)}://{rest}"
