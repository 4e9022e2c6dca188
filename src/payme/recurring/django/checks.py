"""What `manage.py check` says before a subscription does."""

from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import router

from payme.charges.django import configuration
from payme.charges.django.checks import missing_tables
from payme.charges.django.models import Charge
from payme.errors import ConfigurationError
from payme.recurring.django import migrations, models

_CHARGES: Final = "payme.charges.django"


def check_apps(**_: Any) -> list[CheckMessage]:
    """Check that there are charges, and that subscriptions lie beside them."""
    if not apps.is_installed(_CHARGES):
        return [
            Error(
                f"payme.recurring.django: INSTALLED_APPS has no {_CHARGES}",
                hint="A period is paid by a charge: list both.",
                id="payme_recurring.E001",
            )
        ]
    beside = _alias()
    alias = router.db_for_write(models.Subscription)
    if beside in (None, alias):
        return []
    return [
        Error(
            f"payme.recurring.django: charges are in the database {beside!r}, and the routers "
            f"name {alias!r} for subscriptions",
            hint="Both change in one transaction: let the routers send payme_recurring there, too.",
            id="payme_recurring.E002",
        )
    ]


def check_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the database that subscriptions are in, if it is one of those to be checked."""
    alias = _alias()
    if alias is None or alias not in (databases or ()):
        return []
    wanted = (models.Subscription, models.Period, models.Notice, models.Mark)
    missing = missing_tables(alias, wanted, migrations)
    if not missing:
        return []
    return [
        Caution(
            f"payme.recurring.django: the database {alias!r} has no table {', '.join(missing)}, "
            "and its migrations are recorded as applied",
            hint="Restore it, or look at manage.py showmigrations payme_recurring "
            f"--database {alias}",
            id="payme_recurring.W001",
        )
    ]


def _alias() -> str | None:
    """Return the alias of the charges' database; None if the settings don't tell."""
    try:
        given = configuration.database(configuration.section())
    except ConfigurationError:
        return None  # the checks of charges have the words for it
    return given or router.db_for_write(Charge)
