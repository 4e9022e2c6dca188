from django.db import models


class Order(models.Model):
    name = models.CharField(primary_key=True, max_length=40)
    state = models.CharField(max_length=10, default="waiting")


class Event(models.Model):
    """What a hook was told."""

    event = models.CharField(max_length=10)
    name = models.CharField(max_length=40, unique=False)
