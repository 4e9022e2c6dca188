"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from django.apps import AppConfig
from django.core import checks

from payme import django_words as words
from payme.django_display import later


class RecurringConfig(AppConfig):
    """The app: subscriptions with periods and notices, their admin, the command and the checks."""

    name = "payme.recurring.django"
    label = "payme_recurring"
    verbose_name = later(words.RECURRING_APP)

    def ready(self) -> None:
        """Register the checks, and let subscriptions hear of whatever drives a charge."""
        from payme.charges.django import configuration
        from payme.recurring.django.checks import check_apps, check_database
        from payme.recurring.django.driving import following

        checks.register(check_apps)
        checks.register(check_database, checks.Tags.database)
        configuration.followed_by(following)
