"""Whether Payme has taken money that the ledger does not know: it was restored from a backup.

A ledger that went back in time would open periods again that were paid since, and drive charges
again that were paid since. Payme remembers: each receipt of a period carries the id of its charge
in the description. So before anything is opened or driven, a process reads Payme's receipts since
the *mark*, a moment that the ledger holds up to which nothing was missing, and looks for each of
them in the ledger.

When it looks:

- once at its start, since a backup is restored while nothing runs;
- whenever the mark that it reads is older than the one that it saw before: then the ledger went
  back under it;
- after an error of the database, which may have been the restoration.

Otherwise the mark moves on by itself, once a minute, so that the next start has little to read.

What is no alarm:

- A receipt whose description carries no id of a period of a subscription that is in the ledger:
  it belongs to another system on the same cash-box. (A charge with another description can't be
  recognised either; the audit finds those.)
- An unpaid receipt: it is an orphan of a lost answer, or its charge is under way just now.
- What another process has opened and paid meanwhile. The ledger stores a receipt before its payment
  leaves. So it is read after Payme: what Payme shows as paid, it knew before.
"""

import re
from collections.abc import Generator
from typing import Any, Final, TypeVar

from payme.charges.audit.listing import SKEW
from payme.charges.core import Charge
from payme.errors import InvalidArgument, PaymeError
from payme.money import format_som
from payme.protocol import arguments, calls, flows
from payme.protocol.flows import Paginator, Session
from payme.protocol.models import Receipt
from payme.protocol.states import ReceiptState
from payme.recurring import ledger
from payme.recurring.core import Subscription, SubscriptionConflict
from payme.recurring.ledger import LedgerStep, LostReceipt

T = TypeVar("T")

MARKS: Final = 60.0
"""Seconds after which a process that runs moves the mark on."""

_MOST: Final = 1000
_ID: Final = re.compile(r"[^\s:]+:(0|[1-9][0-9]{0,8})")
_TAKES_NOTHING: Final = frozenset({ReceiptState.CREATED, ReceiptState.CANCELLED})

Flow = Generator[Any, Any, T]


class LedgerBehind(PaymeError):
    """Payme has taken money for periods that the ledger does not know; nothing is opened.

    It was restored from a backup, or another copy of it takes money, too. `payme recurring adopt`
    takes the receipts into the ledger; then go on.

    Attributes:
        receipts: The receipts, in the order of their creation; at most 1,000 of them.
    """

    receipts: tuple[LostReceipt, ...]

    def __init__(self, receipts: tuple[LostReceipt, ...]) -> None:
        first = receipts[0]
        count = f"{len(receipts)}{' or more' if len(receipts) >= _MOST else ''}"
        super().__init__(
            f"the ledger is behind: Payme shows {count} receipts of periods that it does not know, "
            f"such as {first.receipt_id} of {first.charge_id} ({format_som(first.amount)} soʻm, "
            f"{first.state.name}). Was it restored from a backup? Nothing is opened or driven "
            "until they are in it: see them with `payme recurring check`, take them in with "
            "`payme recurring adopt --all`, and compare with `payme charges audit`"
        )
        self.receipts = receipts


class Watch:
    """What a process remembers of the mark."""

    def __init__(self) -> None:
        self.seen: float | None = None

    def forget(self) -> None:
        """Look again before anything else is opened."""
        self.seen = None


def watching(watch: Watch, session: Session, now: float) -> Flow[None]:
    """Look at Payme's receipts, if there is a reason to.

    Raises:
        LedgerBehind: The ledger does not know some of them.
    """
    mark = yield LedgerStep(ledger.mark, ())
    if watch.seen is None or mark is None or mark < watch.seen:
        yield from checking(session, now)
        mark = yield from _moved(mark, now)
    elif now - mark >= MARKS:
        mark = yield from _moved(mark, now)
    watch.seen = mark


def _moved(mark: float | None, now: float) -> Flow[float]:
    """Move the mark on; one that is far ahead is the mistake of a clock."""
    moved = now if mark is None or mark > now + SKEW else max(mark, now)
    yield LedgerStep(ledger.move_mark, (moved,))
    return moved


def dismissing(session: Session, now: float, dismiss: object) -> Flow[None]:
    """Look, unless a person says that what is found is of another ledger."""
    if arguments.flag("dismiss", dismiss):
        # What was created until now lies before it, whatever Payme's clock shows.
        yield LedgerStep(ledger.move_mark, (now + SKEW,))
    else:
        yield from checking(session, now)


def checking(session: Session, now: float) -> Flow[None]:
    """Look for Payme's receipts since the mark in the ledger.

    Raises:
        LedgerBehind: It does not know some of them.
    """
    since = yield LedgerStep(ledger.watched_since, ())
    if since is None:
        return
    lost: list[LostReceipt] = []
    pages = Paginator(_millis(min(since, now + SKEW) - SKEW), _millis(now + SKEW))
    while not pages.done and len(lost) < _MOST:
        page = pages.accept((yield from flows.start(pages.next_call(), session)))
        carried = [found for found in map(read_receipt, page) if found is not None]
        if carried:
            # The ledger comes second: what is paid by now, it knew before.
            lost += yield LedgerStep(ledger.find_lost, (carried,))
    if lost:
        raise LedgerBehind(tuple(sorted(lost, key=lambda one: one.created)))


def read_receipt(receipt: Receipt) -> LostReceipt | None:
    """Read which period a receipt was for; None if it tells of none, or nothing was taken."""
    charge_id = carried_id(receipt.description)
    returned = receipt.state == ReceiptState.CANCELLED and bool(receipt.pay_time)
    if charge_id is None or (receipt.state in _TAKES_NOTHING and not returned):
        return None
    created = receipt.create_time / 1000
    return LostReceipt(receipt.id, charge_id, receipt.amount, receipt.state, created)


def carried_id(description: str | None) -> str | None:
    """Return the id of a period's charge that a receipt's description ends with."""
    text = description or ""
    if text.endswith(")"):
        text = text[text.rfind(" (") + 2 : -1]
    return text if _ID.fullmatch(text) else None


def adopting(session: Session, receipt_id: object, now: float) -> Flow[Subscription]:
    """Take a receipt into the ledger.

    Raises:
        InvalidArgument: It was not for a period.
        SubscriptionConflict: The period's charge has another receipt that may take money.
    """
    asked_for = arguments.receipt_id(receipt_id)
    receipt: Receipt = yield from flows.start(calls.receipts_get(asked_for), session)
    found = read_receipt(receipt)
    if found is None:
        expected = "a receipt that took money, and whose description ends with a period's id"
        raise InvalidArgument("receipt_id", asked_for, expected)
    charge: Charge | None = yield LedgerStep(ledger.charge, (found.charge_id,))
    if charge is not None and charge.receipt_id not in (None, found.receipt_id):
        yield from _require_cancelled(session, charge)
    adopted: Subscription = yield LedgerStep(ledger.adopt, (found, charge, now))
    return adopted


def _require_cancelled(session: Session, charge: Charge) -> Flow[None]:
    """See that the receipt that a charge has can take no money any more."""
    other: Receipt = yield from flows.start(calls.receipts_get(str(charge.receipt_id)), session)
    if other.state != ReceiptState.CANCELLED:
        raise SubscriptionConflict(
            f"charge {charge.id!r} has another receipt, {other.id}, which is {other.state.name}: "
            f"cancel one of the two with Payme (a paid one is refunded), then look again"
        )


def _millis(moment: float) -> int:
    return int(max(moment, 0.0) * 1000)
