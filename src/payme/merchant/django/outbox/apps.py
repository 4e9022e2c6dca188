"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from django.apps import AppConfig

from payme import django_words as words
from payme.django_display import later


class OutboxConfig(AppConfig):
    """The app: jobs that are stored with a payment."""

    name = "payme.merchant.django.outbox"
    label = "payme_outbox"
    verbose_name = later(words.OUTBOX_APP)
    default_auto_field = "django.db.models.BigAutoField"
