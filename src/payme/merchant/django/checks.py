"""What `manage.py check` says before Payme does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections, router

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
    ("payme.E009", configuration.telemetry),
)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the setting `PAYME`: a project with a blank key does not start."""
    try:
        given = configuration.section()
    except ConfigurationError as error:
        return [Error(str(error), id="payme.E001")]
    try:
        each = configuration.boxes(given).values()
    except ConfigurationError as error:
        return [Error(f"PAYME: {error}", id="payme.E007")]
    found = [_refused(code, read, one) for one in each for code, read in _READERS]
    errors = list(filter(None, found))
    return errors or _unmade()


def _unmade() -> list[CheckMessage]:
    """Make the endpoint, to see what no single setting shows: two cash-boxes with one key."""
    try:
        configuration.configured()
    except ConfigurationError as error:
        return [Error(f"PAYME: {error}", id="payme.E007")]
    return []


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
    if alias not in (databases or ()):
        return []
    if connection.vendor == "mysql" and not connection.features.supports_transactions:
        return [Error("PAYME: the tables need an engine with transactions", id="payme.E005")]
    return _unserved(alias)


def _unserved(alias: str) -> list[CheckMessage]:
    """Look for transactions of a cash-box that is not served: its orders could be paid again."""
    try:
        served = configuration.boxes(configuration.section())
    except ConfigurationError:
        return []  # `check_settings` says it.
    if set(served) == {""}:
        return []
    rows = Transaction.objects.using(alias).exclude(box__in=served)
    try:
        found = rows.values_list("box", flat=True).first()
    except DatabaseError:
        return []  # The tables are to be made or migrated yet.
    if found is None:
        return []
    text = (
        f"PAYME: there are transactions of the cash-box {found!r}, which is not served; "
        "DjangoStore.adopt names what was kept before cash-boxes had names"
    )
    return [Error(text, id="payme.E008")]
