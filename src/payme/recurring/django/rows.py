"""Subscriptions in the database of a Django project, beside their charges."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from django.db import IntegrityError, connections, transaction
from django.db.models import Min, Q

from payme.charges.core import Charge, Save
from payme.charges.django.database import hiding
from payme.charges.django.ledger import DjangoLedger
from payme.charges.django.models import Charge as ChargeModel
from payme.charges.django.models import ChargeEvent
from payme.charges.saved import StoredCard
from payme.charges.vault import Sealed, Vault
from payme.errors import InvalidArgument
from payme.recurring import rows
from payme.recurring.core import Period, Subscription
from payme.recurring.django import models
from payme.recurring.rows import Message, Overtaken, Rows, Stored

if TYPE_CHECKING:
    from django.db.models import QuerySet

T = TypeVar("T")


def one_of(which: Sequence[tuple[str, int]]) -> Q:
    """Look for periods by their keys.

    Not by `pk__in`: of that Django 6 makes a subquery, for which SQLite reads the whole table.

    Args:
        which: Keys, at least one.
    """
    wanted = Q()
    for key in which:
        wanted |= Q(pk=key)
    return wanted


NAME: Final = "payme_recurring"
"""Under which the charges' ledger knows who follows it."""

_MARK: Final = 1
_STORED: Final = (*rows.COLUMNS, "means")
_CHANGING_PERIOD: Final = [name for name in rows.PERIOD_COLUMNS if name not in rows.PERIOD_KEY]


class DjangoRows(NamedTuple):
    """`Rows` in the transaction that is open."""

    ledger: DjangoLedger

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        return self.ledger.vault

    def lock(self, subscription_id: str) -> None:
        """Lock a subscription."""
        self.ledger.database.begin()
        _locked(self._subscriptions.filter(pk=subscription_id))

    def lock_charge(self, charge_id: str) -> None:
        """Lock a charge."""
        self.ledger.database.begin()
        _locked(self.ledger.database.rows(ChargeModel).filter(pk=charge_id))

    def due(self, now: float, limit: int, without: Collection[str]) -> list[Stored]:
        """Lock and read what is due."""
        return _stored(self._due(now, limit, without))

    def due_ids(self, now: float, limit: int, without: Collection[str]) -> list[str]:
        """Lock what is due, and read the ids."""
        return list(self._due(now, limit, without).values_list("pk", flat=True))

    def _due(self, now: float, limit: int, without: Collection[str]) -> Any:
        """Begin to write, and return what is due, which is locked when it is read."""
        self.ledger.database.begin()
        skips = connections[self.ledger.alias].features.has_select_for_update_skip_locked
        due = self._subscriptions.filter(wakes__lte=now).exclude(pk__in=without).order_by("wakes")
        return due.select_for_update(skip_locked=skips)[:limit]

    def load(self, subscription_ids: Sequence[str]) -> list[Stored]:
        """Read subscriptions."""
        return _stored(self._subscriptions.filter(pk__in=subscription_ids))

    def load_periods(self, which: Sequence[tuple[str, int]]) -> list[Period]:
        """Read periods."""
        return _periods(self._periods.filter(one_of(which))) if which else []

    def load_charges(self, charge_ids: Sequence[str]) -> list[Charge]:
        """Read charges."""
        return self.ledger.load_all(charge_ids)

    def load_receipts(self, charge_ids: Sequence[str]) -> list[tuple[str, str]]:
        """Read the receipts that charges ever had."""
        theirs = self.ledger.database.rows(ChargeEvent)
        known = theirs.filter(charge_id__in=charge_ids, receipt_id__isnull=False)
        return list(known.values_list("charge_id", "receipt_id").distinct())

    def load_cards(self, customers: Sequence[str]) -> list[StoredCard]:
        """Read the default cards of customers."""
        return self.ledger.cards.defaults(customers)

    def periods(self, subscription_id: str) -> list[Period]:
        """Read the periods of a subscription."""
        return _periods(self._periods.filter(subscription=subscription_id).order_by("n"))

    def of_customer(self, customer: str) -> list[str]:
        """Read the ids of a customer's subscriptions."""
        theirs = self._subscriptions.filter(customer=customer).order_by("pk")
        return list(theirs.values_list("pk", flat=True))

    def oldest(self) -> float | None:
        """Read when the oldest subscription was created."""
        found: float | None = self._subscriptions.aggregate(at=Min("created"))["at"]
        return found

    def mark(self) -> float | None:
        """Read the mark."""
        found: float | None = self._marks.filter(pk=_MARK).values_list("at", flat=True).first()
        return found

    def waking(self, until: float) -> list[Subscription]:
        """Read what has something due."""
        due = self._subscriptions.filter(wakes__lte=until).order_by("wakes")
        return [rows.read_subscription(row) for row in due.values_list(*rows.COLUMNS)]

    def outbox(self, limit: int) -> list[Message]:
        """Read the notices that were not sent."""
        unsent = self._notices.filter(sent__isnull=True).order_by("at")
        found = unsent.values_list(*rows.MESSAGE_COLUMNS)[:limit]
        return [rows.read_message(row) for row in found]

    def add(self, subscription: Subscription, means: bytes | None) -> bool:
        """Store a subscription."""
        row = models.Subscription(**rows.subscription_row(subscription), means=means)
        try:
            with transaction.atomic(using=self.ledger.alias):
                self._subscriptions.bulk_create([row])
        except IntegrityError:
            return False
        return True

    def save(self, changes: Sequence[tuple[Subscription, Subscription]]) -> None:
        """Store subscriptions that nobody else has changed."""
        before = {one.id: one.version for one, _ in changes}
        # They are locked; what is read here is what is written over.
        known = self._subscriptions.filter(pk__in=before).select_for_update()
        if dict(known.values_list("pk", "version")) != before:
            raise Overtaken
        self._write(
            self._subscriptions,
            [models.Subscription(**rows.subscription_row(after)) for _, after in changes],
            update_fields=rows.CHANGING,
            unique_fields=["id"],
        )

    def save_means(self, subscription_id: str, means: bytes | None) -> None:
        """Store another card."""
        self._subscriptions.filter(pk=subscription_id).update(means=means)

    def add_periods(self, new: Sequence[Period]) -> None:
        """Store new periods."""
        self._periods.bulk_create(models.Period(**rows.period_row(period)) for period in new)

    def save_periods(self, known: Sequence[Period]) -> None:
        """Store periods that are there."""
        self._write(
            self._periods,
            [models.Period(**rows.period_row(period)) for period in known],
            update_fields=_CHANGING_PERIOD,
            unique_fields=list(rows.PERIOD_KEY),
        )

    def add_notices(self, messages: Sequence[Message]) -> None:
        """Store notices once."""
        told = [models.Notice(**rows.message_row(message)) for message in messages]
        self._notices.bulk_create(told, ignore_conflicts=True)

    def save_mark(self, at: float) -> None:
        """Store the mark."""
        row = models.Mark(id=_MARK, at=at)
        self._write(self._marks, [row], update_fields=["at"], unique_fields=["id"])

    def mark_sent(self, message: Message, now: float) -> None:
        """Note that a notice was sent."""
        which = {"subscription": message.subscription, "n": message.n, "kind": message.kind.value}
        self._notices.filter(**which, sent__isnull=True).update(sent=now)

    def add_charges(self, pairs: Sequence[tuple[Charge, bytes]]) -> list[Charge]:
        """Store charges."""
        return self.ledger.submit_sealed(pairs)

    def save_charge(self, change: Save, means: bytes | None) -> None:
        """Store a change of a charge."""
        self.ledger.save_sealed(change, means)

    def _write(
        self,
        table: "QuerySet[Any]",
        known: Sequence[Any],
        *,
        update_fields: Sequence[str],
        unique_fields: Sequence[str],
    ) -> None:
        """Write rows, over those that are there, many by one statement."""
        features = connections[self.ledger.alias].features
        # MariaDB finds out by itself which key is there already; these tables have one.
        target = unique_fields if features.supports_update_conflicts_with_target else None
        table.bulk_create(
            known, update_conflicts=True, update_fields=update_fields, unique_fields=target
        )

    @property
    def _subscriptions(self) -> "QuerySet[models.Subscription]":
        return self.ledger.database.rows(models.Subscription)

    @property
    def _periods(self) -> "QuerySet[models.Period]":
        return self.ledger.database.rows(models.Period)

    @property
    def _notices(self) -> "QuerySet[models.Notice]":
        return self.ledger.database.rows(models.Notice)

    @property
    def _marks(self) -> "QuerySet[models.Mark]":
        return self.ledger.database.rows(models.Mark)


class DjangoKeeper:
    """Keeps subscriptions beside the charges of a `DjangoLedger`; see `Keeper`.

    What is done joins a surrounding `transaction.atomic`: nothing of it asks Payme.
    """

    def __init__(self, ledger: DjangoLedger) -> None:
        self._ledger = ledger
        self._rows = DjangoRows(ledger)

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        return self._ledger.vault

    def create_all(self) -> None:
        """Do nothing: `manage.py migrate` makes the tables."""

    def follow(self, hook: Callable[[Rows, Charge], None]) -> None:
        """Call a hook for each proven change of a charge."""
        self._ledger.follow(NAME, lambda charge: hook(self._rows, charge))

    @hiding
    def do(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry it out in one transaction, or in the surrounding one."""
        with self._ledger.database.joined():
            return act(self._rows, *arguments)

    def read(self, act: Callable[..., T], *arguments: Any) -> T:
        """Carry out what only reads."""
        return act(self._rows, *arguments)

    def inside(self, connection: Any, act: Callable[..., T], *arguments: Any) -> T:  # noqa: ARG002
        """Refuse a connection.

        Raises:
            InvalidArgument: Always.
        """
        expected = "none: it joins the surrounding transaction.atomic"
        raise InvalidArgument("connection", type(connection).__name__, expected)


def _locked(row: "QuerySet[Any]") -> None:
    list(row.select_for_update().values_list("pk"))


def _stored(found: "QuerySet[models.Subscription]") -> list[Stored]:
    return [
        Stored(rows.read_subscription(row[:-1]), None if row[-1] is None else Sealed(row[-1]))
        for row in found.values_list(*_STORED)
    ]


def _periods(found: "QuerySet[models.Period]") -> list[Period]:
    return [rows.read_period(row) for row in found.values_list(*rows.PERIOD_COLUMNS)]
