"""A column for ids."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Base = models.CharField[Any, Any]
else:
    Base = models.CharField


class ExactCharField(Base):
    """Text that is equal to itself alone.

    MySQL and MariaDB take `order-a` and `order-A` for the same unless told otherwise: the second
    charge would be the first, and nobody would pay the second order.
    """

    def db_parameters(self, connection: Any) -> Any:
        """Name the collation that compares bytes, where the usual one does not."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
