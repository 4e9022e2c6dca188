"""What is stored: the tables of `SqlLedger`. Times are seconds since 1970, amounts are tiyin.

The ledger alone writes here, with a compare-and-set and an event for each change. So the ORM reads
only: a charge that somebody saves would undo what happened meanwhile, one that somebody deletes
could be taken a second time under its id, and a card that somebody deletes lives on at Payme.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.db import models
from django.db.models import Q

from payme import django_words as words
from payme.charges.core import RESTS, ChargeState
from payme.charges.django.fields import ExactCharField
from payme.charges.django.sealed import SealedField
from payme.charges.ledger import card_rows, rows
from payme.charges.saved import CardState
from payme.django_display import choices, name

if TYPE_CHECKING:
    from collections.abc import Callable

    from payme.charges import core
    from payme.charges.saved import SavedCard

    AnyManager = models.Manager[Any]
    AnyModel = models.Model
else:
    AnyManager = models.Manager
    AnyModel = object

STATES = choices(ChargeState, words.CHARGE_STATES)
CARD_STATES = choices(CardState, words.CARD_STATES)

_MOVES = [state.value for state in ChargeState if state not in RESTS]

# Said by the states in which nothing may rest, and not by those in which it may, so that an index
# finds them.
ATTENTION = Q(due__isnull=True, state__in=_MOVES)
"""Charges that can't be proven either way; see `payme.charges.Charge.needs_attention`."""


class ReadOnlyError(TypeError):
    """What is stored is written by the ledger alone."""


def refusing(text: str) -> Callable[..., NoReturn]:
    """Make what stands in the place of every method that would write."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise ReadOnlyError(text)

    return refuse


def read_only(refuse: Callable[..., NoReturn]) -> Any:
    """Make a manager of rows to look at."""
    writing = ("create", "update", "delete", "bulk_create", "bulk_update")
    kind: Any = type("ReadOnly", (models.QuerySet,), dict.fromkeys(writing, refuse))
    return kind.as_manager()


class PartlyIndexed(AnyModel):
    """Part of a model some of whose indexes leave out the rows that rest."""

    @classmethod
    def check(cls, **kwargs: Any) -> list[Any]:
        """Check it as Django does.

        MySQL and MariaDB index every row, since they know no conditions; what is asked for by such
        an index is a range, and is found the same way. So that is nothing to warn of.
        """
        return [said for said in super().check(**kwargs) if said.id != "models.W037"]


_refuse = refusing(
    "charges, their events and saved cards are written by the ledger alone: "
    "use charges() and wallet() of payme.charges.django"
)


class Charge(PartlyIndexed, models.Model):
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
    means: SealedField = SealedField()
    owner: models.CharField[str | None, str | None] = models.CharField(max_length=64, null=True)
    leased_until: models.FloatField[float, float] = models.FloatField(db_default=0.0)

    objects = read_only(_refuse)
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
            # For the admin alone: what waits for a person, among what is not driven any more.
            models.Index(
                fields=["state"], name="payme_charge_attention", condition=Q(due__isnull=True)
            ),
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

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `SqlLedger`."""

        db_table = "payme_charge_event"
        ordering = ("charge_id", "version")

    save = delete = _refuse

    def __str__(self) -> str:
        return f"{self.charge_id} {self.version}: {self.after}"


class Card(PartlyIndexed, models.Model):
    """A saved card; see `payme.wallet.SavedCard`, which `read` returns."""

    id: ExactCharField = ExactCharField(primary_key=True, max_length=64)
    customer: ExactCharField = ExactCharField(max_length=rows.LONGEST_ID)
    identity: ExactCharField = ExactCharField(max_length=rows.LONGEST_ID)
    fingerprint: models.CharField[str, str] = models.CharField(max_length=64, unique=True)
    number: models.CharField[str, str] = models.CharField(max_length=32)
    expire: models.CharField[str, str] = models.CharField("expires", max_length=32)
    recurrent: models.BooleanField[bool, bool] = models.BooleanField()
    state: models.CharField[str, str] = models.CharField(max_length=16, choices=CARD_STATES)
    evidence: models.TextField[str, str] = models.TextField("known from")
    chosen: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    created: models.FloatField[float, float] = models.FloatField()
    changed: models.FloatField[float, float] = models.FloatField()
    means: SealedField = SealedField()

    objects = read_only(_refuse)
    rows: AnyManager = models.Manager()
    """The ledger's own."""

    class Meta:
        """The table of `SqlLedger`, with its keys."""

        db_table = "payme_card"
        verbose_name = "saved card"
        ordering = ("customer", "id")
        constraints = (
            models.UniqueConstraint(fields=["customer", "identity"], name="payme_card_once"),
        )
        indexes = (
            models.Index(
                fields=["id"],
                name="payme_card_removing",
                condition=Q(state=card_rows.REMOVING),
            ),
        )

    save = delete = _refuse

    def __str__(self) -> str:
        return f"{self.number} {self.expire}"

    def read(self, *, is_default: bool) -> SavedCard:
        """Return the card, without its token."""
        row = {name: getattr(self, name) for name in card_rows.COLUMNS}
        return card_rows.read_card(row, is_default=is_default)


name(Charge, words.CHARGE, words.CHARGE_FIELDS)
name(ChargeEvent, words.CHARGE_EVENT)
name(Card, words.CARD, words.CARD_FIELDS)


def defaults_of(cards: models.QuerySet[Card], customers: Any) -> models.QuerySet[Card]:
    """Return the cards of customers that may be the default, of each the one that is it first."""
    theirs = cards.filter(customer__in=customers, chosen__isnull=False)
    return theirs.exclude(state=card_rows.REMOVING).order_by("-chosen", "created", "id")
