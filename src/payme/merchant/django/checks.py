"""What `manage.py check` says before Payme does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import connections, router

from payme.errors import ConfigurationError
from payme.merchant.django import configuration
from payme.merchant.django.models import Transaction

Reader = Callable[[Mapping[str, Any]], object]

_READERS: Sequence[tuple[str, Reader]] = (
    ("payme.E002", configuration.keys),
    ("payme.E003", configuration.orders),
    ("payme.E004", configuration.allow_list),
    ("payme.E006", configuration.refund_missing),
    ("payme.E007", configuration.limits),
    ("payme.E008", configuration.telemetry),
)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the setting `PAYME`: a project with a blank key does not start."""
    try:
        given = configuration.section()
    except ConfigurationError as error:
        return [Error(str(error), id="payme.E001")]
    found = (_refused(code, read, given) for code, read in _READERS)
    return [error for error in found if error is not None]


def _refused(code: str, read: Reader, given: Mapping[str, Any]) -> CheckMessage | None:
    try:
        read(given)
    except ConfigurationError as error:
        return Error(f"PAYME: {error}", id=code)
    return None


def check_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check that what is stored can be taken back; asked only where it may be otherwise."""
    alias = router.db_for_write(Transaction)
    connection = connections[alias]
    if alias not in (databases or ()) or connection.vendor != "mysql":
        return []
    if connection.features.supports_transactions:
        return []
    return [Error("PAYME: the tables need an engine with transactions", id="payme.E005")]
