from django.db import models


class Order(models.Model):
    name = models.CharField(primary_key=True, max_length=40)
    state = models.CharField(max_length=10, default="waiting")


class Event(models.Model):
    """What a hook was told."""

    event = models.CharField(max_length=10)
    name = models.CharField(max_length=40, unique=False)


class Sale(models.Model):
    """An order that settings map without code."""

    number = models.CharField(max_length=20, unique=True)
    total = models.DecimalField(max_digits=12, decimal_places=2)
    cents = models.BigIntegerField(default=0)
    weight = models.FloatField(default=0)
    status = models.CharField(max_length=10, default="new")
    is_paid = models.BooleanField(default=False)
    back = models.BooleanField(null=True)
