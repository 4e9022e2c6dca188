"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed


class PaymeConfig(AppConfig):
    """The app: transactions, their admin, the endpoint and the checks of its settings."""

    name = "payme.merchant.django"
    label = "payme"
    verbose_name = "Payme"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks."""
        from payme.merchant.django.checks import check_database, check_settings

        checks.register(check_settings)
        checks.register(check_database, checks.Tags.database)
        setting_changed.connect(_forget)


def _forget(*, setting: str, **_: Any) -> None:
    """Drop the endpoint when a test overrides the setting that it was made from."""
    if setting == "PAYME":
        from payme.merchant.django.configuration import configured

        configured.cache_clear()
