"""What Payme may ask about an order, and what moves it on."""

from typing import Any

from django.db.models import F

from examples.saved_cards import order_id
from examples.shop_django.models import Order, number
from payme import merchant
from payme.charges import Charge, ChargeState


class Orders:
    """Named by `PAYME["ORDERS"]` in the settings."""

    def find(self, account: dict[str, Any]) -> merchant.Order | None:
        """Find the order that `order_id` names."""
        order = Order.objects.filter(pk=number(account.get("order_id"))).first()
        return order and merchant.Order(id=str(order.pk), amount=order.amount, state=order.state)

    def paid(self, transaction: merchant.Transaction) -> None:
        """Hand the goods over."""
        if not _pay(int(transaction.order_id)):
            # Closed since `find` was asked. Nothing is stored, and Payme asks again.
            raise RuntimeError(f"order {transaction.order_id} does not wait any more")

    def cancelled(self, transaction: merchant.Transaction) -> None:
        """Take the goods back: the order is closed."""
        _close(int(transaction.order_id))


def changed(charge: Charge) -> None:
    """Note at the order what its charge has proven; named by `PAYME_CHARGES["CHANGED"]`.

    Payme tells this shop of one payment twice, as `examples.tables.changed` explains: whoever comes
    second finds the order moved on.
    """
    if charge.is_paid:
        _pay(order_id(charge))
    elif charge.state is ChargeState.REFUNDED:
        _close(order_id(charge))


def _pay(its_id: int) -> int:
    order = Order.objects.filter(pk=its_id, state="waiting")
    return order.update(state="paid", paid_events=F("paid_events") + 1)


def _close(its_id: int) -> int:
    order = Order.objects.filter(pk=its_id, state="paid")
    return order.update(state="closed", cancelled_events=F("cancelled_events") + 1)
