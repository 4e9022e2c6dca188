"""Run Django's commands: `python -m examples.club_django.manage club_run`."""

import os
import sys
from contextlib import suppress

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.club_django.settings"
    with suppress(KeyboardInterrupt):
        execute_from_command_line(sys.argv)
