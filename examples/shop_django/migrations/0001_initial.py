"""The table of orders."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("state", models.CharField(default="waiting", max_length=16)),
                ("paid_events", models.IntegerField(default=0)),
                ("cancelled_events", models.IntegerField(default=0)),
            ],
        ),
    ]
