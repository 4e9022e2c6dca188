"""The endpoint's address: `path("payme/", include("payme.merchant.django.urls"))`.

Payme calls exactly what the cash-box says. `re_path("^payme/?", include(…))` answers with and
without the slash at the end; a redirect from one to the other Payme would read as -32400.
"""

from django.urls import path

from payme.merchant.django.views import payme

app_name = "payme"

urlpatterns = [path("", payme, name="merchant")]
