"""The shop's orders, and its customers' cards."""

from django.db import models


class Order(models.Model):
    """An order; its amount is in tiyin."""

    amount = models.BigIntegerField()
    state = models.CharField(max_length=16, default="waiting")
    # A real shop sends an e-mail or a parcel here; this one counts, so that a test can look.
    paid_events = models.IntegerField(default=0)
    cancelled_events = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"order {self.pk}"


class SavedCard(models.Model):
    """A bound card; see `examples.saved_cards`."""

    customer = models.CharField(max_length=64, primary_key=True)
    number = models.CharField(max_length=32)  # masked
    token = models.BinaryField()  # encrypted

    def __str__(self) -> str:
        return self.number


def number(text: object) -> int | None:
    """Read an order's number as Payme sends it: a string or an integer, or not a number at all."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
