"""Parameters of SQL that hide themselves: without keys, what a charge is paid with is readable.

Django logs statements with their parameters while `DEBUG` is on, and so do debug toolbars and error
reporters. Inside of a ledger's transaction a sealed value travels as the word `<sealed>`, and
becomes itself where the driver takes it.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations

from payme.charges.vault import Sealed

if TYPE_CHECKING:
    Base = models.BinaryField[Any, Any]
else:
    Base = models.BinaryField

_SHOWN: Final = "<sealed>"


class _Hidden(str):
    """A parameter that shows nothing of itself."""

    __slots__ = ("sealed",)
    sealed: Sealed


class SealedField(Base):
    """A column for what a `Vault` seals."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        """Hide what is sealed, where `hiding_parameters` opens it again."""
        if isinstance(value, Sealed) and _opening in connection.execute_wrappers:
            hidden = _Hidden(_SHOWN)
            hidden.sealed = value
            return hidden
        return super().get_db_prep_value(value, connection, prepared)

    def deconstruct(self) -> Any:
        """Be an ordinary binary column for migrations."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs


@contextmanager
def hiding_parameters(connection: Any) -> Generator[None]:
    """Keep what is sealed out of whatever logs the statements of a connection."""
    if _opening in connection.execute_wrappers:
        yield
        return
    operations = connection.ops
    usual = operations.last_executed_query

    def last_executed_query(cursor: Any, sql: str, params: Any) -> Any:
        # The drivers remember the statement as it was sent; this is made of what was handed over.
        if _hides(params):
            return BaseDatabaseOperations.last_executed_query(operations, cursor, sql, params)
        return usual(cursor, sql, params)

    operations.last_executed_query = last_executed_query
    try:
        with connection.execute_wrapper(_opening):
            yield
    finally:
        del operations.last_executed_query


def _opening(
    execute: Callable[..., Any],
    sql: str,
    params: Any,
    many: bool,  # noqa: FBT001 - Django's signature
    context: dict[str, Any],
) -> Any:
    """Hand the driver what is hidden from everybody else."""
    if _hides(params):
        binary = context["connection"].Database.Binary
        params = [binary(one.sealed) if isinstance(one, _Hidden) else one for one in params]
    return execute(sql, params, many, context)


def _hides(params: Any) -> bool:
    if not isinstance(params, list | tuple):
        return False
    return any(isinstance(one, _Hidden) for one in cast("Sequence[Any]", params))
