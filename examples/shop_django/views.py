"""Orders for programs, as JSON."""

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from examples.guard import is_from_here, json_object
from examples.shop_django.models import Order, number
from payme import InvalidArgument
from payme.checkout import link
from payme.money import tiyin


@csrf_exempt
@require_POST
def create_order(request: HttpRequest) -> JsonResponse:
    """Take an order: `{"amount": 50000}`, in tiyin."""
    # Programs have no token against forgery, so it is left out here; browsers name their page.
    if not is_from_here(request.headers.get("Origin"), request.get_host()):
        raise PermissionDenied
    sent = json_object(request.content_type, request.body)
    try:
        order = Order.objects.create(amount=tiyin(sent.get("amount")))
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
