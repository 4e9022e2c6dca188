"""Charges and saved cards in Django's admin: looked at by everybody who may, typed by nobody.

An action on charges stores the merchant's word, as the ledger does everywhere, and `run` carries it
out. One on cards asks Payme at once.
"""

import logging
from functools import partial
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse

from payme import django_words as words
from payme import redact
from payme.charges import orders
from payme.charges.core import Overtaken
from payme.charges.django import charges, wallet
from payme.charges.django.asking import Asked, AskingAdmin, actions
from payme.charges.django.ledger import DjangoLedger
from payme.charges.django.models import ATTENTION, Card, Charge, defaults_of
from payme.charges.pace import since_1970
from payme.charges.saved import CardNotFound, CardUnusable, SavedCard
from payme.django_display import (
    amount,
    breakable,
    called,
    failure,
    later,
    mark,
    moment,
    say,
    stacked,
    structure,
)
from payme.errors import InvalidArgument, PaymeError
from payme.money import format_som

Rows = QuerySet[Any]

_LOG: Final = logging.getLogger("payme.charges")

_EVENT_COLUMNS: Final = (
    words.EVENT_AT,
    words.EVENT_BEFORE,
    words.EVENT_AFTER,
    words.EVIDENCE,
    words.RECEIPT,
)


class NeedsPerson(admin.SimpleListFilter):
    """Charges that can't be proven either way."""

    title = later(words.ATTENTION)
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002
        """Return what may be chosen."""
        return (("yes", say(words.NEEDS_PERSON)),)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:  # noqa: ARG002
        """Filter."""
        return queryset.filter(ATTENTION) if self.value() == "yes" else queryset


@admin.register(Charge)
class ChargeAdmin(AskingAdmin):
    """A list with filters, a page for each charge with its events, and actions that ask."""

    names = words.CHARGE
    list_display = ("known_as", "stands", "sum", "receipt", "changed_at")
    list_filter = ("state", NeedsPerson)
    search_fields = ("id__exact", "receipt_id__exact")
    search_help_text = later(words.CHARGE_SEARCH)
    sortable_by = ("known_as",)
    said = words.CHARGE_WORDS
    means = words.CHARGE_MEANS
    actions = actions(words.CHARGE_WORDS)
    change_form_template = "admin/payme_charges/charge/change_form.html"
    fields = (
        "id",
        "state",
        "person",
        "sum",
        "account_shown",
        "description_shown",
        "detail_shown",
        "hold",
        "receipt_id",
        "receipts",
        "attempts",
        "given_up",
        "known_from",
        "code",
        "message_shown",
        "due_at",
        "created_at",
        "changed_at",
    )

    def get_queryset(self, request: HttpRequest) -> Rows:
        """Read charges without what they are paid with."""
        return super().get_queryset(request).defer("means")

    @admin.display(description=later(words.AMOUNT))
    def sum(self, row: Charge) -> str:
        """Write the amount as people do."""
        return amount(row.amount)

    @admin.display(description=later(words.NEEDS_PERSON))
    def person(self, row: Charge) -> str:
        """Write whether somebody must look at it."""
        return mark(row.read().needs_attention)

    @admin.display(description=later(words.ID), ordering="id")
    def known_as(self, row: Charge) -> str:
        """Write the id."""
        return breakable(row.id)

    @admin.display(description=later(words.STATE))
    def stands(self, row: Charge) -> str:
        """Write the state, whether somebody must look at it, and what it rests on."""
        person = say(words.NEEDS_PERSON) if row.read().needs_attention else ""
        return stacked([called(row.state, words.CHARGE_STATES), person, self.known_from(row)])

    @admin.display(description=later(words.RECEIPT))
    def receipt(self, row: Charge) -> str:
        """Write the id of the receipt."""
        return breakable(row.receipt_id)

    @admin.display(description=later(words.EVIDENCE))
    def known_from(self, row: Charge) -> str:
        """Write what the state rests on."""
        return redact.scrub(row.evidence)

    @admin.display(description=later(words.ACCOUNT))
    def account_shown(self, row: Charge) -> str:
        """Write the account, with phones masked."""
        return structure(redact.tree(row.read().account, "account"))

    @admin.display(description=later(words.DESCRIPTION))
    def description_shown(self, row: Charge) -> str:
        """Write what is paid for."""
        return redact.scrub(row.description or "")

    @admin.display(description=later(words.DETAIL))
    def detail_shown(self, row: Charge) -> str:
        """Write the lines of the fiscal receipt."""
        return structure(redact.tree(row.read().detail))

    @admin.display(description=later(words.MESSAGE))
    def message_shown(self, row: Charge) -> str:
        """Write Payme's text of the last refusal."""
        return redact.scrub(row.message or "")

    @admin.display(description=later(words.DUE))
    def due_at(self, row: Charge) -> str:
        """Write when it is driven next."""
        return moment(row.due)

    @admin.display(description=later(words.CHARGE_CREATED))
    def created_at(self, row: Charge) -> str:
        """Write when it was accepted."""
        return moment(row.created)

    @admin.display(description=later(words.CHARGE_CHANGED))
    def changed_at(self, row: Charge) -> str:
        """Write when it changed last."""
        return moment(row.changed)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the events."""
        row: Charge | None = kwargs.get("obj")
        if row is not None:
            context["events"] = [
                {
                    "at": moment(event.at),
                    "before": called(event.before, words.CHARGE_STATES),
                    "after": called(event.after, words.CHARGE_STATES),
                    "evidence": redact.scrub(event.evidence),
                    "receipt_id": event.receipt_id or "",
                }
                for event in _ledger().history(row.id)
            ]
            context["heads"] = {
                "events": say(words.EVENTS),
                "columns": [say(head) for head in _EVENT_COLUMNS],
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def asked(self, row: Charge, word: str) -> Asked:
        """Return what is shown of a charge that something is asked of."""
        charge = row.read()
        state = called(charge.state, words.CHARGE_STATES)
        total = format_som(charge.amount)
        text = say(words.THIS_CHARGE, id=charge.id, state=state, sum=total)
        return Asked(charge.id, str(charge.version), text, _refusal(row, word))

    def summary(self, rows: list[Charge]) -> str:
        """Write how many charges there are, and how much money that is."""
        total = format_som(sum(row.amount for row in rows))
        count = words.ONE_CHARGE if len(rows) == 1 else words.MANY_CHARGES
        return say(count, count=len(rows), sum=total)

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Store a word for a charge; return what to say of it."""
        return _told(pk, word, version)


@admin.register(Card)
class CardAdmin(AskingAdmin):
    """Saved cards without their tokens; Payme is asked about them after agreement."""

    names = words.CARD
    list_display = ("card", "stands", "customer_shown", "default", "changed_at")
    list_filter = ("state",)
    search_fields = ("customer__exact", "id__exact")
    search_help_text = later(words.CARD_SEARCH)
    sortable_by = ("card",)
    said = words.CARD_WORDS
    means = words.CARD_MEANS
    actions = actions(words.CARD_WORDS)
    # Each is a request to Payme, and the page waits for all of them.
    most: ClassVar[int] = 20
    fields = (
        "id",
        "number",
        "expire",
        "state",
        "whose",
        "default",
        "recurrent",
        "known_from",
        "created_at",
        "changed_at",
    )

    def get_queryset(self, request: HttpRequest) -> Rows:
        """Read cards without their tokens, with the default of each customer."""
        rows = super().get_queryset(request).defer("means", "fingerprint", "identity")
        first = defaults_of(Card.rows.order_by(), [OuterRef("customer")]).values("pk")[:1]
        return rows.annotate(first=Subquery(first))

    @admin.display(description=later(words.CARD.one), ordering="number")
    def card(self, row: Card) -> str:
        """Write the number and the expiry."""
        return stacked([row.number, row.expire])

    @admin.display(description=later(words.STATE))
    def stands(self, row: Card) -> str:
        """Write the state and what it rests on."""
        return stacked([called(row.state, words.CARD_STATES), self.known_from(row)])

    @admin.display(description=later(words.CUSTOMER))
    def whose(self, row: Card) -> str:
        """Write whose it is; a phone or an e-mail is masked."""
        return str(redact.account_value(row.customer))

    @admin.display(description=later(words.CUSTOMER))
    def customer_shown(self, row: Card) -> str:
        """Write whose it is in a narrow column."""
        return breakable(self.whose(row))

    @admin.display(description=later(words.DEFAULT))
    def default(self, row: Any) -> str:
        """Write whether charges of its customer take it."""
        return mark(row.first == row.pk)

    @admin.display(description=later(words.EVIDENCE))
    def known_from(self, row: Card) -> str:
        """Write what the state rests on."""
        return redact.scrub(row.evidence)

    @admin.display(description=later(words.CARD_CREATED))
    def created_at(self, row: Card) -> str:
        """Write when it was saved."""
        return moment(row.created)

    @admin.display(description=later(words.CARD_CHANGED))
    def changed_at(self, row: Card) -> str:
        """Write when it changed last."""
        return moment(row.changed)

    def asked(self, row: Any, word: str) -> Asked:
        """Return what is shown of a card that something is asked of."""
        card: SavedCard = row.read(is_default=row.first == row.pk)
        state = called(card.state, words.CARD_STATES)
        text = f"{card.number} {card.expire}: {state}, {self.whose(row)}"
        return Asked(card.id, str(card.changed), text, _card_refusal(card, word))

    def summary(self, rows: list[Any]) -> str:
        """Write how many cards there are."""
        return say(words.ONE_CARD if len(rows) == 1 else words.MANY_CARDS, count=len(rows))

    def carry_out(self, request: HttpRequest, word: str) -> None:
        """Ask Payme, once nothing can be rolled back that is stored before."""
        alias = _ledger().alias
        transaction.on_commit(partial(super().carry_out, request, word), using=alias)

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Ask Payme about a card; return what to say of it."""
        try:
            if str(wallet().get(pk).changed) != version:
                return messages.ERROR, say(words.CHANGED_MEANWHILE)
            return messages.SUCCESS, _done(pk, word)
        except (CardNotFound, InvalidArgument):
            return messages.ERROR, say(words.NO_CARD)
        except CardUnusable:
            return messages.ERROR, say(words.NOT_ASKED, why=_stands(pk))
        except PaymeError as error:
            return messages.WARNING, f"{failure(error)}; {_stands(pk)}"
        except Exception as error:  # noqa: BLE001 - the others go on
            _LOG.exception("%s of card %s failed", word, pk)
            return messages.ERROR, say(words.CARD_FAILED, error=type(error).__name__)


def _done(card_id: str, word: str) -> str:
    """Do something with a card; return what came of it."""
    if word == "remove":
        wallet().remove(card_id)
        return say(words.REMOVED)
    if word == "make_default":
        wallet().make_default(card_id)
        return say(words.DEFAULT_NOW)
    state = wallet().refresh(card_id).state
    return say(words.CARD_IS, state=called(state, words.CARD_STATES))


def _stands(card_id: str) -> str:
    """Say how a card stands after Payme refused, or did not answer."""
    try:
        state = wallet().get(card_id).state
    except CardNotFound:
        return say(words.REMOVED_BY_OTHERS)
    text = words.REMOVE_LATER if state == "removing" else words.CARD_IS
    return say(text, state=called(state, words.CARD_STATES))


def _card_refusal(card: SavedCard, word: str) -> str | None:
    """Return why something can't be asked of a card; None if it can."""
    if word == "make_default" and card.is_default:
        return say(words.DEFAULT_ALREADY)
    if word != "remove" and card.state == "removing":
        return say(words.BEING_REMOVED)
    return None


def _told(charge_id: str, word: str, version: str) -> tuple[int, str]:
    """Store a word for a charge; return what to say of it."""
    try:
        charge = _ledger().ask(charge_id, word, version=int(version))
    except orders.ChargeNotFound:
        return messages.ERROR, say(words.NO_CHARGE)
    except orders.ChargeConflict:
        return messages.ERROR, say(words.NOT_ASKED, why=say(words.NOT_IN_THIS_STATE))
    except (Overtaken, ValueError):
        # What is no version is not the one that is stored either.
        return messages.ERROR, say(words.CHANGED_MEANWHILE)
    except Exception as error:  # noqa: BLE001 - the others go on
        # The hook's, or the database's: what was asked of the others stands.
        _LOG.exception("%s of charge %s could not be stored", word, charge_id)
        return messages.ERROR, say(words.NOT_STORED, error=type(error).__name__)
    state = called(charge.state, words.CHARGE_STATES)
    if charge.rests:
        return messages.SUCCESS, say(words.NOW, state=state)
    asked = say(words.CHARGE_WORDS[word])
    return messages.SUCCESS, say(words.WISH_STORED, word=asked, state=state)


def _ledger() -> DjangoLedger:
    return charges().ledger


def _refusal(row: Charge, word: str) -> str | None:
    """Return why something can't be asked of a charge; None if it can."""
    charge = row.read()
    try:
        change = orders.command(charge, word, since_1970())
    except orders.ChargeConflict:
        return say(words.NOT_IN_THIS_STATE)
    return say(words.DONE_ALREADY) if change is None else None
