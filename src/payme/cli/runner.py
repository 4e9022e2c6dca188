"""`payme charges run`: the embedded runner, with signals, a bar and a summary.

Charges are driven by threads: on 200 charges against an API that answers after 50 ms they need
less time and half of the processor's that asyncio needs on SQLite, whose driver for asyncio is
threads, too; and PostgreSQL needs no second driver.
"""

import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import click

from payme.charges import Charge, Charges
from payme.cli.books import Books
from payme.cli.words import tell
from payme.client import Payme
from payme.errors import AccessDenied, ConfigurationError, NotSent, OutcomeUnknown


class Tally:
    """What became of the charges of one run."""

    def __init__(self) -> None:
        self.driven = 0
        self.attention = 0
        self.stopped = False
        self._ends: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, charge: Charge) -> None:
        """Count a proven change, or a charge that a person must look at."""
        with self._lock:
            self.attention += charge.needs_attention
            if charge.rests:
                self._ends[charge.state.value] += 1

    def json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "driven": self.driven,
            "ended": dict(self._ends),
            "attention": self.attention,
            "stopped": self.stopped,
        }

    def text(self, program: str) -> str:
        """Write it for a person.

        Args:
            program: What lists charges, such as `payme charges`.
        """
        ends = ", ".join(f"{number} {state}" for state, number in sorted(self._ends.items()))
        stopped = tell("toʻxtatildi", "остановлено", "stopped")
        nothing = tell("qiladigan ish yoʻq", "делать нечего", "nothing to do")
        lines = [f"{f'{stopped}: ' if self.stopped else ''}{ends or nothing}"]
        if self.attention:
            needed = tell(
                f"{self.attention} tasini odam koʻrishi kerak",
                f"нужен человек: {self.attention}",
                f"{self.attention} need a person",
            )
            lines.append(f"{needed}: {program} list --attention")
        return "\n".join(lines)


def check_key(payme: Payme) -> None:
    """See that Payme takes the key: with a wrong one every charge would wait in silence.

    Raises:
        click.ClickException: It does not, or there is none.
    """
    end = datetime.now(UTC)
    try:
        payme.receipts.get_all(1, end - timedelta(seconds=1), end)
    except ConfigurationError:
        raise
    except AccessDenied:
        raise click.ClickException(
            tell(
                "Payme bu manzilda kassaning id va kalitini qabul qilmadi; pul yechilmadi",
                "Payme не принимает ID и ключ кассы на этом сервере; ничего не списано",
                "Payme refuses the id and the key of the cash-box at this address; nothing was "
                "charged",
            )
        ) from None
    except (NotSent, OutcomeUnknown):
        pass  # an outage is waited for


def run(
    charges: Charges, books: Books, in_flight: int, per_second: float | None, *, drain: bool
) -> Tally:
    """Drive charges until there are none left, or a signal comes.

    Args:
        charges: What drives them.
        books: The ledger.
        in_flight: How many charges at once.
        per_second: How many are begun in a second at most.
        drain: End when nothing is left to do.
    """
    tally = Tally()
    stop = stopped_by_signals()
    with _progress(books, drain=drain) as advance:

        def seen(charge: Charge) -> None:
            tally.count(charge)
            advance(1)

        books.seen = seen
        tally.driven = charges.run(
            in_flight=in_flight, per_second=per_second, drain=drain, stop=stop
        )
    tally.stopped = stop.is_set()
    return tally


def _progress(books: Books, *, drain: bool) -> AbstractContextManager[Callable[[int], None]]:
    if not drain or not sys.stderr.isatty():
        return nullcontext(lambda _count: None)
    from payme.cli.bars import bar

    return bar(tell("Pul yechilmoqda", "Списание", "Charging"), books.waiting())


def stopped_by_signals() -> threading.Event:
    """Turn the first SIGTERM or Ctrl-C into an event; a second one does what it always does."""
    stop = threading.Event()

    def begin_to_stop(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    # CliRunner and other programs may call this from a thread, which can't hear signals.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, begin_to_stop)
    return stop
