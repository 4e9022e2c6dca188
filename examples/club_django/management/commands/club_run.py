"""`manage.py club_run`: take what is due, finish what a crash left, deliver messages."""

import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from examples.club_django.clubs import club


class Command(BaseCommand):
    """Runs beside the server; any number of them may run at once."""

    help = "Take what is due, finish what a crash left, and deliver messages."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run until told to stop, and finish what is under way."""
        stop = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        club().run(stop)
