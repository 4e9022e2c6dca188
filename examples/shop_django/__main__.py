"""Start the shop: `PAYME_KEY=… python -m examples.shop_django --port 8000`.

What a deadline, a crash or an outage left of a charge is finished by another process beside it:
`python -m examples.shop_django.manage payme_charges run`.
"""

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
    execute_from_command_line(["shop", "check"])
    # Checked once more with the database, it would be told that the tables are missing.
    execute_from_command_line(["shop", "migrate", "--verbosity=0", "--skip-checks"])
    from examples.shop_django.cards import save_card  # which needs the settings

    save_card()
    execute_from_command_line(["shop", "runserver", "--noreload", f"127.0.0.1:{options.port}"])


if __name__ == "__main__":
    main()
