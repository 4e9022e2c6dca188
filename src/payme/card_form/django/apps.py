"""What Django loads when the app is listed in `INSTALLED_APPS`."""

from pathlib import Path

from django.apps import AppConfig


class CardFormConfig(AppConfig):
    """The app: a static file and a template tag."""

    name = "payme.card_form.django"
    label = "payme_card_form"
    verbose_name = "Payme card form"
    # Django looks for `static` here, and for `templatetags` beside this module.
    path = str(Path(__file__).parents[1])
