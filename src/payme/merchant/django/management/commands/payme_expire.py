"""`manage.py payme_expire`: cancel what was never performed within twelve hours."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from payme.cli.words import EXPIRE, counted, tell
from payme.errors import ConfigurationError
from payme.merchant.django.configuration import configured


class Command(BaseCommand):
    """Runs the sweep once, and says what it did; for cron."""

    help = tell(*EXPIRE)

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the sweep."""
        try:
            done = configured().expire()
        except ConfigurationError as error:
            raise CommandError(f"PAYME: {error}") from error
        numbers = {"found": done.found, "expired": done.expired, "failed": done.failed}
        self.stdout.write(counted(numbers))
        if done.failed:
            raise CommandError(
                tell(
                    "hammasi ham bekor qilinmadi; payme.merchant logiga qarang",
                    "отменены не все; см. лог payme.merchant",
                    "not all were cancelled; see the log of payme.merchant",
                )
            )
