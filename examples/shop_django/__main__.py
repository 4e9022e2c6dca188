"""Start the shop: `PAYME_KEY=… python -m examples.shop_django --port 8000`."""

import os

from django.core.management import execute_from_command_line

from examples.options import read_options


def main() -> None:
    """Hand the options to the settings, make the tables, and serve."""
    options = read_options("examples.shop_django")
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.shop_django.settings"
    os.environ["SHOP_DATABASE"] = options.database
    os.environ["PAYME_KEY"] = options.key
    os.environ["PAYME_MERCHANT_ID"] = options.merchant_id
    os.environ["PAYME_CHECKOUT_URL"] = options.checkout_url or ""
    execute_from_command_line(["shop", "migrate", "--verbosity=0"])
    execute_from_command_line(["shop", "runserver", "--noreload", f"127.0.0.1:{options.port}"])


if __name__ == "__main__":
    main()
