"""The pages that a customer sees: buy, and pay with the saved card or at the checkout."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from examples import pages
from examples.guard import HEADERS
from examples.shop_django import cards
from examples.shop_django.models import Order, number
from examples.shop_django.views import checkout


class SeeOther(HttpResponseRedirect):
    """Sends a browser on after a form, so that to load the page again sends nothing again."""

    status_code = 303


@require_http_methods(["GET", "HEAD", "POST"])
def front_page(request: HttpRequest) -> HttpResponse:
    """Show what is sold, and take an order of it."""
    if request.method == "POST":
        return SeeOther(f"/orders/{Order.objects.create(amount=pages.AMOUNT).pk}/pay")
    return HttpResponse(pages.front(get_token(request)), headers=HEADERS)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def order_page(request: HttpRequest, order_id: str) -> HttpResponse:
    """Show what became of the payment and what to do, and pay with the saved card."""
    order = Order.objects.filter(pk=number(order_id)).first()
    if order is None:
        raise Http404
    if request.method == "POST":
        cards.pay(order.pk, request.POST.get("seen", ""))
        return SeeOther(f"/orders/{order.pk}/pay")
    charge, card = cards.find(order.pk)
    page = pages.order(order.pk, order.state, charge, card, checkout(order), get_token(request))
    return HttpResponse(page, headers=HEADERS)
