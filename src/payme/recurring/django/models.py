"""What is stored: the tables of `payme.recurring.sql`. Times are seconds since 1970.

They are written by `recurring()` alone, in the transaction that changes the charge, too. So the ORM
reads only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q

from payme import django_words as words
from payme.charges.django.fields import ExactCharField
from payme.charges.django.models import PartlyIndexed, read_only, refusing
from payme.charges.django.sealed import SealedField
from payme.django_display import choices, name
from payme.recurring import rows
from payme.recurring.core import SubscriptionState
from payme.recurring.rule import LONGEST_ID

if TYPE_CHECKING:
    from payme.recurring import core
    from payme.recurring.rows import Message

    AnyManager = models.Manager[Any]
else:
    AnyManager = models.Manager

_LONGEST_WORD = 24
_LONGEST_CUSTOMER = 128

_refuse = refusing(
    "subscriptions are written by their ledger alone: use payme.recurring.django.recurring()"
)


class Subscription(PartlyIndexed, models.Model):
    """A subscription; see `payme.recurring.Subscription`, which `read` returns."""

    id: ExactCharField = ExactCharField(primary_key=True, max_length=LONGEST_ID)
    state: models.CharField[str, str] = models.CharField(
        max_length=_LONGEST_WORD,
        choices=choices(SubscriptionState, words.SUBSCRIPTION_STATES),
    )
    rule: models.TextField[str, str] = models.TextField()
    terms: models.TextField[str, str] = models.TextField()
    next_n: models.IntegerField[int, int] = models.IntegerField("next period")
    debt: models.IntegerField[int | None, int | None] = models.IntegerField(
        "unpaid period", null=True
    )
    told: models.IntegerField[int, int] = models.IntegerField()
    openings: models.TextField[str, str] = models.TextField()
    other_card: models.BooleanField[bool, bool] = models.BooleanField()
    approved: models.IntegerField[int, int] = models.IntegerField()
    ends_at: models.FloatField[float | None, float | None] = models.FloatField(null=True)
    wakes: models.FloatField[float | None, float | None] = models.FloatField(null=True)
    created: models.FloatField[float, float] = models.FloatField()
    changed: models.FloatField[float, float] = models.FloatField()
    version: models.IntegerField[int, int] = models.IntegerField()
    customer: ExactCharField = ExactCharField(max_length=_LONGEST_CUSTOMER, null=True)
    means: SealedField = SealedField(null=True)

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `payme.recurring.sql`, with its keys."""

        db_table = "payme_subscription"
        ordering = ("id",)
        indexes = (
            # What waits for nothing is not in it, so that a tick costs what is due, at any size.
            models.Index(
                fields=["wakes"],
                name="payme_subscription_wakes",
                condition=Q(wakes__isnull=False),
            ),
            models.Index(
                fields=["customer"],
                name="payme_subscription_customer",
                condition=Q(customer__isnull=False),
            ),
        )

    save = delete = _refuse

    def __str__(self) -> str:
        return str(self.id)

    def read(self) -> core.Subscription:
        """Return the subscription, without its card."""
        return rows.read_subscription([getattr(self, name) for name in rows.COLUMNS])


class Period(models.Model):
    """A period of a subscription; see `payme.recurring.Period`, which `read` returns."""

    # The primary key is the rule: no period is opened twice.
    pk = models.CompositePrimaryKey("subscription", "n")
    subscription: ExactCharField = ExactCharField(max_length=LONGEST_ID)
    n: models.IntegerField[int, int] = models.IntegerField()
    start: models.FloatField[float, float] = models.FloatField()
    end: models.FloatField[float, float] = models.FloatField()
    amount: models.BigIntegerField[int, int] = models.BigIntegerField("amount, tiyin")
    state: models.CharField[str, str] = models.CharField(max_length=_LONGEST_WORD)
    opened: models.FloatField[float, float] = models.FloatField()
    retry_at: models.FloatField[float | None, float | None] = models.FloatField(null=True)
    refusals: models.TextField[str, str] = models.TextField()
    code: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    message: models.TextField[str | None, str | None] = models.TextField(null=True)

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `payme.recurring.sql`."""

        db_table = "payme_period"
        ordering = ("subscription", "n")

    save = delete = _refuse

    def __str__(self) -> str:
        return f"{self.subscription}:{self.n}"

    def read(self) -> core.Period:
        """Return the period."""
        return rows.read_period([getattr(self, name) for name in rows.PERIOD_COLUMNS])


class Notice(PartlyIndexed, models.Model):
    """A notice in the outbox; see `payme.recurring.Message`, which `read` returns."""

    pk = models.CompositePrimaryKey("subscription", "n", "kind")
    subscription: ExactCharField = ExactCharField(max_length=LONGEST_ID)
    n: models.IntegerField[int, int] = models.IntegerField()
    kind: models.CharField[str, str] = models.CharField(max_length=_LONGEST_WORD)
    at: models.FloatField[float, float] = models.FloatField()
    due: models.FloatField[float, float] = models.FloatField()
    amount: models.BigIntegerField[int, int] = models.BigIntegerField("amount, tiyin")
    sent: models.FloatField[float | None, float | None] = models.FloatField(null=True)

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `payme.recurring.sql`, with its keys."""

        db_table = "payme_notice"
        ordering = ("subscription", "n", "kind")
        indexes = (
            models.Index(fields=["at"], name="payme_notice_unsent", condition=Q(sent__isnull=True)),
        )

    save = delete = _refuse

    def __str__(self) -> str:
        return f"{self.subscription}:{self.n} {self.kind}"

    def read(self) -> Message:
        """Return the notice."""
        return rows.read_message([getattr(self, name) for name in rows.MESSAGE_COLUMNS])


class Mark(models.Model):
    """Up to when nothing that Payme took was missing here: one row, see `recurring.behind`."""

    id: models.IntegerField[int, int] = models.IntegerField(primary_key=True)
    at: models.FloatField[float, float] = models.FloatField()

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `payme.recurring.sql`."""

        db_table = "payme_mark"

    save = delete = _refuse

    def __str__(self) -> str:
        return str(self.at)


name(Subscription, words.SUBSCRIPTION, words.SUBSCRIPTION_FIELDS)
name(Period, words.PERIOD)
name(Notice, words.NOTICE)
name(Mark, words.MARK)
