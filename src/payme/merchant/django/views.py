"""The endpoint as a Django view, under WSGI and ASGI."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from payme.errors import ConfigurationError
from payme.merchant import wire
from payme.merchant.bodies import drained, is_short
from payme.merchant.boxes import BlockingEndpoint
from payme.merchant.django.configuration import configured
from payme.merchant.service import CONTENT_TYPE, Incoming

_LOG = logging.getLogger("payme.merchant")

View = Callable[[HttpRequest], HttpResponse]
AnyView = TypeVar("AnyView", bound=Callable[..., Any])


def _outside_of_transactions(view: AnyView) -> AnyView:
    """Exempt a view from `ATOMIC_REQUESTS`: what it answers is committed before, not after."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def merchant_view(merchant: BlockingEndpoint) -> View:
    """Make a view of an endpoint, for a project whose cash-boxes have addresses of their own.

    Args:
        merchant: The endpoint, such as `Merchant(DjangoStore(Orders()), keys)`.

    Returns:
        The view. It answers every request with HTTP 200.

    Example:
        >>> urlpatterns = [path("payme/second", merchant_view(second))]
    """

    def view(request: HttpRequest) -> HttpResponse:
        return _respond(merchant.answer(_read(request)))

    return csrf_exempt(_outside_of_transactions(view))


@csrf_exempt
@_outside_of_transactions
def payme(request: HttpRequest) -> HttpResponse:
    """Answer Payme, as the setting `PAYME` says."""
    try:
        merchant = configured()
    except ConfigurationError:
        # A server started without `manage.py check`: nobody is let in, and the log says why.
        _LOG.exception("the Merchant API is not configured")
        return _respond(wire.encode(None, wire.SYSTEM_ERROR))
    return _respond(merchant.answer(_read(request)))


def _respond(body: bytes) -> HttpResponse:
    return HttpResponse(body, content_type=CONTENT_TYPE)


def _read(request: HttpRequest) -> Incoming:
    return Incoming(
        request.method or "",
        _body(request),
        request.META.get("HTTP_AUTHORIZATION"),
        request.META.get("REMOTE_ADDR"),
        request.META.get("HTTP_X_FORWARDED_FOR"),
    )


def _body(request: HttpRequest) -> bytes:
    """Read the body as Django keeps it: middleware may have read it, or read it afterwards."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    try:
        if is_short(int(length) if length.isdecimal() else None):
            # Django answers HTTP 400 to what is longer than DATA_UPLOAD_MAX_MEMORY_SIZE.
            with suppress(RequestDataTooBig, RawPostDataException):
                return request.body
        body = drained(request.read)
    except UnreadablePostError:
        return b""
    kept: Any = request
    kept._body = body
    return body
