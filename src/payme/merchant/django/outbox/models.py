"""What is stored. Times are ms since 1970 UTC."""

from __future__ import annotations

from django.db import models

from payme import django_words as words
from payme.django_display import name


class OutboxJob(models.Model):
    """A job that was not run yet; see `payme.merchant.outbox`."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    name: models.CharField[str, str] = models.CharField(max_length=100)
    arguments: models.TextField[str, str] = models.TextField()
    due: models.BigIntegerField[int, int] = models.BigIntegerField()
    attempts: models.IntegerField[int, int] = models.IntegerField(default=0)

    class Meta:
        """Keys of the table."""

        db_table = "payme_outbox"
        indexes = (models.Index(fields=["due", "id"], name="payme_outbox_due"),)

    def __str__(self) -> str:
        return self.name


name(OutboxJob, words.OUTBOX_JOB)
