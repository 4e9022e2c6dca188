"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import setting_changed

from payme import django_words as words
from payme.django_display import later


class ChargesConfig(AppConfig):
    """The app: charges, their events and admin, the command and the checks of its settings."""

    name = "payme.charges.django"
    label = "payme_charges"
    verbose_name = later(words.CHARGES_APP)

    def ready(self) -> None:
        """Register the checks."""
        from payme.charges.django.checks import check_database, check_settings

        checks.register(check_settings)
        checks.register(check_database, checks.Tags.database)
        setting_changed.connect(_forget)


def _forget(*, setting: str, **_: Any) -> None:
    """Drop the charges when a test overrides the setting that they were made from."""
    if setting == "PAYME_CHARGES":
        from payme.charges.django.configuration import forget

        forget()
