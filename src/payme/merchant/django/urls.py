"""The endpoint's address: `path("payme/", include("payme.merchant.django.urls"))`."""

from django.urls import path

from payme.merchant.django.views import payme

app_name = "payme"

urlpatterns = [path("", payme, name="merchant")]
