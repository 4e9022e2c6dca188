"""What is stored: the tables of `SqlLedger`. Times are seconds since 1970, amounts are tiyin.

The ledger alone writes here, with a compare-and-set and an event for each change. So the ORM reads
only: a charge that somebody saves would undo what happened meanwhile, and one that somebody deletes
could be taken a second time under its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.db import models
from django.db.models import Q

from payme.charges.core import RESTS, ChargeState
from payme.charges.django.fields import ExactCharField
from payme.charges.ledger import rows

if TYPE_CHECKING:
    from payme.charges import core

    Rows = models.QuerySet[Any, Any]
    AnyManager = models.Manager[Any]
    Bytes = models.BinaryField[Any, Any]
else:
    Rows = models.QuerySet
    AnyManager = models.Manager
    Bytes = models.BinaryField

STATES = [(state.value, state.value) for state in ChargeState]

ATTENTION = Q(due__isnull=True) & ~Q(state__in=[state.value for state in RESTS])
"""Charges that can't be proven either way; see `payme.charges.Charge.needs_attention`."""


class ReadOnlyError(TypeError):
    """Charges and their events are written by the ledger alone."""


def _refuse(*_: object, **__: object) -> NoReturn:
    raise ReadOnlyError(
        "charges and their events are written by the ledger alone: "
        "use payme.charges.django.charges()"
    )


class ReadOnly(Rows):
    """Rows to look at."""

    create = update = delete = bulk_create = bulk_update = _refuse


class Charge(models.Model):
    """A charge; see `payme.charges.Charge`, which `read` returns."""

    id: ExactCharField = ExactCharField(primary_key=True, max_length=rows.LONGEST_ID)
    amount: models.BigIntegerField[int, int] = models.BigIntegerField("amount, tiyin")
    account: models.TextField[str, str] = models.TextField()
    state: models.CharField[str, str] = models.CharField(max_length=16, choices=STATES)
    description: models.TextField[str | None, str | None] = models.TextField(null=True)
    detail: models.TextField[str | None, str | None] = models.TextField(null=True)
    hold: models.BooleanField[bool, bool] = models.BooleanField()
    receipt_id: models.CharField[str | None, str | None] = models.CharField(
        "receipt", max_length=64, null=True
    )
    receipts: models.IntegerField[int, int] = models.IntegerField()
    attempts: models.IntegerField[int, int] = models.IntegerField()
    cancels: models.IntegerField[int, int] = models.IntegerField()
    given_up: models.BooleanField[bool, bool] = models.BooleanField()
    evidence: models.TextField[str, str] = models.TextField("known from")
    code: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    message: models.TextField[str | None, str | None] = models.TextField(null=True)
    tries: models.IntegerField[int, int] = models.IntegerField()
    due: models.FloatField[float | None, float | None] = models.FloatField(null=True)
    created: models.FloatField[float, float] = models.FloatField()
    changed: models.FloatField[float, float] = models.FloatField()
    version: models.IntegerField[int, int] = models.IntegerField()
    means: Bytes = Bytes()
    owner: models.CharField[str | None, str | None] = models.CharField(max_length=64, null=True)
    leased_until: models.FloatField[float, float] = models.FloatField(db_default=0.0)

    objects = ReadOnly.as_manager()
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `SqlLedger`, with its keys."""

        db_table = "payme_charge"
        ordering = ("id",)
        indexes = (
            # What rests is not in it, so that finding what is due costs the same at any size.
            models.Index(fields=["due"], name="payme_charge_due", condition=Q(due__isnull=False)),
            models.Index(fields=["receipt_id"], name="payme_charge_receipt"),
        )

    save = delete = _refuse

    def __str__(self) -> str:
        return str(self.id)

    def read(self) -> core.Charge:
        """Return the charge, without what it is paid with."""
        return rows.read_charge({name: getattr(self, name) for name in rows.COLUMNS})


class ChargeEvent(models.Model):
    """One change of a charge; see `payme.charges.Event`."""

    pk = models.CompositePrimaryKey("charge_id", "version")
    charge_id: ExactCharField = ExactCharField(max_length=rows.LONGEST_ID)
    version: models.IntegerField[int, int] = models.IntegerField()
    at: models.FloatField[float, float] = models.FloatField()
    before: models.CharField[str | None, str | None] = models.CharField(max_length=16, null=True)
    after: models.CharField[str, str] = models.CharField(max_length=16)
    evidence: models.TextField[str, str] = models.TextField()
    receipt_id: models.CharField[str | None, str | None] = models.CharField(
        max_length=64, null=True
    )

    objects = ReadOnly.as_manager()
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `SqlLedger`."""

        db_table = "payme_charge_event"
        ordering = ("charge_id", "version")

    save = delete = _refuse

    def __str__(self) -> str:
        return f"{self.charge_id} {self.version}: {self.after}"
