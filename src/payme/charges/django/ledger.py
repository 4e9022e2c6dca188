"""Charges in the database of a Django project."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from django.db import IntegrityError, connections
from django.db.models import Q, QuerySet

from payme.charges import orders
from payme.charges.core import Charge, ChargeState, Event, Means, Overtaken, Save
from payme.charges.django import models
from payme.charges.django.cards import DjangoCards
from payme.charges.django.database import Database, hiding
from payme.charges.ledger import FARTHEST, Stored, rows
from payme.charges.pace import since_1970
from payme.charges.vault import Vault
from payme.errors import InvalidArgument

Changed = Callable[[Charge], Any]
"""The merchant's hook: runs once for each proven change, in the transaction that stores it."""

_STORED: Final = (*rows.COLUMNS, "means")


class DjangoLedger:
    """Keeps charges through the Django ORM, in the tables of `SqlLedger`.

    Whatever must be stored before Payme is asked is committed: these methods refuse to run inside
    of somebody else's `transaction.atomic`. `submit` and `ask` only store the merchant's word, and
    join it.

    Args:
        using: Alias of the database; by default the one that the routers name.
        keys: Fernet keys that encrypt card tokens; see `Vault`.
        changed: Called once for each proven change (held, refused, paid, failed, refunded) inside
            the transaction that stores it. What it raises takes the change back, and it is tried
            again.

    Raises:
        ConfigurationError: A key is none.

    Example:
        >>> ledger = DjangoLedger(keys=[os.environ["LEDGER_KEY"]])
        >>> charges = DjangoCharges(payme, ledger)
    """

    def __init__(
        self,
        using: str | None = None,
        *,
        keys: Sequence[str | bytes] = (),
        changed: Changed | None = None,
    ) -> None:
        self._database = Database(using, models.Charge)
        self._vault = Vault(keys)
        self._changed = changed
        self._followers: dict[str, Changed] = {}
        self.cards = DjangoCards(self._database, self._vault)
        """Where saved cards are kept, for `payme.wallet`."""

    @property
    def alias(self) -> str:
        """Alias of the database."""
        return self._database.alias

    @property
    def database(self) -> Database:
        """The database, for what is kept beside the charges."""
        return self._database

    @property
    def vault(self) -> Vault:
        """Seals and opens what charges are paid with."""
        return self._vault

    def follow(self, name: str, hook: Changed) -> None:
        """Call a hook for each proven change, before the merchant's, in the same transaction.

        Args:
            name: Who follows; a later hook of the same name takes the place of the one before.
            hook: Called with the charge.
        """
        self._followers[name] = hook

    @hiding
    def submit(self, charge: Charge, means: Means, connection: Any = None) -> Charge:
        """Store a charge unless its id is known, in the surrounding `atomic` if there is one."""
        if connection is not None:
            expected = "none: it joins the surrounding transaction.atomic"
            raise InvalidArgument("connection", type(connection).__name__, expected)
        row = {**rows.charge_row(charge), "means": self._vault.seal(means), "leased_until": 0.0}
        try:
            with self._database.joined():
                self._charges.bulk_create([models.Charge(**row)])
                self._events.bulk_create([_event(None, charge)])
        except IntegrityError:
            known = self._read(charge.id)
            if known is None:
                raise
            return known
        return charge

    def ask(self, charge_id: str, word: str, *, version: int | None = None) -> Charge:
        """Store what a merchant asks of a charge, for `run` to carry out.

        Args:
            charge_id: Id of the charge.
            word: `confirm`, `refund`, `cancel` or `retry`.
            version: Of the charge that the merchant saw; None for any.

        Returns:
            The charge as it is stored.

        Raises:
            ChargeNotFound: There is no such charge.
            ChargeConflict: Its state does not allow it.
            Overtaken: It has another version.
        """
        with self._database.joined():
            self._database.begin()
            charge = self._read(charge_id)
            if charge is None:
                raise orders.ChargeNotFound(f"no charge has the id {charge_id!r}")
            if version not in (None, charge.version):
                raise Overtaken(charge_id)
            change = orders.command(charge, word, since_1970())
            if change is None:
                return charge
            self.save_sealed(change, None)
        return change.after

    def load(self, charge_id: str) -> Stored | None:
        """Read a charge."""
        row = self._charges.filter(pk=charge_id).values(*_STORED).first()
        return None if row is None else self._stored(row)

    @hiding
    def save(self, change: Save, means: Means | None = None) -> None:
        """Store a change with its event, and call the hook."""
        with self._database.committed():
            self.save_sealed(change, None if means is None else self._vault.seal(means))

    def history(self, charge_id: str) -> list[Event]:
        """Read the events of a charge."""
        found = self._events.filter(charge_id=charge_id).order_by("version")
        return [rows.read_event(row) for row in found.values(*rows.EVENT_COLUMNS)]

    def iterate(self, state: ChargeState | None, since: float) -> Iterator[Charge]:
        """Read charges page by page."""
        which = self._charges.filter(changed__gte=since).order_by("pk")
        if state is not None:
            which = which.filter(state=state.value)
        after = ""
        while page := list(which.filter(pk__gt=after).values(*rows.COLUMNS)[: rows.PAGE]):
            yield from map(rows.read_charge, page)
            after = page[-1]["id"]

    def claim(self, owner: str, now: float, until: float, limit: int) -> list[Stored]:
        """Lease what is due; rows that somebody else is claiming are skipped."""
        with self._database.committed():
            self._database.begin()
            skips = connections[self.alias].features.has_select_for_update_skip_locked
            due = self._due(now).select_for_update(skip_locked=skips)
            found = list(due.values(*_STORED)[:limit])
            mine = self._charges.filter(pk__in=[row["id"] for row in found])
            mine.update(owner=owner, leased_until=until)
            return [self._stored(row) for row in found]

    def due_ids(self, now: float, limit: int) -> list[str]:
        """Read the ids of what is due."""
        return list(self._due(now).values_list("pk", flat=True)[:limit])

    def take(self, owner: str, charge_id: str, now: float, until: float) -> Stored | None:
        """Lease one charge."""
        free = Q(leased_until__lte=now) | Q(owner=owner)
        with self._database.committed():
            mine = self._charges.filter(pk=charge_id)
            if not mine.filter(free).update(owner=owner, leased_until=until):
                return None
            return self._stored(mine.values(*_STORED).get())

    def release(self, owner: str, charge_id: str) -> None:
        """Give a lease back."""
        with self._database.committed():
            ours = self._charges.filter(pk=charge_id, owner=owner)
            ours.update(owner=None, leased_until=0.0)

    def next_due(self) -> float | None:
        """Return when something can be claimed next."""
        # A few are enough: who asks looks again after a second anyway.
        with self._database.committed():
            first = self._charges.filter(due__isnull=False).order_by("due")
            found = first.values_list("due", "leased_until")[: rows.PAGE]
            return min((max(due, leased) for due, leased in found), default=None)

    def rewind(self, now: float) -> None:
        """Make due what a clock that was ahead has put off."""
        with self._database.committed():
            waits = self._charges.filter(due__isnull=False)
            waits.filter(due__gt=now + FARTHEST).update(due=now)
            waits.filter(leased_until__gt=now + FARTHEST).update(leased_until=0.0)

    @hiding
    def rotate(self) -> None:
        """Encrypt every token with the first key, so that the others can be thrown away."""
        for rotate in (self._rotate, self.cards.rotate):
            after: str | None = ""
            while after is not None:
                with self._database.committed():
                    self._database.begin()
                    after = rotate(after)

    def _rotate(self, after: str) -> str | None:
        """Seal a page of tokens anew; return where the next page begins."""
        which = self._charges.filter(pk__gt=after).order_by("pk").select_for_update()
        page = list(which.values_list("pk", "means")[: rows.PAGE])
        for charge_id, sealed in page:
            anew = self._vault.seal(self._vault.open(bytes(sealed)))
            self._charges.filter(pk=charge_id).update(means=anew)
        return str(page[-1][0]) if page else None

    # What is inside of a transaction.

    def save_sealed(self, change: Save, means: bytes | None) -> None:
        """Store a change, and another card, sealed, unless it is None."""
        before, after = change.before, change.after
        row = rows.charge_row(after)
        if means is not None:
            row["means"] = means
        if self._charges.filter(pk=after.id, version=before.version).update(**row) != 1:
            raise Overtaken(after.id)
        self._events.bulk_create([_event(before, after)])
        self.cards.guard(change)
        if rows.is_proven(change):
            for follower in self._followers.values():
                follower(after)
            if self._changed is not None:
                self._tell(self._changed, after)

    def submit_sealed(self, pairs: Sequence[tuple[Charge, bytes]]) -> list[Charge]:
        """Store charges with what they are paid with, sealed; gives those that are known."""
        known = self.load_all([charge.id for charge, _ in pairs])
        there = {charge.id for charge in known}
        new = [pair for pair in pairs if pair[0].id not in there]
        self._charges.bulk_create(
            models.Charge(**rows.charge_row(charge), means=means, leased_until=0.0)
            for charge, means in new
        )
        self._events.bulk_create(_event(None, charge) for charge, _ in new)
        return known

    def load_all(self, charge_ids: Sequence[str]) -> list[Charge]:
        """Read the charges that there are, without what they are paid with."""
        found = self._charges.filter(pk__in=charge_ids).values(*rows.COLUMNS)
        return [rows.read_charge(row) for row in found]

    def _tell(self, changed: Changed, after: Charge) -> None:
        """Call the merchant's hook, after charge and event are stored."""
        told = changed(after)
        if inspect.iscoroutine(told):
            # Nobody would run it, and the goods would never be handed over.
            told.close()
            raise TypeError("the hook is a coroutine; here it is blocking")
        # A hook that swallows a database error dooms the transaction, and COMMIT would not say so.
        # Reading fails then, or finds nothing.
        if not self._charges.filter(pk=after.id, version=after.version).exists():
            raise RuntimeError("the hook took back what was stored; raise an error for that")

    def _due(self, now: float) -> "QuerySet[models.Charge]":
        return self._charges.filter(due__lte=now, leased_until__lte=now).order_by("due")

    def _read(self, charge_id: str) -> Charge | None:
        row = self._charges.filter(pk=charge_id).values(*rows.COLUMNS).first()
        return None if row is None else rows.read_charge(row)

    def _stored(self, row: Any) -> Stored:
        return Stored(rows.read_charge(row), self._vault.open(bytes(row["means"])))

    @property
    def _charges(self) -> "QuerySet[models.Charge]":
        return self._database.rows(models.Charge)

    @property
    def _events(self) -> "QuerySet[models.ChargeEvent]":
        return self._database.rows(models.ChargeEvent)


def _event(before: Charge | None, after: Charge) -> models.ChargeEvent:
    return models.ChargeEvent(**rows.event_row(before, after))
