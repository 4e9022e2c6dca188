"""An index of what waits, which is little beside all that was paid: a sweep looks for nothing else.

It is not in `Meta` of the model: MariaDB and MySQL know no partial index, so that Django would warn
of it at each `migrate` there, and make one of every row. SQLite loses it when a later migration
writes the table anew, which has to call `make` again.
"""

# ruff: noqa: RUF012 - as Django writes it

from typing import Any

from django.db import migrations, models

_INDEX = models.Index(
    fields=["time", "payme_id"], name="payme_transaction_waiting", condition=models.Q(state=1)
)


def make(apps: Any, schema_editor: Any) -> None:
    """Make the index where the database can."""
    if schema_editor.connection.features.supports_partial_indexes:
        schema_editor.add_index(apps.get_model("payme", "Transaction"), _INDEX)


def drop(apps: Any, schema_editor: Any) -> None:
    """Drop the index where there is one."""
    if schema_editor.connection.features.supports_partial_indexes:
        schema_editor.remove_index(apps.get_model("payme", "Transaction"), _INDEX)


class Migration(migrations.Migration):
    """Index what waits."""

    dependencies = [("payme", "0002_cash_boxes")]

    operations = [migrations.RunPython(make, drop)]
