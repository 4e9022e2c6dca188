"""What Payme may ask about an order, and what it may change."""

from typing import Any

from django.db.models import F

from examples.shop_django.models import Order, number
from payme.merchant import core


class Orders:
    """Named by `PAYME["ORDERS"]` in the settings."""

    def find(self, account: dict[str, Any]) -> core.Order | None:
        """Find the order that `order_id` names."""
        order = Order.objects.filter(pk=number(account.get("order_id"))).first()
        return order and core.Order(id=str(order.pk), amount=order.amount, state=order.state)

    def paid(self, transaction: core.Transaction) -> None:
        """Hand the goods over."""
        order = Order.objects.filter(pk=transaction.order_id, state="waiting")
        if not order.update(state="paid", paid_events=F("paid_events") + 1):
            # Closed since `find` was asked. Nothing is stored, and Payme asks again.
            raise RuntimeError(f"order {transaction.order_id} does not wait any more")

    def cancelled(self, transaction: core.Transaction) -> None:
        """Take the goods back: the order is closed."""
        order = Order.objects.filter(pk=transaction.order_id, state="paid")
        order.update(state="closed", cancelled_events=F("cancelled_events") + 1)
