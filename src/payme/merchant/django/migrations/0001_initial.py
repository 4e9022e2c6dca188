"""The tables of transactions and of locks."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models

import payme.merchant.django.fields


class Migration(migrations.Migration):
    """Make the tables."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OrderLock",
            fields=[
                ("order_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="Transaction",
            fields=[
                (
                    "id",
                    models.CharField(
                        max_length=64, primary_key=True, serialize=False, verbose_name="id at Payme"
                    ),
                ),
                ("order_id", models.CharField(max_length=255, verbose_name="order")),
                (
                    "holds",
                    models.CharField(
                        help_text="The order, while no other attempt may be made.",
                        max_length=255,
                        null=True,
                    ),
                ),
                ("time", models.BigIntegerField(verbose_name="created at Payme, ms")),
                ("amount", models.BigIntegerField(verbose_name="amount, tiyin")),
                ("account", payme.merchant.django.fields.ExactJSONField()),
                ("create_time", models.BigIntegerField(verbose_name="created, ms")),
                ("perform_time", models.BigIntegerField(default=0, verbose_name="paid, ms")),
                ("cancel_time", models.BigIntegerField(default=0, verbose_name="cancelled, ms")),
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(1, "waiting"), (2, "paid"), (-1, "cancelled"), (-2, "refunded")],
                        default=1,
                    ),
                ),
                (
                    "reason",
                    models.BigIntegerField(
                        choices=[
                            (1, "receiver not found"),
                            (2, "debit failed"),
                            (3, "transaction failed"),
                            (4, "timed out"),
                            (5, "refund"),
                            (10, "unknown"),
                        ],
                        null=True,
                    ),
                ),
                ("receivers", payme.merchant.django.fields.ExactJSONField(default=list)),
                (
                    "fiscal",
                    payme.merchant.django.fields.ExactJSONField(
                        default=dict, verbose_name="fiscal receipts"
                    ),
                ),
            ],
            options={
                "ordering": ("-time", "-id"),
                "indexes": [
                    models.Index(fields=["time", "id"], name="payme_transaction_statement"),
                    models.Index(fields=["order_id"], name="payme_transaction_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("holds",), name="payme_one_living_transaction")
                ],
            },
        ),
    ]
