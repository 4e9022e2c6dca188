"""Which view answers Payme."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from bench.merchant.apps.shop import CPU_PATH, PATH, used


def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type="application/json")


def cpu(_: HttpRequest) -> HttpResponse:
    return HttpResponse(used("django", "gunicorn", "psycopg"))


def answering() -> object:
    """Return the view that is measured."""
    if settings.VIEW == "payme":
        from payme.merchant.django.views import payme

        return payme
    if settings.VIEW == "payme_pkg":
        from bench.merchant.apps.django_shop.payme_pkg_shop import CallBackView

        return CallBackView.as_view()
    return echo


urlpatterns = [path(PATH.lstrip("/"), answering()), path(CPU_PATH.lstrip("/"), cpu)]
