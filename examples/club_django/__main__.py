"""Start the club: `python -m examples.club_django --port 8000`.

Its settings are read from the environment, see `examples.club.settings`.

What is due is done by another process beside it: `python -m examples.club_django.manage club_run`.
"""

import argparse
import os

from django.core.management import execute_from_command_line


def main() -> None:
    """Make the tables, and serve."""
    parser = argparse.ArgumentParser(prog="python -m examples.club_django")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.club_django.settings"
    execute_from_command_line(["club", "check"])
    execute_from_command_line(["club", "migrate", "--verbosity=0", "--skip-checks"])
    execute_from_command_line(["club", "runserver", "--noreload", f"127.0.0.1:{options.port}"])


if __name__ == "__main__":
    main()
