"""Saved cards in the database of a Django project, beside its charges."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from django.db import IntegrityError
from django.db.models import F, Max, QuerySet

from payme.charges import saved
from payme.charges.core import CardWithdrawn, Means, Save
from payme.charges.django import models
from payme.charges.django.database import Database, hiding
from payme.charges.ledger import card_rows, rows
from payme.charges.ledger.card_rows import REMOVING
from payme.charges.ledger.cards import NewCard
from payme.charges.saved import CardState, Look, SavedCard, StoredCard
from payme.charges.vault import Vault
from payme.errors import InvalidArgument

_STORED: Final = (*card_rows.COLUMNS, "means")


class DjangoCards:
    """Saved cards of a `DjangoLedger`; see `CardLedger`.

    What only stores joins a surrounding `transaction.atomic`. A removal must be committed before
    Payme is asked for it, and refuses to run inside of one.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, new: NewCard) -> SavedCard:
        """Store a card, once."""
        add = partial(self._database.repeating, lambda: self._add(new))
        try:
            return add()
        except IntegrityError:
            # Somebody has just stored the token, or the card; now it is found.
            return add()

    @hiding
    def _add(self, new: NewCard) -> SavedCard:
        mark = card_rows.fingerprint(new.token)
        with self._database.joined():
            self._database.begin()
            known = self._cards.filter(fingerprint=mark)
            found = known.values_list("id", "customer", "state", named=True).first()
            if found is None:
                card_id = self._upsert(new, mark)
            else:
                card_id = card_rows.same(found, new)
                self._kept(fingerprint=mark).update(**card_rows.seen(new.card, new.now))
            if new.default:
                self._choose(card_id, new.now)
            stored = self.load(card_id)
        if stored is None:
            raise card_rows.gone_meanwhile()
        return stored.card

    def _upsert(self, new: NewCard, mark: str) -> str:
        row = {
            **card_rows.seen(new.card, new.now),
            "fingerprint": mark,
            "means": self._vault.seal(Means(new.token)),
        }
        # Bound again: one card of this customer, with its newest token.
        known = self._cards.filter(customer=new.customer, identity=card_rows.identity(new, mark))
        if known.update(**row):
            return str(known.values_list("pk", flat=True).get())
        first = card_rows.added(new, mark)
        self._cards.bulk_create([models.Card(**row, **first)])
        return str(first["id"])

    def load(self, card_id: str) -> StoredCard | None:
        """Read a card."""
        row = self._cards.filter(pk=card_id).values(*_STORED).first()
        if row is None:
            return None
        return self._stored(row, is_default=self._default_id(row["customer"]) == card_id)

    def of(self, customer: str) -> list[SavedCard]:
        """Read the cards of a customer."""
        first = self._default_id(customer)
        found = self._cards.filter(customer=customer).order_by("created", "id")
        cards = [
            card_rows.read_card(row, is_default=row["id"] == first)
            for row in found.values(*card_rows.COLUMNS)
        ]
        return sorted(cards, key=lambda card: not card.is_default)

    def default(self, customer: str, connection: Any = None) -> StoredCard | None:
        """Read the default card of a customer, in the surrounding `atomic` if there is one."""
        if connection is not None:
            expected = "none: it joins the surrounding transaction.atomic"
            raise InvalidArgument("connection", type(connection).__name__, expected)
        row = models.defaults_of(self._cards, [customer]).values(*_STORED).first()
        return None if row is None else self._stored(row, is_default=True)

    def choose(self, card_id: str, now: float) -> bool:
        """Make a card the default."""

        def choose() -> bool:
            with self._database.joined():
                self._database.begin()
                return self._choose(card_id, now)

        return self._database.repeating(choose)

    def store(self, stored: StoredCard, look: Look, now: float) -> None:
        """Store what was learned of a card."""
        same = {"pk": stored.card.id, "fingerprint": card_rows.fingerprint(stored.token)}
        self._kept(**same).update(**card_rows.learned(look, now))

    def begin_removal(self, card_id: str, now: float) -> StoredCard | None:
        """Store that a card is being removed."""
        with self._database.committed():
            ours = self._cards.filter(pk=card_id)
            # It makes room for the same card, bound again with another token.
            if not ours.update(**card_rows.begun_removal(now), identity=F("id")):
                return None
            return self._stored(ours.values(*_STORED).get(), is_default=False)

    def forget(self, stored: StoredCard) -> None:
        """Delete a card that is being removed."""
        self._cards.filter(pk=stored.card.id, state=REMOVING).delete()

    def removing(self, after: str, limit: int) -> list[str]:
        """Read the ids of cards whose removal was begun."""
        which = self._cards.filter(state=REMOVING, pk__gt=after).order_by("pk")
        return list(which.values_list("pk", flat=True)[:limit])

    # What is inside of a transaction.

    def defaults(self, customers: Sequence[str]) -> list[StoredCard]:
        """Read the default cards of customers."""
        found = models.defaults_of(self._cards, customers).values(*_STORED)
        first: dict[str, Any] = {}
        for row in found:
            first.setdefault(row["customer"], row)
        return [self._stored(row, is_default=True) for row in first.values()]

    def guard(self, change: Save) -> None:
        """Let no payment begin with a card that must not be charged; mark one that is unknown.

        Called in the transaction that stores a change of a charge.
        """
        if not card_rows.concerns_card(change):
            return
        if card_rows.begins(change):
            # Locked, so that a removal begins after this payment or keeps it from beginning.
            card = self._cards.filter(pk=change.card).select_for_update()
            if card.values_list("state", flat=True).first() != CardState.READY.value:
                raise CardWithdrawn(change.card)
        else:
            look = saved.gone_at(change.after)
            self._kept(pk=change.card).update(**card_rows.learned(look, change.after.changed))

    def rotate(self, after: str) -> str | None:
        """Seal a page of tokens anew, with the first key; return where the next page begins."""
        which = self._cards.filter(pk__gt=after).order_by("pk").select_for_update()
        page = list(which.values_list("pk", "means")[: rows.PAGE])
        for card_id, sealed in page:
            anew = self._vault.seal(self._vault.open(bytes(sealed)))
            self._cards.filter(pk=card_id).update(means=anew)
        return str(page[-1][0]) if page else None

    def _choose(self, card_id: str, now: float) -> bool:
        customer = self._cards.filter(pk=card_id).values_list("customer", flat=True).first()
        # Of two that choose at once either may win; one is the default in any case.
        top = self._cards.filter(customer=customer).aggregate(top=Max("chosen"))["top"] or 0
        return self._kept(pk=card_id).update(chosen=top + 1, changed=now) == 1

    def _default_id(self, customer: str) -> str | None:
        ids = models.defaults_of(self._cards, [customer]).values_list("pk", flat=True)
        return ids.first()

    def _stored(self, row: Any, *, is_default: bool) -> StoredCard:
        means = self._vault.open(bytes(row["means"]))
        return StoredCard(card_rows.read_card(row, is_default=is_default), means.token)

    def _kept(self, **which: Any) -> "QuerySet[models.Card]":
        """Return cards, unless they are being removed."""
        return self._cards.filter(**which).exclude(state=REMOVING)

    @property
    def _cards(self) -> "QuerySet[models.Card]":
        return self._database.rows(models.Card)
