"""This package in FastAPI, on SQLAlchemy's asyncio engine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import FastAPI, Response
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bench.merchant.apps.shop import ACCOUNT_FIELD, CPU_PATH, KEY, THREADS, sqlalchemy_url, used
from payme.merchant import AsyncMerchant, Order, Transaction
from payme.merchant.fastapi import payme_router
from payme.merchant.stores.sqlalchemy import AsyncOrders, AsyncSqlAlchemyStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

metadata = sa.MetaData()
orders = sa.Table(
    "shop_order",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("amount", sa.Numeric(12, 2), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
)
BY_ID = sa.select(orders).where(orders.c.id == sa.bindparam("number"))
PAID = sa.update(orders).where(orders.c.id == sa.bindparam("number")).values(status="paid")


class ShopOrders(AsyncOrders):
    """The shop's side, as the package's documentation shows it."""

    async def find(self, connection: AsyncConnection, account: dict[str, Any]) -> Order | None:
        row = (await connection.execute(BY_ID, {"number": account[ACCOUNT_FIELD]})).first()
        if row is None:
            return None
        state = "paid" if row.status == "paid" else "waiting"
        return Order(id=str(row.id), amount=int(row.amount * 100), state=state)

    async def paid(self, connection: AsyncConnection, transaction: Transaction) -> None:
        await connection.execute(PAID, {"number": int(transaction.order_id)})

    async def cancelled(self, connection: AsyncConnection, transaction: Transaction) -> None:
        raise NotImplementedError("nothing is cancelled here")


engine = create_async_engine(sqlalchemy_url(), pool_size=THREADS)
store = AsyncSqlAlchemyStore(engine, ShopOrders())


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await store.create_all()
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(payme_router(AsyncMerchant(store, KEY)))


@app.get(CPU_PATH)
async def cpu() -> Response:
    return Response(used("fastapi", "uvicorn", "sqlalchemy", "psycopg"))
