"""Run Django's commands: `python -m examples.shop_django.manage payme_charges run`.

The settings read `SHOP_DATABASE`, `PAYME_MERCHANT_ID`, `PAYME_KEY` and `PAYME_CHECKOUT_URL`.
"""

import os
import sys
from contextlib import suppress

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.shop_django.settings"
    with suppress(KeyboardInterrupt):
        execute_from_command_line(sys.argv)
