"""Start the shop: `python -m examples.shop_django --port 8000 --key KEY`."""

import os

import django
from django.core.management import call_command

from examples.options import read_options


def main() -> None:
    """Hand the options to the settings, make the tables, and serve."""
    options = read_options("examples.shop_django")
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.shop_django.settings"
    os.environ["SHOP_DATABASE"] = options.database
    os.environ["PAYME_KEY"] = options.key
    os.environ["PAYME_MERCHANT_ID"] = options.merchant_id
    os.environ["PAYME_CHECKOUT_URL"] = options.checkout_url or ""
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("runserver", f"127.0.0.1:{options.port}", use_reloader=False)


if __name__ == "__main__":
    main()
