"""What `manage.py check` says before Payme does."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import DatabaseError, connections, router
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from payme.charges.django import configuration, migrations, models
from payme.errors import ConfigurationError

Reader = Callable[[Mapping[str, Any]], object]


def _client(given: Mapping[str, Any]) -> None:
    configuration.client(given).close()


_READERS: Sequence[tuple[str, Reader, str]] = (
    (
        "payme_charges.E002",
        _client,
        "Give MERCHANT_ID, KEY and ENVIRONMENT, or set the variables PAYME_MERCHANT_ID and so on.",
    ),
    (
        "payme_charges.E003",
        configuration.ledger_keys,
        "cryptography.fernet.Fernet.generate_key() makes one.",
    ),
    (
        "payme_charges.E004",
        configuration.changed,
        "CHANGED is the dotted path of a function: def changed(charge): ...",
    ),
    (
        "payme_charges.E005",
        configuration.database,
        "Leave it out to use the database that the routers name.",
    ),
    (
        "payme_charges.E006",
        configuration.policy,
        "POLICY has members of payme.charges.Policy, positive numbers.",
    ),
)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check the setting `PAYME_CHARGES`: a project that can't charge does not start."""
    try:
        given = configuration.section()
    except ConfigurationError as error:
        hint = "The keys are described in payme.charges.django.configuration."
        return [Error(str(error), hint=hint, id="payme_charges.E001")]
    found = [_refused(given, *reader) for reader in _READERS]
    errors: list[CheckMessage] = [error for error in found if error is not None]
    known = {error.id for error in errors}
    if "payme_charges.E003" not in known and not configuration.ledger_keys(given):
        errors.append(
            Caution(
                "PAYME_CHARGES: card tokens are stored unencrypted",
                hint="Give LEDGER_KEYS: cryptography.fernet.Fernet.generate_key() makes one.",
                id="payme_charges.W001",
            )
        )
    return errors


def _refused(given: Mapping[str, Any], code: str, read: Reader, hint: str) -> CheckMessage | None:
    try:
        read(given)
    except ConfigurationError as error:
        return Error(f"PAYME_CHARGES: {error}", hint=hint, id=code)
    return None


def check_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the database that charges are in, if it is one of those to be checked."""
    try:
        alias = configuration.database(configuration.section())
    except ConfigurationError:
        return []  # `check_settings` has the words for it
    alias = alias or router.db_for_write(models.Charge)
    if alias not in (databases or ()):
        return []
    found = (_transactions(alias), _immediate(alias), _tables(alias))
    return [message for message in found if message is not None]


def _transactions(alias: str) -> CheckMessage | None:
    connection = connections[alias]
    if connection.vendor != "mysql" or connection.features.supports_transactions:
        return None
    return Error(
        "PAYME_CHARGES: the tables need an engine with transactions",
        hint="InnoDB is one.",
        id="payme_charges.E007",
    )


def _immediate(alias: str) -> CheckMessage | None:
    if connections[alias].vendor != "sqlite":
        return None
    options: Mapping[str, Any] = settings.DATABASES[alias].get("OPTIONS") or {}
    if str(options.get("transaction_mode", "")).upper() in ("IMMEDIATE", "EXCLUSIVE"):
        return None
    return Caution(
        "PAYME_CHARGES: with SQLite, a transaction.atomic that reads before it calls submit() "
        "fails with `database is locked` when `payme_charges run` writes meanwhile",
        hint=f'DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}',
        id="payme_charges.W002",
    )


def _tables(alias: str) -> CheckMessage | None:
    wanted = (models.Charge, models.ChargeEvent, models.Card)
    missing = missing_tables(alias, wanted, migrations)
    if not missing:
        return None
    return Caution(
        f"PAYME_CHARGES: the database {alias!r} has no table {', '.join(missing)}, and "
        "its migrations are recorded as applied",
        hint=f"Restore it, or look at manage.py showmigrations payme_charges --database {alias}",
        id="payme_charges.W003",
    )


def missing_tables(
    alias: str, wanted: Iterable[type[Model]], migrations: ModuleType
) -> Sequence[str]:
    """Return the tables that the migrations of an app have made, and that are not there.

    Where one waits to be applied nothing is missing: Django tells of those, and `migrate` runs the
    checks before it makes a table.

    Args:
        alias: Alias of the database.
        wanted: The models of the app.
        migrations: The package of its migrations.
    """
    connection = connections[alias]
    names = {(model._meta.app_label, model._meta.db_table) for model in wanted}
    try:
        missing = {table for _, table in names} - {*connection.introspection.table_names()}
        recorded = [*MigrationRecorder(connection).applied_migrations()] if missing else []
    except DatabaseError:
        return ()  # Django says that the database can't be reached
    made = {
        (label, one.name) for one in pkgutil.iter_modules(migrations.__path__) for label, _ in names
    }
    return sorted(missing) if made <= {*recorded} else ()
