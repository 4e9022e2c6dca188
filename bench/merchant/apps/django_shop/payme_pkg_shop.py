"""The shop's side for `payme-pkg`: a subclass of its view, as its README shows it."""

from __future__ import annotations

from typing import Any

from payme.models import PaymeTransactions
from payme.views import PaymeWebHookAPIView

from bench.merchant.apps.django_shop.models import Order


class CallBackView(PaymeWebHookAPIView):
    """Marks the order as paid; prints nothing, unlike its base."""

    def handle_pre_payment(self, *_: Any, **__: Any) -> None:
        pass

    def handle_created_payment(self, *_: Any, **__: Any) -> None:
        pass

    def handle_successfully_payment(self, params: dict[str, Any], *_: Any, **__: Any) -> None:
        transaction = PaymeTransactions.get_by_transaction_id(params["id"])
        Order.objects.filter(pk=transaction.account_id).update(status="paid")
