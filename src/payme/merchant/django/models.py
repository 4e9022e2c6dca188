"""What is stored. Times are ms since 1970 UTC, amounts are tiyin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from payme import django_words as words
from payme.django_display import later, name
from payme.merchant import entities
from payme.merchant.django.fields import ExactJSONField

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


class State(models.IntegerChoices):
    """State of a transaction, with Payme's numbers."""

    CREATED = entities.TransactionState.CREATED, later(words.TRANSACTION_WAITING)
    PERFORMED = entities.TransactionState.PERFORMED, later(words.TRANSACTION_PAID)
    CANCELLED = entities.TransactionState.CANCELLED, later(words.TRANSACTION_CANCELLED)
    REFUNDED = entities.TransactionState.REFUNDED, later(words.TRANSACTION_REFUNDED)


class Reason(models.IntegerChoices):
    """Why a transaction was cancelled, with Payme's numbers."""

    RECEIVER = entities.Reason.RECEIVER, later(words.NO_RECEIVER)
    DEBIT = entities.Reason.DEBIT, later(words.DEBIT_FAILED)
    EXECUTION = entities.Reason.EXECUTION, later(words.EXECUTION_FAILED)
    TIMEOUT = entities.Reason.TIMEOUT, later(words.TIMED_OUT)
    REFUND = entities.Reason.REFUND, later(words.REFUND)
    UNKNOWN = entities.Reason.UNKNOWN, later(words.UNKNOWN)


class Transaction(models.Model):
    """One attempt to pay an order; see `payme.merchant.Transaction`."""

    # The key of a row; Payme's id is one in its cash-box alone.
    number: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    payme_id: models.CharField[str, str] = models.CharField(
        "id at Payme", max_length=64, db_column="id"
    )
    box: models.CharField[str, str] = models.CharField(
        "cash-box",
        max_length=entities.LONGEST_BOX,
        default="",
        blank=True,
        help_text=later(words.BOX_HELP),
    )
    order_id: models.CharField[str, str] = models.CharField("order", max_length=255)
    reserves: models.CharField[str | None, str | None] = models.CharField(
        max_length=255,
        null=True,
        help_text=later(words.RESERVES_HELP),
    )
    time: models.BigIntegerField[int, int] = models.BigIntegerField("created at Payme, ms")
    amount: models.BigIntegerField[int, int] = models.BigIntegerField("amount, tiyin")
    account: ExactJSONField = ExactJSONField()
    create_time: models.BigIntegerField[int, int] = models.BigIntegerField("created, ms")
    perform_time: models.BigIntegerField[int, int] = models.BigIntegerField("paid, ms", default=0)
    cancel_time: models.BigIntegerField[int, int] = models.BigIntegerField(
        "cancelled, ms", default=0
    )
    state: models.SmallIntegerField[int, int] = models.SmallIntegerField(
        choices=State.choices, default=State.CREATED
    )
    reason: models.BigIntegerField[int | None, int | None] = models.BigIntegerField(
        null=True, choices=Reason.choices
    )
    receivers: ExactJSONField = ExactJSONField(default=list)
    fiscal: ExactJSONField = ExactJSONField("fiscal receipts", default=dict)

    class Meta:
        """Keys of the table."""

        constraints = (
            models.UniqueConstraint(fields=["payme_id", "box"], name="payme_transaction_id"),
            # NULLs never collide: finished attempts and top-ups may repeat.
            models.UniqueConstraint(fields=["reserves", "box"], name="payme_transaction_living"),
        )
        indexes = (
            # Without the cash-box: a shop has few, so that a statement leaves few rows out.
            models.Index(fields=["time", "payme_id"], name="payme_transaction_statement"),
            models.Index(fields=["order_id"], name="payme_transaction_order"),
        )
        ordering = ("-time", "-payme_id")

    def __str__(self) -> str:
        return self.payme_id


class OrderLock(models.Model):
    """A row to lock for each order, in databases without locks of another kind.

    It is named by the cash-box and the order, one after the other.
    """

    order_id: models.CharField[str, str] = models.CharField(
        primary_key=True, max_length=entities.LONGEST_BOX + entities.LONGEST_ORDER_ID
    )

    def __str__(self) -> str:
        return self.order_id

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Leave out the warning that a unique text may not be longer than 255 in MySQL.

        That was so when a key had 767 bytes. InnoDB has room for 3072, and this key needs 1276.
        """
        return [one for one in super().check(**kwargs) if one.id != "mysql.W003"]


name(Transaction, words.TRANSACTION, words.TRANSACTION_FIELDS)
name(OrderLock, words.ORDER_LOCK)
