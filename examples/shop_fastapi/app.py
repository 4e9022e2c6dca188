"""The shop's pages, with Payme at `/payme`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import create_async_engine

from examples.shop_fastapi.orders import ShopOrders
from examples.tables import metadata, number, orders
from payme.checkout import link
from payme.merchant.fastapi import payme_router
from payme.merchant.service import AsyncMerchant
from payme.merchant.stores.sqlalchemy import AsyncSqlAlchemyStore


class NewOrder(BaseModel):
    """What a customer sends: an amount in tiyin, a whole number and not a text or a float."""

    amount: int = Field(gt=0, lt=2**53, strict=True)


def create_app(database: str, key: str, merchant_id: str, checkout_url: str | None) -> FastAPI:
    """Make the shop.

    Args:
        database: `sqlite:///shop.db` or `postgresql://…`.
        key: Key of the cash-box.
        merchant_id: Id of the cash-box, for checkout links.
        checkout_url: Address of a sandbox's checkout; None for Payme's own.

    Returns:
        The application.
    """
    engine = create_async_engine(_asynchronous(database))
    store = AsyncSqlAlchemyStore(engine, ShopOrders())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await store.create_all()
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(title="Shop", lifespan=lifespan)
    app.include_router(payme_router(AsyncMerchant(store, keys=key)))

    @app.post("/orders", status_code=201)
    async def create_order(new: NewOrder) -> dict[str, int]:
        async with engine.begin() as connection:
            made = await connection.execute(
                sa.insert(orders).values(amount=new.amount).returning(orders.c.id)
            )
            return {"id": made.scalar_one()}

    @app.get("/orders/{order_id}")
    async def show_order(order_id: str) -> dict[str, Any]:
        async with engine.connect() as connection:
            found = await connection.execute(
                sa.select(orders).where(orders.c.id == number(order_id))
            )
            row = found.one_or_none()
        if row is None:
            raise HTTPException(404, "no such order")
        pay = link(merchant_id, {"order_id": row.id}, row.amount, base_url=checkout_url)
        return {
            "state": row.state,
            "paid_events": row.paid_events,
            "cancelled_events": row.cancelled_events,
            "checkout": pay if row.state == "waiting" else None,
        }

    return app


def _asynchronous(database: str) -> str:
    """Name the asyncio driver of a database."""
    scheme, _, rest = database.partition("://")
    drivers = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}
    return f"{drivers.get(scheme, scheme)}://{rest}"
