"""The shop's side for this package, as its documentation shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.merchant.apps.django_shop.models import Order
from bench.merchant.apps.shop import ACCOUNT_FIELD
from payme import merchant

if TYPE_CHECKING:
    from payme.merchant import Transaction


class Orders:
    """Finds orders, and marks them as paid."""

    def find(self, account: dict[str, Any]) -> merchant.Order | None:
        order = Order.objects.filter(pk=account[ACCOUNT_FIELD]).first()
        if order is None:
            return None
        state = "paid" if order.status == "paid" else "waiting"
        return merchant.Order(id=str(order.pk), amount=int(order.amount * 100), state=state)

    def paid(self, transaction: Transaction) -> None:
        Order.objects.filter(pk=transaction.order_id).update(status="paid")

    def cancelled(self, transaction: Transaction) -> None:
        raise NotImplementedError("nothing is cancelled here")
