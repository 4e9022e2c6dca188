"""Charges in Django's admin: looked at by everybody who may, changed by nobody's keyboard.

An action stores the merchant's word, as the ledger does everywhere, and `run` carries it out. So a
page says "asked for", never "refunded", and what it was asked for is compared with the version that
the person saw.
"""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from payme import redact
from payme.charges import core, orders
from payme.charges.core import Overtaken
from payme.charges.django import charges
from payme.charges.django.ledger import DjangoLedger
from payme.charges.django.models import ATTENTION, Charge
from payme.charges.pace import since_1970
from payme.money import format_som

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Charge]
else:
    Base = admin.ModelAdmin

Rows = QuerySet[Charge]

_LOG: Final = logging.getLogger("payme.charges")

_MOST: Final = 100
"""Charges that one action is asked for: as many as a person reads before agreeing."""

_WORDS: Final = {
    "confirm": "The money that is held will be taken.",
    "refund": "The money will be given back.",
    "cancel": "No other payment will be begun, and money that is held goes back.",
    "retry": "The same cards will be charged again.",
}

_CONFIRM: Final = "admin/payme_charges/charge/confirm_action.html"


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


class _Asked(NamedTuple):
    """A charge on the page that asks for agreement."""

    charge: core.Charge
    refusal: str | None

    @property
    def seen(self) -> str:
        return f"{self.charge.version} {self.charge.id}"

    @property
    def money(self) -> str:
        return format_som(self.charge.amount)


def _action(word: str) -> Callable[..., HttpResponse | None]:
    @admin.action(permissions=["command"], description=f"{word.capitalize()} selected charges")
    def act(own: "ChargeAdmin", request: HttpRequest, queryset: Rows) -> HttpResponse | None:
        return own.ask(request, queryset, word)

    act.__name__ = word
    return act


@admin.register(Charge)
class ChargeAdmin(Base):
    """A list with filters, a page for each charge with its events, and actions that ask."""

    list_display = ("id", "state", "sum", "person", "receipt_id", "known_from", "changed_at")
    list_filter = ("state", NeedsPerson)
    search_fields = ("id__exact", "receipt_id__exact")
    search_help_text = "Id, or receipt"
    # Counting a million rows for the corner of a page takes longer than the page.
    show_full_result_count = False
    sortable_by = ("id",)
    actions = tuple(_action(word) for word in _WORDS)
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
        return format_som(row.amount)

    @admin.display(description="needs a person", boolean=True)
    def person(self, row: Charge) -> bool | None:
        """Return whether somebody must look at it; nothing is shown where nobody must."""
        return False if row.read().needs_attention else None

    @admin.display(description="known from")
    def known_from(self, row: Charge) -> str:
        """Write what the state rests on."""
        return redact.scrub(row.evidence)

    @admin.display(description="account")
    def account_shown(self, row: Charge) -> str:
        """Write the account, with phones masked."""
        return _json(redact.tree(row.read().account, "account"))

    @admin.display(description="description")
    def description_shown(self, row: Charge) -> str:
        """Write what is paid for."""
        return redact.scrub(row.description or "")

    @admin.display(description="fiscal receipt")
    def detail_shown(self, row: Charge) -> str:
        """Write the lines of the fiscal receipt."""
        return _json(redact.tree(row.read().detail))

    @admin.display(description="message")
    def message_shown(self, row: Charge) -> str:
        """Write Payme's text of the last refusal."""
        return redact.scrub(row.message or "")

    @admin.display(description="due")
    def due_at(self, row: Charge) -> datetime | None:
        """Return when it is driven next."""
        return _moment(row.due)

    @admin.display(description="created")
    def created_at(self, row: Charge) -> datetime | None:
        """Return when it was accepted."""
        return _moment(row.created)

    @admin.display(description="changed")
    def changed_at(self, row: Charge) -> datetime | None:
        """Return when it changed last."""
        return _moment(row.changed)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse: a charge is submitted by the shop."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: what is stored was proven."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: under its id it could be taken again."""
        return False

    def has_command_permission(self, request: HttpRequest) -> bool:
        """Return whether somebody may ask for something: who has the permission to change."""
        user: Any = getattr(request, "user", None)
        return bool(user and user.has_perm("payme_charges.change_charge"))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the events, and what may be asked."""
        row: Charge | None = kwargs.get("obj")
        if row is not None:
            may = self.has_command_permission(request)
            context["words"] = [word for word in _WORDS if may and _refusal(row, word) is None]
            context["action_checkbox_name"] = ACTION_CHECKBOX_NAME
            context["events"] = [
                {
                    "at": _moment(event.at),
                    "before": event.before or "",
                    "after": event.after,
                    "evidence": redact.scrub(event.evidence),
                    "receipt_id": event.receipt_id or "",
                }
                for event in _ledger().history(row.id)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    def ask(self, request: HttpRequest, queryset: Rows, word: str) -> HttpResponse | None:
        """Ask the person, then the ledger."""
        if request.POST.get("agreed"):
            self._ask_ledger(request, word)
            return None
        selected = list(queryset.order_by("pk")[: _MOST + 1])
        if len(selected) > _MOST:
            text = f"Choose at most {_MOST} charges at once. Nothing was asked for."
            self.message_user(request, text, messages.ERROR)
            return None
        asked = [_Asked(row.read(), _refusal(row, word)) for row in selected]
        able = [one for one in asked if one.refusal is None]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{word.capitalize()}: are you sure?",
            "opts": self.opts,
            "media": self.media,
            "word": word,
            "means": _WORDS[word],
            "asked": asked,
            "able": able,
            "sum": format_som(sum(one.charge.amount for one in able)),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, _CONFIRM, context)

    def _ask_ledger(self, request: HttpRequest, word: str) -> None:
        """Store the word for each charge that the person saw, in the version that was shown."""
        for seen in request.POST.getlist("seen")[:_MOST]:
            version, _, charge_id = seen.partition(" ")
            level, text = _told(charge_id, word, version)
            if level == messages.SUCCESS:
                self.log_change(request, self.model.rows.get(pk=charge_id), f"asked for: {word}")
            self.message_user(request, f"{charge_id}: {text}", level)


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


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
