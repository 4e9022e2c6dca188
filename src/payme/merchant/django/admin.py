"""Transactions to look at in Django's admin. Nobody changes there what Payme was told."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from payme import django_words as words
from payme.django_display import Titled, amount, later, moment, structure
from payme.merchant.django.models import Transaction

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Transaction]
else:
    Base = admin.ModelAdmin


@admin.register(Transaction)
class TransactionAdmin(Titled, Base):
    """A list with filters, and a page for each transaction, both to read only."""

    names = words.TRANSACTION
    list_display = (
        "payme_id",
        "box",
        "order_id",
        "sum",
        "state",
        "reason",
        "created",
        "paid",
        "cancelled",
    )
    list_filter = ("box", "state", "reason")
    search_fields = ("payme_id__exact", "order_id__exact")
    search_help_text = later(words.TRANSACTION_SEARCH)
    # Counting a million rows for the corner of a page takes longer than the page.
    show_full_result_count = False
    fields = (
        "payme_id",
        "box",
        "order_id",
        "reserves",
        "sum",
        "account_json",
        "state",
        "reason",
        "created",
        "paid",
        "cancelled",
        "receivers_json",
        "fiscal_json",
    )

    @admin.display(description=later(words.AMOUNT), ordering="amount")
    def sum(self, row: Transaction) -> str:
        """Write the amount as people do."""
        return amount(row.amount)

    @admin.display(description=later(words.TRANSACTION_CREATED), ordering="time")
    def created(self, row: Transaction) -> str:
        """Write when Payme created it."""
        return _moment(row.time)

    @admin.display(description=later(words.TRANSACTION_PAID), ordering="perform_time")
    def paid(self, row: Transaction) -> str:
        """Write when the money was taken."""
        return _moment(row.perform_time)

    @admin.display(description=later(words.TRANSACTION_CANCELLED), ordering="cancel_time")
    def cancelled(self, row: Transaction) -> str:
        """Write when it was cancelled or refunded."""
        return _moment(row.cancel_time)

    @admin.display(description=later(words.ACCOUNT))
    def account_json(self, row: Transaction) -> str:
        """Write the account as Payme sent it."""
        return structure(row.account)

    @admin.display(description=later(words.RECEIVERS))
    def receivers_json(self, row: Transaction) -> str:
        """Write how the money is split."""
        return structure(row.receivers)

    @admin.display(description=later(words.FISCAL))
    def fiscal_json(self, row: Transaction) -> str:
        """Write the fiscal receipts of the payment and of its refund."""
        return structure(row.fiscal)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse: Payme creates transactions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: Payme was told what stands here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: GetStatement would miss it."""
        return False


def _moment(ms: int) -> str:
    return moment(ms / 1000 if ms else None)
