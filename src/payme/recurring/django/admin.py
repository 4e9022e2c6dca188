"""Subscriptions in Django's admin, with their periods and notices; typed by nobody.

An action does what the merchant's code can do, in one transaction, and asks nothing of Payme: what
it wants of a charge, `run` carries out.
"""

import logging
from typing import Any, Final

import msgspec
from django.contrib import admin, messages
from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from payme import django_words as words
from payme import redact
from payme.charges.django.asking import Asked, AskingAdmin, actions
from payme.charges.pace import since_1970
from payme.django_display import (
    NOTHING,
    amount,
    breakable,
    called,
    failure,
    later,
    moment,
    say,
    stacked,
    structure,
)
from payme.errors import InvalidArgument, PaymeError
from payme.money import format_som
from payme.recurring import SubscriptionConflict, SubscriptionNotFound, asked, core
from payme.recurring.django import recurring
from payme.recurring.django.models import Notice, Period, Subscription
from payme.recurring.ledger import Act
from payme.recurring.rule import MOST_ATTEMPTS

Rows = QuerySet[Any]

_LOG: Final = logging.getLogger("payme.recurring")

_PERIOD_COLUMNS: Final = (
    words.NUMBER,
    words.PERIOD_START,
    words.PERIOD_END,
    words.AMOUNT,
    words.STATE,
    words.REFUSALS,
    words.RETRY_AT,
    words.MESSAGE,
    words.CHARGE.one,
)

_NOTICE_COLUMNS: Final = (words.NUMBER, words.KIND, words.WRITTEN, words.SENT)

_ACTS: Final[dict[str, Act]] = {
    "pause": asked.pause(),
    "resume": asked.resume(restart=False),
    "cancel": asked.cancel(at_period_end=True, collect_open=False),
    "retry": asked.retry(),
}


@admin.register(Subscription)
class SubscriptionAdmin(AskingAdmin):
    """A list with filters, a page for each with periods and notices, and actions that ask."""

    names = words.SUBSCRIPTION
    list_display = ("known_as", "stands", "next_payment", "wakes_at")
    list_filter = ("state",)
    search_fields = ("id__exact", "customer__exact")
    search_help_text = later(words.SUBSCRIPTION_SEARCH)
    sortable_by = ("known_as",)
    said = words.SUBSCRIPTION_WORDS
    means = words.SUBSCRIPTION_MEANS
    actions = actions(words.SUBSCRIPTION_WORDS)
    change_form_template = "admin/payme_recurring/subscription/change_form.html"
    fields = (
        "id",
        "state",
        "whose",
        "rule_shown",
        "terms_shown",
        "next_n",
        "next_due",
        "sum",
        "unpaid",
        "ends",
        "wakes_at",
        "created_at",
        "changed_at",
    )

    def get_queryset(self, request: HttpRequest) -> Rows:
        """Read subscriptions without what they are paid with."""
        return super().get_queryset(request).defer("means")

    @admin.display(description=later(words.ID), ordering="id")
    def known_as(self, row: Subscription) -> str:
        """Write the id."""
        return breakable(row.id)

    @admin.display(description=later(words.STATE))
    def stands(self, row: Subscription) -> str:
        """Write the state, and which period is unresolved."""
        unpaid = "" if row.debt is None else f"{say(words.UNPAID)}: {row.debt}"
        return stacked([called(row.state, words.SUBSCRIPTION_STATES), unpaid])

    @admin.display(description=later(words.NEXT_DUE))
    def next_payment(self, row: Subscription) -> str:
        """Write when the next period is due, and what it costs."""
        return stacked([self.next_due(row), f"{self.sum(row)} {say(words.SOM)}"])

    @admin.display(description=later(words.NEXT_DUE))
    def next_due(self, row: Subscription) -> str:
        """Write when the next period is due."""
        subscription = row.read()
        if subscription.state == core.SubscriptionState.ENDED:
            return NOTHING
        return moment(subscription.due(subscription.next_n))

    @admin.display(description=later(words.NEXT_AMOUNT))
    def sum(self, row: Subscription) -> str:
        """Write what the next period costs."""
        subscription = row.read()
        return amount(subscription.amount(subscription.next_n))

    @admin.display(description=later(words.UNPAID))
    def unpaid(self, row: Subscription) -> str:
        """Write which period is unresolved."""
        return NOTHING if row.debt is None else str(row.debt)

    @admin.display(description=later(words.CUSTOMER))
    def whose(self, row: Subscription) -> str:
        """Write whose card pays; a phone or an e-mail is masked."""
        return "" if row.customer is None else str(redact.account_value(row.customer))

    @admin.display(description=later(words.RULE))
    def rule_shown(self, row: Subscription) -> str:
        """Write the rule, with phones masked."""
        return structure(redact.tree(msgspec.to_builtins(row.read().rule)))

    @admin.display(description=later(words.TERMS))
    def terms_shown(self, row: Subscription) -> str:
        """Write from which period on it costs what."""
        return structure(redact.tree(msgspec.to_builtins(row.read().terms)))

    @admin.display(description=later(words.ENDS))
    def ends(self, row: Subscription) -> str:
        """Write when it ends."""
        return moment(row.ends_at)

    @admin.display(description=later(words.WAKES))
    def wakes_at(self, row: Subscription) -> str:
        """Write when there is something to do next."""
        return moment(row.wakes)

    @admin.display(description=later(words.SUBSCRIPTION_CREATED))
    def created_at(self, row: Subscription) -> str:
        """Write when it was created."""
        return moment(row.created)

    @admin.display(description=later(words.SUBSCRIPTION_CHANGED))
    def changed_at(self, row: Subscription) -> str:
        """Write when it changed last."""
        return moment(row.changed)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the periods and the notices."""
        row: Subscription | None = kwargs.get("obj")
        if row is not None:
            periods = Period.rows.using(row._state.db).filter(subscription=row.pk).order_by("n")
            notices = Notice.rows.using(row._state.db).filter(subscription=row.pk)
            context["periods"] = [_period(one.read()) for one in periods]
            context["notices"] = [
                {
                    "n": one.n,
                    "kind": called(one.kind, words.NOTICE_KINDS),
                    "at": moment(one.at),
                    "sent": moment(one.sent),
                }
                for one in notices.order_by("at", "n", "kind")
            ]
            context["heads"] = {
                "periods": say(words.PERIODS),
                "of_periods": [say(head) for head in _PERIOD_COLUMNS],
                "notices": say(words.NOTICES),
                "of_notices": [say(head) for head in _NOTICE_COLUMNS],
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def asked(self, row: Subscription, word: str) -> Asked:
        """Return what is shown of a subscription that something is asked of."""
        subscription = row.read()
        state = called(subscription.state, words.SUBSCRIPTION_STATES)
        text = say(words.THIS_SUBSCRIPTION, id=subscription.id, state=state, sum=self.sum(row))
        refusal = _refusal(subscription, row._state.db, word)
        return Asked(subscription.id, str(subscription.version), text, refusal)

    def summary(self, rows: list[Subscription]) -> str:
        """Write how many subscriptions there are."""
        count = words.ONE_SUBSCRIPTION if len(rows) == 1 else words.MANY_SUBSCRIPTIONS
        return say(count, count=len(rows))

    def told(self, pk: str, word: str, version: str) -> tuple[int, str]:
        """Do what was asked of a subscription; return what to say of it."""
        try:
            if str(recurring().get(pk).version) != version:
                return messages.ERROR, say(words.CHANGED_MEANWHILE)
            after: core.Subscription = getattr(recurring(), word)(pk)
        except (InvalidArgument, SubscriptionNotFound):
            return messages.ERROR, say(words.NO_SUBSCRIPTION)
        except SubscriptionConflict:
            return messages.ERROR, say(words.NOT_ASKED, why=_conflict(recurring().get(pk), word))
        except PaymeError as error:
            return messages.ERROR, say(words.NOT_STORED, error=failure(error))
        except Exception as error:  # noqa: BLE001 - the others go on
            # The database's, or somebody's who changed it at this moment.
            _LOG.exception("%s of subscription %s could not be stored", word, pk)
            return messages.ERROR, say(words.NOT_STORED, error=type(error).__name__)
        state = called(after.state, words.SUBSCRIPTION_STATES)
        return messages.SUCCESS, say(words.NOW, state=state)


def _refusal(subscription: core.Subscription, alias: str | None, word: str) -> str | None:
    """Return why something can't be asked of a subscription; None if it can."""
    debt = None
    if subscription.debt is not None:
        which = Period.rows.using(alias).filter(pk=(subscription.id, subscription.debt))
        debt = which.get().read()
    try:
        change = _ACTS[word](subscription, debt, since_1970())
    except SubscriptionConflict:
        return _conflict(subscription, word)
    return say(words.DONE_ALREADY) if change is None else None


def _conflict(subscription: core.Subscription, word: str) -> str:
    """Say why a subscription refuses what is asked."""
    if subscription.state in core.ALLOWED[word]:
        return say(words.TRIED_OFTEN, most=MOST_ATTEMPTS)
    return say(words.NOT_IN_THIS_STATE)


def _period(period: core.Period) -> dict[str, Any]:
    return {
        "n": period.n,
        "start": moment(period.start),
        "end": moment(period.end),
        "sum": format_som(period.amount),
        "state": called(period.state, words.PERIOD_STATES),
        "refusals": len(period.refusals),
        "retry_at": moment(period.retry_at),
        "message": redact.scrub(period.message or ""),
        "charge": period.charge_id,
        "link": _link(period),
    }


def _link(period: core.Period) -> str:
    """Return where the charge of a period is shown; nothing where it has none."""
    if period.state is core.PeriodState.SKIPPED:
        return ""
    try:
        return reverse("admin:payme_charges_charge_change", args=[quote(period.charge_id)])
    except NoReverseMatch:
        return ""  # the project shows charges elsewhere, or not at all
