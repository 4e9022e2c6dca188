"""The table of saved cards."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop_django", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SavedCard",
            fields=[
                ("customer", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("number", models.CharField(max_length=32)),
                ("token", models.BinaryField()),
            ],
        ),
    ]
