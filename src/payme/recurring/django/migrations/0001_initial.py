"""The tables of subscriptions, of their periods and of what payers are told."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models

import payme.charges.django.fields


class Migration(migrations.Migration):
    """Make the tables."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Period",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "subscription",
                        "n",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("subscription", payme.charges.django.fields.ExactCharField(max_length=116)),
                ("n", models.IntegerField()),
                ("start", models.FloatField()),
                ("end", models.FloatField()),
                ("amount", models.BigIntegerField(verbose_name="amount, tiyin")),
                (
                    "state",
                    models.CharField(max_length=24),
                ),
                ("opened", models.FloatField()),
                ("retry_at", models.FloatField(null=True)),
                ("refusals", models.TextField()),
                ("code", models.IntegerField(null=True)),
                ("message", models.TextField(null=True)),
            ],
            options={
                "db_table": "payme_period",
                "ordering": ("subscription", "n"),
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "subscription",
                        "n",
                        "kind",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("subscription", payme.charges.django.fields.ExactCharField(max_length=116)),
                ("n", models.IntegerField()),
                (
                    "kind",
                    models.CharField(max_length=24),
                ),
                ("at", models.FloatField()),
                ("due", models.FloatField()),
                ("amount", models.BigIntegerField(verbose_name="amount, tiyin")),
                ("sent", models.FloatField(null=True)),
            ],
            options={
                "db_table": "payme_notice",
                "ordering": ("subscription", "n", "kind"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("sent__isnull", True)),
                        fields=["at"],
                        name="payme_notice_unsent",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    payme.charges.django.fields.ExactCharField(
                        max_length=116, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("trial", "trial"),
                            ("active", "active"),
                            ("retrying", "retrying"),
                            ("past_due", "past_due"),
                            ("paused", "paused"),
                            ("ending", "ending"),
                            ("parked", "parked"),
                            ("ended", "ended"),
                        ],
                        max_length=24,
                    ),
                ),
                ("rule", models.TextField()),
                ("terms", models.TextField()),
                ("next_n", models.IntegerField(verbose_name="next period")),
                ("debt", models.IntegerField(null=True, verbose_name="unpaid period")),
                ("told", models.IntegerField()),
                ("openings", models.TextField()),
                ("other_card", models.BooleanField()),
                ("approved", models.IntegerField()),
                ("ends_at", models.FloatField(null=True)),
                ("wakes", models.FloatField(null=True)),
                ("created", models.FloatField()),
                ("changed", models.FloatField()),
                ("version", models.IntegerField()),
                ("customer", payme.charges.django.fields.ExactCharField(max_length=128, null=True)),
                ("means", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "payme_subscription",
                "ordering": ("id",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("wakes__isnull", False)),
                        fields=["wakes"],
                        name="payme_subscription_wakes",
                    ),
                    models.Index(
                        condition=models.Q(("customer__isnull", False)),
                        fields=["customer"],
                        name="payme_subscription_customer",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("id", models.IntegerField(primary_key=True, serialize=False)),
                ("at", models.FloatField()),
            ],
            options={"db_table": "payme_mark"},
        ),
    ]
