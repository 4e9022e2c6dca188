"""`manage.py payme_relay`: run the jobs of the outbox."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from payme.cli import spans
from payme.cli.words import EVERY, RELAY, counted, tell
from payme.merchant.outbox import Jobs


class Command(BaseCommand):
    """Runs what is due once, or again and again; says what it did."""

    help = tell(*RELAY)

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where the outbox is, and how often it is asked."""
        parser.add_argument(
            "outbox",
            help=tell(
                "outboxning nuqtali yoʻli, masalan shop.payments.outbox",
                "путь к outbox через точки, например shop.payments.outbox",
                "dotted path of the outbox, such as shop.payments.outbox",
            ),
        )
        parser.add_argument(
            "--every",
            metavar="DURATION",
            help=tell(*EVERY),
        )

    def handle(self, *_: Any, outbox: str, every: str | None = None, **__: Any) -> None:
        """Relay."""
        try:
            pause = None if every is None else spans.seconds(str(every))
        except ValueError as error:
            raise CommandError(f"--every: {error}") from None
        try:
            loaded: Any = import_string(outbox)
        except ImportError as error:
            raise CommandError(
                tell(
                    f"{outbox} ni import qilib boʻlmadi: {error}",
                    f"{outbox} не импортируется: {error}",
                    f"{outbox} can't be imported: {error}",
                )
            ) from error
        if not isinstance(loaded, Jobs):
            kind = type(loaded).__name__
            raise CommandError(
                tell(
                    f"{outbox}: {kind} topildi, DjangoOutbox kutilgan",
                    f"{outbox}: найдено {kind}, ожидался DjangoOutbox",
                    f"{outbox} is {kind}, expected a DjangoOutbox",
                )
            )
        relay: Any = getattr(loaded, "relay")  # noqa: B009 - each kind of outbox has its own
        while True:
            done = relay()
            if pause is None or done.done or done.failed:
                self.stdout.write(counted({"done": done.done, "failed": done.failed}))
            if pause is None:
                break
            time.sleep(pause)
        if done.failed:
            raise CommandError(
                tell(
                    "hammasi ham bajarilmadi; payme.merchant logiga qarang",
                    "выполнены не все; см. лог payme.merchant",
                    "not all were run; see the log of payme.merchant",
                )
            )
