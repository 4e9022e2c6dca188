"""The table of jobs."""

# ruff: noqa: RUF012 - as Django writes it

from django.db import migrations, models


class Migration(migrations.Migration):
    """Make the table."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OutboxJob",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("arguments", models.TextField()),
                ("due", models.BigIntegerField()),
                ("attempts", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "payme_outbox",
                "indexes": [models.Index(fields=["due", "id"], name="payme_outbox_due")],
            },
        ),
    ]
