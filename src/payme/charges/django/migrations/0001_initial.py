"""The tables of charges and of their events."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models

import payme.charges.django.fields


class Migration(migrations.Migration):
    """Make the tables."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="ChargeEvent",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "charge_id",
                        "version",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("charge_id", payme.charges.django.fields.ExactCharField(max_length=128)),
                ("version", models.IntegerField()),
                ("at", models.FloatField()),
                ("before", models.CharField(max_length=16, null=True)),
                ("after", models.CharField(max_length=16)),
                ("evidence", models.TextField()),
                ("receipt_id", models.CharField(max_length=64, null=True)),
            ],
            options={
                "db_table": "payme_charge_event",
                "ordering": ("charge_id", "version"),
            },
        ),
        migrations.CreateModel(
            name="Charge",
            fields=[
                (
                    "id",
                    payme.charges.django.fields.ExactCharField(
                        max_length=128, primary_key=True, serialize=False
                    ),
                ),
                ("amount", models.BigIntegerField(verbose_name="amount, tiyin")),
                ("account", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "new"),
                            ("open", "open"),
                            ("paying", "paying"),
                            ("held", "held"),
                            ("refused", "refused"),
                            ("confirming", "confirming"),
                            ("cancelling", "cancelling"),
                            ("refunding", "refunding"),
                            ("paid", "paid"),
                            ("failed", "failed"),
                            ("refunded", "refunded"),
                        ],
                        max_length=16,
                    ),
                ),
                ("description", models.TextField(null=True)),
                ("detail", models.TextField(null=True)),
                ("hold", models.BooleanField()),
                ("receipt_id", models.CharField(max_length=64, null=True, verbose_name="receipt")),
                ("receipts", models.IntegerField()),
                ("attempts", models.IntegerField()),
                ("cancels", models.IntegerField()),
                ("given_up", models.BooleanField()),
                ("evidence", models.TextField(verbose_name="known from")),
                ("code", models.IntegerField(null=True)),
                ("message", models.TextField(null=True)),
                ("tries", models.IntegerField()),
                ("due", models.FloatField(null=True)),
                ("created", models.FloatField()),
                ("changed", models.FloatField()),
                ("version", models.IntegerField()),
                ("means", models.BinaryField()),
                ("owner", models.CharField(max_length=64, null=True)),
                ("leased_until", models.FloatField(db_default=0.0)),
            ],
            options={
                "db_table": "payme_charge",
                "ordering": ("id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("due__isnull", False)),
                        fields=["due"],
                        name="payme_charge_due",
                    ),
                    models.Index(fields=["receipt_id"], name="payme_charge_receipt"),
                ],
            },
        ),
    ]
