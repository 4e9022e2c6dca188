"""A column for what Payme sent."""

import json
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Base = models.TextField[Any, Any]
else:
    Base = models.TextField


class ExactJSONField(Base):
    """JSON that comes back as it was sent.

    `JSONField` is `jsonb` on PostgreSQL, which refuses a NUL inside of a string. A payer may write
    one, and it is compared with what Payme repeats.
    """

    def get_prep_value(self, value: Any) -> str:
        """Write a value for the database."""
        return json.dumps(value, ensure_ascii=False)

    def from_db_value(self, value: str | None, *_: object) -> Any:
        """Read a value from the database."""
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        """Read a value that was serialized, as by `dumpdata`."""
        return json.loads(value) if isinstance(value, str) else value

    def value_to_string(self, obj: models.Model) -> str:
        """Write a value for a serializer."""
        return self.get_prep_value(self.value_from_object(obj))
