"""The index by which the admin finds charges that need a person."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the index."""

    dependencies = [("payme_charges", "0002_card")]

    operations = [
        migrations.AddIndex(
            model_name="charge",
            index=models.Index(
                condition=models.Q(("due__isnull", True)),
                fields=["state"],
                name="payme_charge_attention",
            ),
        ),
    ]
