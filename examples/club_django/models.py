"""Members, and what they were told."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import models


class Member(models.Model):
    """A member; see `examples.club.members`."""

    name = models.CharField(max_length=60)
    agreed = models.FloatField()
    round = models.IntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class Told(models.Model):
    """A message for a member."""

    member = models.ForeignKey(Member, models.CASCADE)
    subscription = models.CharField(max_length=116)
    n = models.IntegerField()
    kind = models.CharField(max_length=24)
    at = models.FloatField()
    due = models.FloatField()
    amount = models.BigIntegerField()

    class Meta:
        # The rule: no message is shown twice.
        constraints = [
            models.UniqueConstraint(fields=["subscription", "n", "kind"], name="told_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subscription}:{self.n}"
