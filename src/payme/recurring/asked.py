"""What a merchant asks of subscriptions: checked, and turned into functions of the core's."""

import logging
from collections.abc import Generator, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from payme import exact, money
from payme.charges import orders
from payme.charges.vault import Vault
from payme.errors import InvalidArgument, NotSent, OutcomeUnknown
from payme.protocol import arguments
from payme.protocol.flows import Session
from payme.recurring import core, ledger
from payme.recurring.behind import Watch, watching
from payme.recurring.calendar import Wall
from payme.recurring.core import Change, Period, Subscription
from payme.recurring.ledger import Act, LedgerStep
from payme.recurring.rows import Source
from payme.recurring.rule import check_day, check_every, check_id, check_rule, check_timezone

_LOG: Final = logging.getLogger("payme.recurring")

LOOK_AGAIN: Final = 1.0
"""Seconds between two ticks of a runner."""

OUTAGE: Final = 15.0
"""Seconds until a runner asks Payme again that could not be reached."""

UNREACHABLE: Final = (NotSent, OutcomeUnknown)
"""What a runner waits for the end of."""


def unreachable(error: Exception) -> None:
    """Note that a tick has to wait, since it must first be known whether the ledger is behind."""
    _LOG.warning("Payme can't be asked whether the ledger is behind, nothing is opened: %s", error)


PAGE: Final = 500
"""How many subscriptions one transaction of a tick holds."""


def source(order: orders.Order, vault: Vault) -> Source:
    """Return what a subscription is paid with.

    Args:
        order: As `orders.other_card` checked it; here no frame holds the token any more.
        vault: Seals it.

    Raises:
        InvalidArgument: There is no such card, or not exactly one was given.
    """
    order.require()
    means = None if order.means is None else vault.seal(order.means)
    return Source(means, order.customer)


def creation(
    now: float,
    subscription_id: str,
    amount: int,
    account: Mapping[str, str | int],
    customer: str | None,
    options: Mapping[str, Any],
) -> Change:
    """Check what a subscription is created with.

    Args:
        now: Seconds since 1970.
        subscription_id: Its id.
        amount: Amount in tiyin.
        account: Fields of the cash-box.
        customer: Whose default card pays; None if it has a card of its own.
        options: All options of `Recurring.create`.

    Raises:
        InvalidArgument: Names the argument.
    """
    known_as = check_id(subscription_id)
    zone = check_timezone(options["timezone"])
    today = Wall(options["at"], zone).day(now)
    rule, terms = check_rule(today, amount, account, **{**options, "timezone": zone})
    return core.create(known_as, rule, terms, now, customer)


def change(amount: object, every: object, anchor: object) -> Act:
    """Check what is to be changed."""
    if amount is None and every is None and anchor is None:
        raise InvalidArgument("amount", None, "a change: amount, every or anchor")
    return partial(
        _change,
        amount=None if amount is None else money.tiyin(amount),
        every=None if every is None else check_every(every),
        anchor=None if anchor is None else check_day("anchor", anchor),
    )


def _change(
    subscription: Subscription,
    debt: Period | None,
    now: float,
    *,
    amount: int | None,
    every: Any,
    anchor: date | None,
) -> Change:
    return core.change(subscription, debt, now, amount=amount, every=every, anchor=anchor)


def pause() -> Act:
    """Ask for a pause."""
    return core.pause


def resume(restart: object) -> Act:
    """Ask to go on."""
    return partial(core.resume, restart=arguments.flag("restart", restart))


def cancel(at_period_end: object, collect_open: object) -> Act:
    """Ask for an end."""
    return partial(
        core.cancel,
        at_period_end=arguments.flag("at_period_end", at_period_end),
        collect_open=arguments.flag("collect_open", collect_open),
    )


def retry() -> Act:
    """Ask for another attempt."""
    return core.retry


def use_card(customer: str | None) -> Act:
    """Ask for another card."""
    return partial(core.use_card, customer=customer)


def limit(given: object) -> int:
    """Check how many notices to read."""
    return orders.check_limit(given)


def moment(given: object) -> float:
    """Check a moment: seconds since 1970."""
    if isinstance(given, int | float) and not isinstance(given, bool) and 1e9 <= given < 1e11:
        return float(given)
    raise InvalidArgument("now", exact.shown(given), "seconds since 1970, after 2001")


def ticking(watch: Watch, session: Session, clock: float, now: float) -> Generator[Any, Any, int]:
    """See that the ledger is not behind, and do what is due.

    Args:
        watch: What the process remembers.
        session: Who asks Payme.
        clock: The present, in seconds since 1970.
        now: Up to when to do what is due, likewise.

    Returns:
        A flow whose value is how many subscriptions had something due.

    Raises:
        LedgerBehind: Payme took money that the ledger does not know.
    """
    try:
        yield from watching(watch, session, clock)
        return (yield from _pages(now))
    except BaseException:
        # It may have been the database that went away, and it may come back as an older one.
        watch.forget()
        raise


def _pages(now: float) -> Generator[LedgerStep, Any, int]:
    """Do what is due, page by page; one that fails does not hold the others up.

    Args:
        now: Seconds since 1970.

    Returns:
        A flow whose value is how many subscriptions something was done for. One that failed does
        not count: who ticks until nothing is due would never end.
    """
    failed: list[str] = []
    done = 0
    while True:
        try:
            ids = yield LedgerStep(ledger.tick_page, (now, PAGE, failed))
        except Exception:
            ids = yield LedgerStep(ledger.due_ids, (now, PAGE, failed))
            if not ids:
                raise
            yield from _one_by_one(now, ids, failed)
        done += len(ids)
        if not ids:
            return done - len(failed)


def _one_by_one(now: float, ids: list[str], failed: list[str]) -> Generator[LedgerStep, Any, None]:
    """Tick a page whose transaction failed, each in a transaction of its own."""
    for subscription_id in ids:
        try:
            yield LedgerStep(ledger.tick_one, (now, subscription_id))
        except Exception:  # noqa: BLE001 - whatever it is, the others go on
            _LOG.exception("subscription %s could not be ticked", subscription_id)
            failed.append(subscription_id)
