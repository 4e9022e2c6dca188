"""Transactions to look at in Django's admin. Nobody changes there what Payme was told."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from payme.merchant.django.models import Transaction

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Transaction]
else:
    Base = admin.ModelAdmin


@admin.register(Transaction)
class TransactionAdmin(Base):
    """A list with filters, and a page for each transaction, both to read only."""

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
    search_help_text = "Id at Payme, or order"
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

    @admin.display(description="amount, so'm", ordering="amount")
    def sum(self, row: Transaction) -> str:
        """Write the amount as people do."""
        return f"{row.amount // 100:,}.{row.amount % 100:02}".replace(",", " ")

    @admin.display(ordering="time")
    def created(self, row: Transaction) -> datetime | None:
        """Return when Payme created it."""
        return _moment(row.time)

    @admin.display(ordering="perform_time")
    def paid(self, row: Transaction) -> datetime | None:
        """Return when the money was taken."""
        return _moment(row.perform_time)

    @admin.display(ordering="cancel_time")
    def cancelled(self, row: Transaction) -> datetime | None:
        """Return when it was cancelled or refunded."""
        return _moment(row.cancel_time)

    @admin.display(description="account")
    def account_json(self, row: Transaction) -> str:
        """Write the account as Payme sent it."""
        return _json(row.account)

    @admin.display(description="receivers")
    def receivers_json(self, row: Transaction) -> str:
        """Write how the money is split."""
        return _json(row.receivers)

    @admin.display(description="fiscal receipts")
    def fiscal_json(self, row: Transaction) -> str:
        """Write the fiscal receipts of the payment and of its refund."""
        return _json(row.fiscal)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Refuse: Payme creates transactions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: Payme was told what stands here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Refuse: GetStatement would miss it."""
        return False


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _moment(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
