"""The table of saved cards."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models

import payme.charges.django.fields


class Migration(migrations.Migration):
    """Make the table."""

    # `migrate --fake-initial` takes over the one that `SqlLedger` made.
    initial = True

    dependencies = [("payme_charges", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Card",
            fields=[
                (
                    "id",
                    payme.charges.django.fields.ExactCharField(
                        max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("customer", payme.charges.django.fields.ExactCharField(max_length=128)),
                ("identity", payme.charges.django.fields.ExactCharField(max_length=128)),
                ("fingerprint", models.CharField(max_length=64, unique=True)),
                ("number", models.CharField(max_length=32)),
                ("expire", models.CharField(max_length=32, verbose_name="expires")),
                ("recurrent", models.BooleanField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "ready"),
                            ("expired", "expired"),
                            ("unverified", "unverified"),
                            ("gone", "gone"),
                            ("removing", "removing"),
                        ],
                        max_length=16,
                    ),
                ),
                ("evidence", models.TextField(verbose_name="known from")),
                ("chosen", models.IntegerField(null=True)),
                ("created", models.FloatField()),
                ("changed", models.FloatField()),
                ("means", models.BinaryField()),
            ],
            options={
                "db_table": "payme_card",
                "verbose_name": "saved card",
                "ordering": ("customer", "id"),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "removing")),
                        fields=["id"],
                        name="payme_card_removing",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "identity"), name="payme_card_once"
                    ),
                ],
            },
        ),
    ]
