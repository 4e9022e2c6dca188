"""`manage.py payme_relay`: run the jobs of the outbox."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from payme.cli.words import counted, tell
from payme.merchant.outbox import Jobs


class Command(BaseCommand):
    """Runs what is due once, or again and again; says what it did."""

    help = tell(
        "Hooklar toʻlovlar bilan birga yozib qoʻygan ishlarni bajarish.",
        "Выполнить задания, которые хуки записали вместе с платежами.",
        "Run the jobs that hooks stored with their payments.",
    )

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
            type=float,
            help=tell(
                "toʻxtatilguncha har shuncha soniyada qarash",
                "не завершаться и смотреть каждые столько секунд, пока не остановят",
                "go on, and look every so many seconds, until stopped",
            ),
        )

    def handle(self, *_: Any, outbox: str, every: float | None = None, **__: Any) -> None:
        """Relay."""
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
        if every is not None and not 0 < every < 1e6:
            raise CommandError(
                tell(
                    f"--every: {every:g} berilgan, musbat soniyalar soni kutilgan",
                    f"--every: указано {every:g}, ожидалось положительное число секунд",
                    f"--every: got {every:g}, expected a positive number of seconds",
                )
            )
        relay: Any = getattr(loaded, "relay")  # noqa: B009 - each kind of outbox has its own
        while True:
            done = relay()
            if every is None or done.done or done.failed:
                self.stdout.write(counted({"done": done.done, "failed": done.failed}))
            if every is None:
                break
            time.sleep(every)
        if done.failed:
            raise CommandError(
                tell(
                    "hammasi ham bajarilmadi; payme.merchant logiga qarang",
                    "выполнены не все; см. лог payme.merchant",
                    "not all were run; see the log of payme.merchant",
                )
            )
