from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("payme/", include("payme.merchant.django.urls")),
    path("admin/", admin.site.urls),
]
