"""Orders for programs, as JSON."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from examples.shop_django.models import Order, number
from payme import InvalidArgument
from payme.checkout import link
from payme.money import tiyin


@csrf_exempt
@require_POST
def create_order(request: HttpRequest) -> JsonResponse:
    """Take an order: `{"amount": 50000}`, in tiyin."""
    try:
        order = Order.objects.create(amount=tiyin(_sent(request).get("amount")))
    except InvalidArgument as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"id": order.pk}, status=201)


@require_GET
def show_order(_: HttpRequest, order_id: str) -> JsonResponse:
    """Show an order, and while it waits the address where it is paid."""
    order = Order.objects.filter(pk=number(order_id)).first()
    if order is None:
        return JsonResponse({"error": "no such order"}, status=404)
    return JsonResponse(
        {
            "state": order.state,
            "paid_events": order.paid_events,
            "cancelled_events": order.cancelled_events,
            "checkout": checkout(order) if order.state == "waiting" else None,
        }
    )


def checkout(order: Order) -> str:
    """Return the address where an order is paid at Payme's checkout."""
    return link(
        settings.PAYME_MERCHANT_ID,
        {"order_id": order.pk},
        order.amount,
        base_url=settings.PAYME_CHECKOUT_URL,
    )


def _sent(request: HttpRequest) -> dict[str, Any]:
    """Read the JSON object of a request; anything else is an empty one."""
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
