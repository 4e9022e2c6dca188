"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The app: jobs that are stored with a payment."""

    name = "payme.merchant.django.outbox"
    label = "payme_outbox"
    verbose_name = "Payme outbox"
    default_auto_field = "django.db.models.BigAutoField"
