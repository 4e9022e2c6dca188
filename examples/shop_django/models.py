"""The shop's orders."""

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


def number(text: object) -> int | None:
    """Read an order's number as Payme sends it: a string or an integer, or not a number at all."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
