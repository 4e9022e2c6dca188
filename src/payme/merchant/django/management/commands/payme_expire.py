"""`manage.py payme_expire`: cancel what was never performed within twelve hours."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payme.errors import ConfigurationError
from payme.merchant.django.configuration import configured


class Command(BaseCommand):
    """Runs the sweep once, and says what it did; for cron."""

    help = "Cancel transactions that Payme created and did not perform within twelve hours."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the sweep."""
        try:
            done = configured().expire()
        except ConfigurationError as error:
            raise CommandError(f"PAYME: {error}") from error
        self.stdout.write(f"found {done.found}, expired {done.expired}, failed {done.failed}")
        if done.failed:
            raise CommandError("not all were cancelled; see the log of payme.merchant")
