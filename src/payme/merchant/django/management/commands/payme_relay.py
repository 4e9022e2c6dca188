"""`manage.py payme_relay`: run the jobs of the outbox."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from payme.merchant.outbox import Jobs


class Command(BaseCommand):
    """Runs what is due once, or again and again; says what it did."""

    help = "Run the jobs that hooks stored with their payments."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where the outbox is, and how often it is asked."""
        parser.add_argument(
            "outbox", help="dotted path of the outbox, such as shop.payments.outbox"
        )
        parser.add_argument(
            "--every", type=float, help="go on, and look every so many seconds, until stopped"
        )

    def handle(self, *_: Any, outbox: str, every: float | None = None, **__: Any) -> None:
        """Relay."""
        try:
            loaded: Any = import_string(outbox)
        except ImportError as error:
            raise CommandError(f"{outbox} can't be imported: {error}") from error
        if not isinstance(loaded, Jobs):
            raise CommandError(f"{outbox} is {type(loaded).__name__}, expected a DjangoOutbox")
        if every is not None and not 0 < every < 1e6:
            raise CommandError(f"--every: got {every:g}, expected a positive number of seconds")
        relay: Any = getattr(loaded, "relay")  # noqa: B009 - each kind of outbox has its own
        while True:
            done = relay()
            if every is None or done.done or done.failed:
                self.stdout.write(f"done {done.done}, failed {done.failed}")
            if every is None:
                break
            time.sleep(every)
        if done.failed:
            raise CommandError("not all were run; see the log of payme.merchant")
