"""The form as a Django app: `pip install "payme-uz[django]"`.

    # settings.py
    INSTALLED_APPS = [..., "payme.card_form.django"]
    PAYME_CARD_FORM = {"cashbox": "587f72c72cac0d162c722ae2", "endpoint": "test"}

and in a template

    {% load payme_card_form %}{% payme_card_form save="always" %}

`PAYME_CARD_FORM` holds arguments of `payme.card_form.html` that templates need not repeat. The
script is a static file of the app: `collectstatic` finds it.
"""

try:
    import django  # noqa: F401 # pyright: ignore[reportUnusedImport]
except ImportError as missing:
    raise ImportError('this module needs Django: pip install "payme-uz[django]"') from missing
