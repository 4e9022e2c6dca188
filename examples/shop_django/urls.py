"""The shop's addresses, with Payme at `/payme`."""

from django.urls import include, path, re_path

from examples.shop_django import customer, views

urlpatterns = [
    path("", customer.front_page),
    path("orders/<order_id>/pay", customer.order_page),
    path("orders", views.create_order),
    path("orders/<order_id>", views.show_order),
    re_path("^payme/?", include("payme.merchant.django.urls")),
]
