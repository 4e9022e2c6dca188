"""`paytechuz` in FastAPI as its README shows it: an `async def` route, a blocking session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request, Response
from paytechuz.integrations.fastapi import PaymeWebhookHandler, run_migrations
from sqlalchemy import Column, Integer, Numeric, String, create_engine
from sqlalchemy.orm import Session, declarative_base, sessionmaker

from bench.merchant.apps.shop import (
    ACCOUNT_FIELD,
    CPU_PATH,
    KEY,
    PATH,
    THREADS,
    sqlalchemy_url,
    used,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

engine = create_engine(sqlalchemy_url(), pool_size=THREADS)
Base = declarative_base()


class Order(Base):
    __tablename__ = "shop_order"

    id = Column(Integer, primary_key=True)
    amount = Column(Numeric(12, 2))
    status = Column(String(16))


run_migrations(engine)
Base.metadata.create_all(bind=engine)
SessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)
app = FastAPI()


def get_db() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


class Handler(PaymeWebhookHandler):
    """The shop's side, as the README shows it but for `int`: the column is text, the id a number.

    Without it PostgreSQL refuses to compare them, after the payment is committed.
    """

    def successfully_payment(self, _: dict[str, Any], transaction: Any) -> None:
        number = int(transaction.account_id)
        order = self.db.query(Order).filter(Order.id == number).first()
        order.status = "paid"
        self.db.commit()


@app.post(PATH)
async def payme_webhook(request: Request, db: Session = Depends(get_db)) -> Response:  # noqa: B008
    handler = Handler(
        db=db,
        payme_id="benchmark",
        payme_key=KEY,
        account_model=Order,
        account_field=ACCOUNT_FIELD,
        amount_field="amount",
    )
    return await handler.handle_webhook(request)


@app.get(CPU_PATH)
async def cpu() -> Response:
    return Response(used("fastapi", "uvicorn", "sqlalchemy", "psycopg"))
