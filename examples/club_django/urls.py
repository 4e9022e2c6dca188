"""The club's addresses."""

from django.urls import path

from examples.club_django import views
from payme import card_form

urlpatterns = [
    path("", views.front),
    path("join", views.join),
    path("rejoin", views.rejoin),
    path("card", views.card),
    path("cards", views.bind),
    path("cards/remove", views.remove_card),
    path("me", views.account),
    path("pay", views.pay),
    path("retry", views.retry),
    path("cancel", views.cancel),
    path("keep", views.keep),
    path("operator", views.operator),
    path("clock", views.move),
    path(card_form.PATH.lstrip("/"), views.form_script),
    path("<name>", views.file),
]
