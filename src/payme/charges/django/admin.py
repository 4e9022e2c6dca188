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

from payme import redact
from payme.charges import orders
from payme.charges.core import Overtaken
from payme.charges.django import charges, wallet
from payme.charges.django.asking import Asked, AskingAdmin, actions
from payme.charges.django.ledger import DjangoLedger
from payme.charges.django.models import ATTENTION, Card, Charge, defaults_of
from payme.charges.pace import since_1970
from payme.charges.saved import CardNotFound, SavedCard
from payme.django_display import amount, mark, moment, structure
from payme.errors import InvalidArgument, PaymeError
from payme.money import format_som

Rows = QuerySet[Any]

_LOG: Final = logging.getLogger("payme.charges")

_WORDS: Final = {
    "confirm": "The money that is held will be taken.",
    "refund": "The money will be given back.",
    "cancel": "No other payment will be begun, and money that is held goes back.",
    "retry": "The same cards will be charged again.",
}

_CARD_WORDS: Final = {
    "refresh": "Payme will be asked whether they may still be charged.",
    "make_default": "From now on their customers' charges will be paid with them.",
    "remove": "They will be removed at Payme and here, and can't be charged any more.",
}


class NeedsPerson(admin.SimpleListFilter):
    """Charges that can't be proven either way."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:  # noqa: ARG002
        """Return what may be chosen."""
        return (("yes", "needs a person"),)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:  # noqa: ARG002
        """Filter."""
        return queryset.filter(ATTENTION) if self.value() == "yes" else queryset


@admin.register(Charge)
class ChargeAdmin(AskingAdmin):
    """A list with filters, a page for each charge with its events, and actions that ask."""

    list_display = ("id", "state", "sum", "person", "receipt_id", "known_from", "changed_at")
    list_filter = ("state", NeedsPerson)
    search_fields = ("id__exact", "receipt_id__exact")
    search_help_text = "Id, or receipt"
    sortable_by = ("id",)
    words = _WORDS
    actions = actions(_WORDS)
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

    @admin.display(description="amount, so'm")
    def sum(self, row: Charge) -> str:
        """Write the amount as people do."""
        return amount(row.amount)

    @admin.display(description="needs a person")
    def person(self, row: Charge) -> str:
        """Write whether somebody must look at it."""
        return mark(row.read().needs_attention)

    @admin.display(description="known from")
    def known_from(self, row: Charge) -> str:
        """Write what the state rests on."""
        return redact.scrub(row.evidence)

    @admin.display(description="account")
    def account_shown(self, row: Charge) -> str:
        """Write the account, with phones masked."""
        return structure(redact.tree(row.read().account, "account"))

    @admin.display(description="description")
    def description_shown(self, row: Charge) -> str:
        """Write what is paid for."""
        return redact.scrub(row.description or "")

    @admin.display(description="fiscal receipt")
    def detail_shown(self, row: Charge) -> str:
        """Write the lines of the fiscal receipt."""
        return structure(redact.tree(row.read().detail))

    @admin.display(description="message")
    def message_shown(self, row: Charge) -> str:
        """Write Payme's text of the last refusal."""
        return redact.scrub(row.message or "")

    @admin.display(description="due")
    def due_at(self, row: Charge) -> str:
        """Write when it is driven next."""
        return moment(row.due)

    @admin.display(description="created")
    def created_at(self, row: Charge) -> str:
        """Write when it was accepted."""
        return moment(row.created)

    @admin.display(description="changed")
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
                    "before": event.before or "",
                    "after": event.after,
                    "evidence": redact.scrub(event.evidence),
                    "receipt_id": event.receipt_id or "",
                }
                for event in _ledger().history(row.id)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def asked(self, row: Charge, word: str) -> Asked:
        """Return what is shown of a charge that something is asked of."""
        charge = row.read()
        text = f"{charge.id}: {charge.state}, {format_som(charge.amount)} so'm"
        return Asked(charge.id, str(charge.version), text, _refusal(row, word))

    def summary(self, rows: list[Charge]) -> str:
        """Write how many charges there are, and how much money that is."""
        count = f"{len(rows)} charge{'' if len(rows) == 1 else 's'}"
        return f"{count}, {format_som(sum(row.amount for row in rows))} so'm in all"

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Store a word for a charge; return what to say of it."""
        return _told(pk, word, version)


@admin.register(Card)
class CardAdmin(AskingAdmin):
    """Saved cards without their tokens; Payme is asked about them after agreement."""

    list_display = ("number", "expire", "state", "whose", "default", "known_from", "changed_at")
    list_filter = ("state",)
    search_fields = ("customer__exact", "id__exact")
    search_help_text = "Customer, or id"
    sortable_by = ("number",)
    words = _CARD_WORDS
    actions = actions(_CARD_WORDS)
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

    @admin.display(description="customer")
    def whose(self, row: Card) -> str:
        """Write whose it is; a phone or an e-mail is masked."""
        return str(redact.account_value(row.customer))

    @admin.display(description="default")
    def default(self, row: Any) -> str:
        """Write whether charges of its customer take it."""
        return mark(row.first == row.pk)

    @admin.display(description="known from")
    def known_from(self, row: Card) -> str:
        """Write what the state rests on."""
        return redact.scrub(row.evidence)

    @admin.display(description="saved")
    def created_at(self, row: Card) -> str:
        """Write when it was saved."""
        return moment(row.created)

    @admin.display(description="changed")
    def changed_at(self, row: Card) -> str:
        """Write when it changed last."""
        return moment(row.changed)

    def asked(self, row: Any, word: str) -> Asked:
        """Return what is shown of a card that something is asked of."""
        card: SavedCard = row.read(is_default=row.first == row.pk)
        text = f"{card.number} {card.expire}: {card.state}, {self.whose(row)}"
        return Asked(card.id, str(card.changed), text, _card_refusal(card, word))

    def summary(self, rows: list[Any]) -> str:
        """Write how many cards there are."""
        return f"{len(rows)} card{'' if len(rows) == 1 else 's'}"

    def carry_out(self, request: HttpRequest, word: str) -> None:
        """Ask Payme, once nothing can be rolled back that is stored before."""
        alias = _ledger().alias
        transaction.on_commit(partial(super().carry_out, request, word), using=alias)

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Ask Payme about a card; return what to say of it."""
        try:
            if str(wallet().get(pk).changed) != version:
                return messages.ERROR, "it has changed since you looked; nothing was asked for"
            return messages.SUCCESS, _done(pk, word)
        except (CardNotFound, InvalidArgument):
            return messages.ERROR, "there is no such card; nothing was asked for"
        except PaymeError as error:
            return messages.WARNING, f"{redact.scrub(str(error))}; {_stands(pk)}"
        except Exception as error:  # noqa: BLE001 - the others go on
            _LOG.exception("%s of card %s failed", word, pk)
            return messages.ERROR, f"{type(error).__name__}; look at it again"


def _done(card_id: str, word: str) -> str:
    """Do something with a card; return what came of it."""
    if word == "remove":
        wallet().remove(card_id)
        return "removed at Payme and here"
    if word == "make_default":
        wallet().make_default(card_id)
        return "it is the default now"
    return f"it is {wallet().refresh(card_id).state}"


def _stands(card_id: str) -> str:
    """Say how a card stands after Payme refused, or did not answer."""
    try:
        state = wallet().get(card_id).state
    except CardNotFound:
        return "somebody else has removed it"
    return f"it is {state}" + (", remove it again later" if state == "removing" else "")


def _card_refusal(card: SavedCard, word: str) -> str | None:
    """Return why something can't be asked of a card; None if it can."""
    if word == "make_default" and card.is_default:
        return "it is the default already"
    if word != "remove" and card.state == "removing":
        return "it is being removed"
    return None


def _told(charge_id: str, word: str, version: str) -> tuple[int, str]:
    """Store a word for a charge; return what to say of it."""
    try:
        charge = _ledger().ask(charge_id, word, version=int(version))
    except Overtaken:
        return messages.ERROR, "it has changed since you looked; nothing was asked for"
    except (orders.ChargeConflict, orders.ChargeNotFound, ValueError) as refused:
        return messages.ERROR, f"{redact.scrub(str(refused))}; nothing was asked for"
    except Exception as error:  # noqa: BLE001 - the others go on
        # The hook's, or the database's: what was asked of the others stands.
        _LOG.exception("%s of charge %s could not be stored", word, charge_id)
        return messages.ERROR, f"nothing was stored: {type(error).__name__}"
    if charge.rests:
        return messages.SUCCESS, f"it is {charge.state} now"
    return messages.SUCCESS, f"{word} asked for; it is {charge.state} until Payme's answer is proof"


def _ledger() -> DjangoLedger:
    return charges().ledger


def _refusal(row: Charge, word: str) -> str | None:
    """Return why something can't be asked of a charge; None if it can."""
    charge = row.read()
    try:
        change = orders.command(charge, word, since_1970())
    except orders.ChargeConflict as conflict:
        return str(conflict)
    return f"charge {charge.id!r} is {charge.state} already" if change is None else None
