"""The shop's orders."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order, with its amount in som."""

    id = models.IntegerField(primary_key=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    status = models.CharField(max_length=16)

    class Meta:
        app_label = "django_shop"
        db_table = "shop_order"
